#include "ingest/shard_wait.h"

#include <stdio.h>
#include <string.h>

#include "aws/service_error.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

static struct metrics_family waits_family = {
    .name = "winner_view_shard_waits_total",
    .help = "Pauses of a shard before it tries again, by what failed.",
    .kind = METRICS_COUNTER,
    .labels = {"cause"},
};

static struct metrics_family waiting_family = {
    .name = "winner_view_shard_waiting_since_timestamp_seconds",
    .help =
        "When the shard began to wait for its source, the store or the dead letter target. Absent while it "
        "does not wait.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

static const char *const cause_names[] = {"source", "store", "dead_letter"};

void shard_wait_init(struct shard_wait *w, struct health *health, const char *shard_id) {
    *w = (struct shard_wait){.health = health, .shard_id = shard_id};
    snprintf(w->trouble, sizeof w->trouble, "shard %s", shard_id);
    w->since = METRICS_HOLD(&waiting_family, shard_id);
}

void shard_wait_deinit(struct shard_wait *w) {
    health_clear(w->health, w->trouble);
    metrics_hide(w->since);
    metrics_release(w->since, clock_boot_ms());
}

/* The lease was lost, or the program ends: the lease keeper reports that. */
static bool is_lease_trouble(const struct error *e) {
    return strcmp(e->code, AWS_ERROR_FENCE_SHUT) == 0 || strcmp(e->code, AWS_ERROR_CANCELLED) == 0 ||
           strcmp(e->code, "LeaseLost") == 0;
}

static void log_line(const struct shard_wait *w, const struct error *e, int64_t lasts_ms) {
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)lasts_ms / 1000);
    log_write(e->status == STATUS_RETRY ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              LOG_FIELDS("shard", w->shard_id, "seconds", seconds, "error", e->code, "requestId",
                         e->request_id, e->user_id[0] ? "userId" : NULL, e->user_id),
              "shard waits and tries again: %s", e->message);
}

/* A shard that fails and continues many times a second is logged once a second. A line that is not due yet is
 * written with a later failure. */
static void log_in_time(struct shard_wait *w, const struct error *e, bool is_due, int64_t now_real_ms) {
    int64_t now_ms = clock_boot_ms();
    w->line_owed = w->line_owed || is_due;
    if (!w->line_owed || now_ms - w->line_boot_ms < LIMIT_TROUBLE_LINE_MS)
        return;
    log_line(w, e, now_real_ms - w->since_ms);
    w->line_boot_ms = now_ms;
    w->line_written = true;
    w->line_owed = false;
}

/* One passing failure of the source is only counted. */
static void report(struct shard_wait *w, enum shard_cause cause, const struct error *e) {
    char kind[sizeof e->code + 16];
    int64_t now_real_ms = clock_real_ms();
    bool first = w->since_ms == 0;
    if (first)
        w->since_ms = now_real_ms;
    if (first && cause == CAUSE_SOURCE && e->status == STATUS_RETRY)
        return;
    metrics_set(w->since, w->since_ms);
    snprintf(kind, sizeof kind, "%s %s", cause_names[cause], e->code);
    bool is_due =
        health_raise_about(w->health, w->trouble, kind, e->message, e->user_id, w->since_ms, clock_boot_ms());
    log_in_time(w, e, is_due, now_real_ms);
}

int64_t shard_wait_note(struct shard_wait *w, enum shard_cause cause, const struct error *e) {
    if (!is_lease_trouble(e)) {
        metrics_count(&waits_family, (const char *const[]){cause_names[cause], NULL}, 1);
        report(w, cause, e);
    }
    w->backoff_ms = w->backoff_ms ? w->backoff_ms * 2 : 100;
    if (w->backoff_ms > LIMIT_BACKOFF_MS)
        w->backoff_ms = LIMIT_BACKOFF_MS;
    return clock_boot_ms() + w->backoff_ms / 2 + random_u32() % (w->backoff_ms / 2);
}

void shard_wait_clear(struct shard_wait *w) {
    w->backoff_ms = 0;
    if (!w->since_ms)
        return;
    metrics_hide(w->since);
    if (health_clear(w->health, w->trouble) && w->line_written)
        log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", w->shard_id), "shard continues after %lld s",
                  (long long)(clock_real_ms() - w->since_ms) / 1000);
    w->since_ms = 0;
    w->line_owed = w->line_written = false;
}
