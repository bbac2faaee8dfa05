#include "server/commands/announce.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/listen.h"

enum { ADDRESS_SIZE = LISTEN_HOST_SIZE + 32 }; /* also of a URL */

/* The option asks for an IPv6 address, and the kernel has none. */
static bool lacks_ipv6(const struct http *http, const char *option) {
    return http && option && *option == '[' && http_is_ipv4(http);
}

/* The address with its real port, if the option has port 0. */
static const char *bound_address(const struct http *http, const char *option, char out[ADDRESS_SIZE]) {
    const char *colon = option ? strrchr(option, ':') : NULL;
    if (!http)
        return "none";
    if (lacks_ipv6(http, option))
        snprintf(out, ADDRESS_SIZE, "0.0.0.0:%u", http_port(http));
    else
        snprintf(out, ADDRESS_SIZE, "%.*s:%u", (int)(colon - option), option, http_port(http));
    return out;
}

/* One that opens in a browser on this machine. */
static const char *url(const struct http *http, const char *option, const char *path,
                       char out[ADDRESS_SIZE]) {
    struct listen_address address;
    char bound[ADDRESS_SIZE];
    bool is_any = !listen_parse(option, &address, NULL) && listen_is_any(address.host);
    if (is_any)
        snprintf(bound, sizeof bound, "localhost:%u", http_port(http));
    else
        bound_address(http, option, bound);
    snprintf(out, ADDRESS_SIZE, "http://%s%s", bound, path);
    return out;
}

static void announce_to_people(const struct service *s) {
    const struct options *o = s->options;
    char text[ADDRESS_SIZE];
    log_info("winner-view " WINNER_VIEW_VERSION);
    if (s->http)
        log_info("listening on  %s  (on a wall: /?wall)", url(s->http, o->listen, "/", text));
    if (s->ops)
        log_info("metrics on    %s", url(s->ops, o->ops_listen, "/metrics", text));
    log_info("reading       %s", strcmp(o->source, "none") == 0 ? "nothing: only serving" : o->source);
    log_info("keeping in    %s", o->store);
}

static void announce_to_programs(const struct service *s) {
    char http_text[ADDRESS_SIZE], ops_text[ADDRESS_SIZE];
    const char *address = bound_address(s->http, s->options->listen, http_text);
    const char *ops = bound_address(s->ops, s->options->ops_listen, ops_text);
    log_write(LOG_LEVEL_INFO,
              LOG_FIELDS("source", s->options->source, "store", s->options->store, "worker", s->worker_id,
                         "version", WINNER_VIEW_VERSION, "listen", address, "opsListen", ops),
              "listening on %s", address);
}

void announce(const struct service *s) {
    log_is_terminal() ? announce_to_people(s) : announce_to_programs(s);
    if (lacks_ipv6(s->http, s->options->listen) || lacks_ipv6(s->ops, s->options->ops_listen))
        log_info("no IPv6 on this host: [::] accepts IPv4 only");
}
