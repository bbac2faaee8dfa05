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
    bool had_valid;    /* when the last line was logged */
    int64_t logged_ms; /* wall clock */
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

/* A reason may contain a request id, which differs each time: a different reason is not logged at once. */
static void on_failure(struct credentials_watch *w, int64_t now_ms, const struct aws_credentials *kept,
                       const struct error *e) {
    char text[CLOCK_TEXT_SIZE], reason[sizeof e->message + 128];
    if (kept)
        snprintf(reason, sizeof reason, "%s; the old ones expire at %s", e->message,
                 clock_format(kept->expires_ms, text));
    else
        snprintf(reason, sizeof reason, "%s; the old ones have expired", e->message);
    health_raise(w->health, TROUBLE, reason);

    bool log_now = !w->failing || w->had_valid != (kept != NULL) ||
                   llabs(now_ms - w->logged_ms) >= LIMIT_CREDENTIALS_LOG_MS;
    w->failing = true;
    if (!log_now)
        return;
    w->had_valid = kept != NULL;
    w->logged_ms = now_ms;
    log_write(kept ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              LOG_FIELDS("error", e->code, "requestId", e->request_id), "%s", reason);
}

static void on_refresh(void *data, int64_t now_ms, const struct aws_credentials *kept,
                       const struct error *failure) {
    if (failure)
        on_failure(data, now_ms, kept, failure);
    else
        on_success(data, kept);
}

struct credentials_watch *credentials_watch_start(const struct aws_settings *aws, struct health *health) {
    struct credentials_watch *w = mem_zalloc(sizeof *w);
    const struct aws_credentials_listener listener = {on_refresh, w};
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
