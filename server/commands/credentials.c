#include "server/commands/credentials.h"

#include <inttypes.h>
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
#include "server/commands/serve.h"

#define TROUBLE "aws credentials"

void credentials_warn(const struct aws_settings *aws) {
    if (aws->is_profile_overridden)
        log_warn(
            "AWS_PROFILE is '%s', but AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set and go before it",
            aws->profile);
}

/* The command. */

static void print_expiry(int64_t expires_ms, int64_t now_ms) {
    char text[CLOCK_TEXT_SIZE];
    int64_t minutes = (expires_ms - now_ms) / 60000;
    if (expires_ms == 0)
        puts("expires        never");
    else
        printf("expires        %s (in %" PRId64 " h %" PRId64 " min)\n", clock_format(expires_ms, text),
               minutes / 60, minutes % 60);
}

static void print(const struct aws_settings *aws, const struct aws_credentials *c, int64_t now_ms) {
    printf("provider       %s\n", c->source);
    printf("access key id  %s\n", c->access_key_id); /* it names, it does not open */
    print_expiry(c->expires_ms, now_ms);
    printf("region         %s\n", aws->region);
    printf("profile        %s\n", aws->profile);
}

static void free_config(struct aws_settings **aws) {
    aws_settings_free(*aws);
}

int credentials_run(void) {
    _cleanup_(free_config) struct aws_settings *aws = NULL;
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *c = NULL;
    int64_t now_ms = clock_real_ms();
    struct error e;
    enum status status = aws_settings_load(&aws, &e);
    if (!status) {
        credentials_warn(aws);
        status = aws_credentials_chain_get(aws->credentials, now_ms, 0, &c, &e);
    }
    if (status) {
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", e.code, "requestId", e.request_id), "%s", e.message);
        return serve_exit_status(status);
    }
    print(aws, c, now_ms);
    return 0;
}

/* The watch. */

struct credentials_watch {
    struct aws_credentials_chain *chain;
    struct health *health;
    /* For the listener, which is called once at a time. */
    bool failing;
    bool had_some;     /* at the last line */
    int64_t logged_ms; /* wall clock */
};

static void mended(struct credentials_watch *w, const struct aws_credentials *kept) {
    char text[CLOCK_TEXT_SIZE];
    if (!w->failing)
        return;
    w->failing = false;
    health_clear(w->health, TROUBLE);
    log_info("the AWS credentials are refreshed again, from %s, until %s", kept->source,
             kept->expires_ms ? clock_format(kept->expires_ms, text) : "ever");
}

/* The reason changes with every request id and time-out that is in it: that alone is no news. */
static void failed(struct credentials_watch *w, int64_t now_ms, const struct aws_credentials *kept,
                   const struct error *e) {
    char text[CLOCK_TEXT_SIZE], reason[sizeof e->message + 128];
    if (kept)
        snprintf(reason, sizeof reason, "%s; the old ones expire at %s", e->message,
                 clock_format(kept->expires_ms, text));
    else
        snprintf(reason, sizeof reason, "%s; the old ones have expired", e->message);
    health_raise(w->health, TROUBLE, reason);

    bool is_news = !w->failing || w->had_some != (kept != NULL) ||
                   llabs(now_ms - w->logged_ms) >= LIMIT_CREDENTIALS_LOG_MS;
    w->failing = true;
    if (!is_news)
        return;
    w->had_some = kept != NULL;
    w->logged_ms = now_ms;
    log_write(kept ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              LOG_FIELDS("error", e->code, "requestId", e->request_id), "%s", reason);
}

static void fetched(void *data, int64_t now_ms, const struct aws_credentials *kept,
                    const struct error *failure) {
    if (failure)
        failed(data, now_ms, kept, failure);
    else
        mended(data, kept);
}

struct credentials_watch *credentials_watch_start(const struct aws_settings *aws, struct health *health) {
    struct credentials_watch *w = mem_zalloc(sizeof *w);
    const struct aws_credentials_listener listener = {fetched, w};
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
