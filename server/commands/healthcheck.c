#include "server/commands/healthcheck.h"

#include <stdio.h>
#include <string.h>

#include "aws/fetch.h"
#include "base/limits.h"
#include "base/mem.h"
#include "server/commands/commands.h"
#include "server/listen.h"

enum status healthcheck_url(const struct options *options, char *out, size_t size, struct error *e) {
    struct listen_address address;
    const char *option = options->ops_listen ? "--ops-listen" : "--listen";
    const char *text = options->ops_listen ? options->ops_listen : options->listen;
    if (!text)
        return error_set(e, STATUS_INVALID,
                         "--listen and --ops-listen are both none: there is no address to ask");
    enum status status = listen_parse(text, &address, e);
    if (status)
        return status;
    if (strspn(address.port, "0") == strlen(address.port))
        return error_set(e, STATUS_INVALID,
                         "%s: '%s' leaves the port to the system, so it is not known here; give one", option,
                         text);
    /* All addresses: also with [::] the server accepts IPv4, with or without IPv6 in the kernel. */
    const char *host = listen_is_any(address.host) ? "127.0.0.1" : address.host;
    snprintf(out, size, strchr(host, ':') ? "http://[%s]:%s/livez" : "http://%s:%s/livez", host,
             address.port);
    return STATUS_OK;
}

static enum status ask(const char *url, struct error *e) {
    _cleanup_(aws_fetch_deinit) struct aws_fetch fetch;
    aws_fetch_init(&fetch);
    fetch.exchange.method = "GET";
    fetch.exchange.url = url;
    fetch.exchange.direct = true;
    fetch.exchange.connect_ms = fetch.exchange.attempt_ms = LIMIT_HEALTHCHECK_MS;
    enum status status = aws_fetch(&fetch, e);
    if (status)
        return status;
    if (fetch.exchange.http_status != 200)
        return error_set(e, STATUS_FAILED, "the answer is %ld, not 200", fetch.exchange.http_status);
    return STATUS_OK;
}

int healthcheck_run(const struct options *options) {
    char url[LISTEN_HOST_SIZE + 32];
    struct error e;
    enum status status = healthcheck_url(options, url, sizeof url, &e);
    if (status) {
        fprintf(stderr, "%s\n", e.message);
        return 2;
    }
    status = ask(url, &e);
    if (status)
        fprintf(stderr, "%s: %s\n", url, e.message);
    return status ? 1 : 0;
}
