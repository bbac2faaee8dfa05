#include "server/credentials_watch.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/credentials/chain.h"
#include "aws/settings.h"
#include "base/clock.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define TROUBLE "aws credentials"

struct credentials_watch {
    struct aws_credentials_chain *chain;
    struct health *health;
    /* Of the listener, which the chain calls one call at a time. */
    bool failing;
    bool had_valid; /* when the last line was logged */
    int64_t logged_boot_ms;
};

static void on_success(struct credentials_watch *w, const struct aws_credentials *kept) {
    char text[CLOCK_TEXT_SIZE];
    if (!w->failing)
        return;
    w->failing = false;
    health_clear(w->health, TROUBLE);
    if (kept->expires_ms)
        log_info("AWS credentials were refreshed from %s; they expire at %s", kept->source,
                 clock_format(kept->expires_ms, text));
    else
        log_info("AWS credentials were refreshed from %s; they do not expire", kept->source);
}

/* What is used until a fetch succeeds. */
static const char *what_is_left(const struct aws_credentials_news *news, char out[64]) {
    char text[CLOCK_TEXT_SIZE];
    if (!news->kept)
        return "the old ones have expired";
    if (news->kept->expires_ms == 0)
        return "the old ones are used";
    if (news->has_expired)
        return "the old ones have expired, but AWS may accept them in an outage";
    snprintf(out, 64, "the old ones expire at %s", clock_format(news->kept->expires_ms, text));
    return out;
}

/* A reason may contain a request id, which differs each time: a different reason is not logged at once. */
static void on_trouble(struct credentials_watch *w, const struct aws_credentials_news *news,
                       const char *reason) {
    static const struct error none;
    const struct error *e = news->failure ? news->failure : &none;
    bool has_valid = news->kept != NULL;
    health_raise(w->health, TROUBLE, reason);
    bool log_now = !w->failing || w->had_valid != has_valid ||
                   news->boot_ms - w->logged_boot_ms >= LIMIT_CREDENTIALS_LOG_MS;
    w->failing = true;
    if (!log_now)
        return;
    w->had_valid = has_valid;
    w->logged_boot_ms = news->boot_ms;
    log_write(has_valid ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              LOG_FIELDS("error", e->code, "requestId", e->request_id), "%s", reason);
}

static void on_fetch(void *data, const struct aws_credentials_news *news) {
    char rest[64], text[CLOCK_TEXT_SIZE], reason[sizeof news->failure->message + 128];
    if (news->failure)
        snprintf(reason, sizeof reason, "%s; %s", news->failure->message, what_is_left(news, rest));
    else if (news->has_expired)
        snprintf(
            reason, sizeof reason,
            "the credentials from %s expired at %s, but AWS may accept them in an outage; they are fetched "
            "again within minutes",
            news->kept->source, clock_format(news->kept->expires_ms, text));
    else
        return on_success(data, news->kept);
    on_trouble(data, news, reason);
}

struct credentials_watch *credentials_watch_start(const struct aws_settings *aws, struct health *health) {
    struct credentials_watch *w = mem_zalloc(sizeof *w);
    const struct aws_credentials_listener listener = {on_fetch, w};
    w->chain = aws->credentials;
    w->health = health;
    aws_credentials_chain_start(w->chain, &listener);
    return w;
}

void credentials_watch_stop(struct credentials_watch *watch) {
    if (!watch)
        return;
    aws_credentials_chain_stop(watch->chain);
    free(watch);
}
