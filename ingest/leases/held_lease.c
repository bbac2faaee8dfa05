#include "ingest/leases/held_lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct held_lease {
    struct held_lease_context context;
    struct store_lease row;  /* as last acknowledged */
    struct store_lease sent; /* the last write; while `unanswered`, the table may have this one instead */
    bool unanswered;
    bool lost;
    bool stuck;
    int64_t sent_boot_ms;         /* when `sent` was first sent */
    int64_t acknowledged_boot_ms; /* ... and when the last one was that was acknowledged */
    int64_t next_end_ms;          /* after a failure to write the end: when to try again */
    struct fence fence;
    struct shard *shard;
    /* Names in health: two, because a renewal that works does not clear the trouble of the end. */
    char write_trouble[LIMIT_SHARD_ID_BYTES + 16], end_trouble[LIMIT_SHARD_ID_BYTES + 16];
};

static void raise_trouble(struct held_lease *l, const char *trouble, const struct error *e) {
    if (health_raise_kind(l->context.shard.health, trouble, e->code, e->message, clock_real_ms(),
                          clock_boot_ms()))
        log_write(LOG_LEVEL_WARN,
                  LOG_FIELDS("shard", l->row.shard_id, "error", e->code, "requestId", e->request_id), "%s",
                  e->message);
}

struct held_lease *held_lease_start(const struct held_lease_context *context, const struct store_lease *lease,
                                    int64_t sent_boot_ms) {
    struct held_lease *l = mem_zalloc(sizeof *l);
    l->context = *context;
    l->row = *lease;
    snprintf(l->write_trouble, sizeof l->write_trouble, "lease %s", lease->shard_id);
    snprintf(l->end_trouble, sizeof l->end_trouble, "end of %s", lease->shard_id);
    l->sent_boot_ms = l->acknowledged_boot_ms = sent_boot_ms;
    fence_open_until(&l->fence, sent_boot_ms + l->context.failover_ms);
    l->shard = shard_start(&context->shard, lease, &l->fence);
    return l;
}

int64_t held_lease_acknowledged_ms(const struct held_lease *l) {
    return l->acknowledged_boot_ms;
}

void held_lease_stop(struct held_lease *l) {
    shard_stop(l->shard);
}

bool held_lease_can_be_freed(struct held_lease *l) {
    struct shard_report report;
    shard_read_report(l->shard, &report);
    return report.thread_ended;
}

void held_lease_free(struct held_lease *l) {
    shard_join(l->shard);
    health_clear(l->context.shard.health, l->write_trouble);
    health_clear(l->context.shard.health, l->end_trouble);
    free(l);
}

static void lose(struct held_lease *l, const char *why) {
    if (l->lost)
        return;
    fence_shut(&l->fence);
    shard_abandon(l->shard);
    l->lost = true;
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", l->row.shard_id), "lease lost: %s", why);
}

static void acknowledge(struct held_lease *l, int64_t sent_boot_ms) {
    l->row = l->sent;
    l->unanswered = false;
    l->acknowledged_boot_ms = sent_boot_ms;
    fence_open_until(&l->fence, sent_boot_ms + l->context.failover_ms);
    health_clear(l->context.shard.health, l->write_trouble);
}

/* Sends `sent`, perhaps again. A conflict with a row that equals it is our own earlier write, whose answer
 * was lost: the fence then counts from when it was first sent. */
static enum status send_lease(struct held_lease *l, struct error *e) {
    struct store_lease found;
    int64_t now = clock_boot_ms();
    enum status status = store_update_lease(l->context.shard.store, &l->row, &l->sent, &l->fence, &found, e);

    if (status == STATUS_OK) {
        acknowledge(l, now);
    } else if (status == STATUS_CONFLICT && lease_is_same(&found, &l->sent)) {
        acknowledge(l, l->sent_boot_ms);
        status = STATUS_OK;
    } else if (status == STATUS_CONFLICT) {
        lose(l, *found.shard_id ? "another worker holds it" : "its row is gone");
    } else if (strcmp(e->code, STORE_ERROR_GONE) == 0) {
        lose(l, "its store is gone");
    } else if (!fence_is_open(&l->fence, clock_boot_ms())) {
        lose(l, "it could not be renewed in time");
    } else {
        l->unanswered = true;
        raise_trouble(l, l->write_trouble, e);
    }
    return status;
}

/* Writes over the held lease; sets `wanted`'s counter. A write that got no answer is first sent again,
 * unchanged, until its result is known: so the table has never more than two possible rows. */
static enum status write_lease(struct held_lease *l, const struct store_lease *wanted, struct error *e) {
    enum status status = l->unanswered ? send_lease(l, e) : STATUS_OK;
    if (status)
        return status;
    l->sent = *wanted;
    l->sent.counter = l->row.counter + 1;
    l->sent_boot_ms = clock_boot_ms();
    return send_lease(l, e);
}

/* As-of never goes back, unless the stored one is in the future: a wrong clock made it. */
static void add_progress(const struct held_lease *l, struct store_lease *after,
                         const struct shard_progress *progress) {
    if (service_clock_is_ahead(freshness_clock(l->context.shard.freshness), after->as_of_ms))
        after->as_of_ms = FRESHNESS_UNKNOWN;
    lease_add_progress(after, progress);
}

static enum status release(struct held_lease *l, const struct shard_progress *progress) {
    struct store_lease after = lease_released(&l->row);
    struct error e;
    add_progress(l, &after, progress);
    return write_lease(l, &after, &e);
}

static void renew(struct held_lease *l, const struct shard_progress *progress) {
    struct store_lease after = lease_renewed(&l->row);
    struct error e;
    add_progress(l, &after, progress);
    write_lease(l, &after, &e);
}

static int64_t next_write(const struct held_lease *l, const struct shard_progress *progress) {
    int64_t interval = l->context.failover_ms / 3;
    bool soon =
        l->unanswered || (lease_is_behind(&l->row, progress) && progress->checkpoint != LEASE_SHARD_END);
    if (soon && interval > LIMIT_CHECKPOINT_MS)
        interval = LIMIT_CHECKPOINT_MS;
    return l->sent_boot_ms + interval;
}

/* From the last reply, else from the listing. */
static size_t find_children(const struct held_lease *l, const struct shard_report *report,
                            struct source_shard children[STORE_LEASE_PARENTS]) {
    size_t n = report->n_children;
    memcpy(children, report->children, n * sizeof *children);
    return n ? n : l->context.list_children(l->context.list_data, l->row.shard_id, children);
}

static enum status create_children(struct held_lease *l, const struct source_shard *children, size_t n,
                                   bool foreign_arrivals, struct error *e) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    for (size_t i = 0; i < n; i++) {
        struct store_lease lease = lease_make(&children[i], &from_the_beginning);
        lease.foreign_arrivals = foreign_arrivals;
        enum status status = store_create_lease(l->context.shard.store, &lease, e);
        if (status && status != STATUS_CONFLICT) /* it exists: made by another worker, or by our write whose
                                                    answer was lost */
            return status;
    }
    return STATUS_OK;
}

static enum status name_children(struct held_lease *l, const struct source_shard *children, size_t n,
                                 struct error *e) {
    struct store_lease after = lease_renewed(&l->row);
    memset(after.children, 0, sizeof after.children);
    for (size_t i = 0; i < n; i++)
        strcpy(after.children[i], children[i].id);
    bool are_named = memcmp(after.children, l->row.children, sizeof after.children) == 0;
    return are_named ? STATUS_OK : write_lease(l, &after, e);
}

/* How far the shard was applied, without its end. */
static struct shard_progress progress_before_end(const struct held_lease *l,
                                                 const struct shard_report *report) {
    struct shard_progress progress = report->progress;
    progress.checkpoint = progress.position.length ? LEASE_AT_POSITION : l->row.checkpoint;
    return progress;
}

/* The source reported the end, but no shard continues this one: the end is false. */
static enum held_lease_outcome release_false_end(struct held_lease *l, const struct shard_report *report) {
    const struct shard_progress progress = progress_before_end(l, report);
    return release(l, &progress) == STATUS_OK ? HELD_LEASE_FALSE_END
           : l->lost                          ? HELD_LEASE_LOST
                                              : HELD_LEASE_KEPT;
}

/* The children's leases cannot be made, for lack of a right or by throttling. The lease is held on: if it
 * were released, the shard's tail would be read again for ever. */
static enum held_lease_outcome hold_before_end(struct held_lease *l, const struct shard_report *report,
                                               bool stopping) {
    const struct shard_progress progress = progress_before_end(l, report);
    if (stopping)
        release(l, &progress);
    else if (clock_boot_ms() >= next_write(l, &progress))
        renew(l, &progress);
    return l->lost ? HELD_LEASE_LOST : stopping ? HELD_LEASE_RELEASED : HELD_LEASE_KEPT;
}

static enum held_lease_outcome end(struct held_lease *l, const struct shard_report *report, bool stopping) {
    struct source_shard children[STORE_LEASE_PARENTS];
    struct error e;
    size_t n = find_children(l, report, children);
    if (!n && !report->vanished)
        return release_false_end(l, report);
    if (!stopping && clock_boot_ms() < l->next_end_ms)
        return hold_before_end(l, report, stopping);

    enum status status = create_children(l, children, n, report->progress.foreign_arrivals, &e);
    if (status) {
        raise_trouble(l, l->end_trouble, &e);
        l->next_end_ms = clock_boot_ms() + LIMIT_CHECKPOINT_MS;
        return hold_before_end(l, report, stopping);
    }
    health_clear(l->context.shard.health, l->end_trouble);
    status = name_children(l, children, n, &e);
    if (!status)
        status = release(l, &report->progress);
    if (!status)
        log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", l->row.shard_id), "shard has ended");
    return !status    ? HELD_LEASE_ENDED
           : l->lost  ? HELD_LEASE_LOST
           : stopping ? HELD_LEASE_RELEASED
                      : HELD_LEASE_KEPT;
}

/* The shard has finished. A last write without an answer may have taken effect: that is found out first,
 * because nothing may be written over an end. */
static enum held_lease_outcome finish(struct held_lease *l, const struct shard_report *report,
                                      bool stopping) {
    struct error e;
    if (!fence_is_open(&l->fence, clock_boot_ms()))
        lose(l, "it could not be renewed in time");
    if (!l->lost && l->unanswered && send_lease(l, &e) && !l->lost)
        return stopping ? HELD_LEASE_RELEASED : HELD_LEASE_KEPT;
    if (l->lost)
        return HELD_LEASE_LOST;
    if (!*l->row.owner)
        return l->row.checkpoint == LEASE_SHARD_END ? HELD_LEASE_ENDED : HELD_LEASE_RELEASED;
    if (report->progress.checkpoint == LEASE_SHARD_END)
        return end(l, report, stopping);
    if (release(l, &report->progress) == STATUS_OK || stopping || report->refused)
        return report->refused ? HELD_LEASE_REFUSED : HELD_LEASE_RELEASED;
    return l->lost ? HELD_LEASE_LOST : HELD_LEASE_KEPT;
}

static void report_stuck(struct held_lease *l) {
    if (!l->stuck)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", l->row.shard_id),
                  "shard's loop has been stuck for %d s: its lease is not renewed",
                  l->context.stuck_ms / 1000);
    l->stuck = true;
}

static bool is_stuck(const struct held_lease *l, const struct shard_report *report, int64_t now_ms) {
    return now_ms - report->alive_boot_ms > l->context.stuck_ms;
}

static bool is_write_due(const struct held_lease *l, const struct shard_report *report, int64_t now_ms) {
    return report->progress.checkpoint != LEASE_SHARD_END && now_ms >= next_write(l, &report->progress);
}

/* A lost lease only waits for its shard. */
bool held_lease_is_due(struct held_lease *l) {
    struct shard_report report;
    int64_t now = clock_boot_ms();
    shard_read_report(l->shard, &report);
    return report.finished || (!l->lost && (is_stuck(l, &report, now) || is_write_due(l, &report, now) ||
                                            !fence_is_open(&l->fence, now)));
}

enum held_lease_outcome held_lease_write_due(struct held_lease *l, bool stopping) {
    struct shard_report report;
    shard_read_report(l->shard, &report);
    if (report.finished)
        return finish(l, &report, stopping);
    if (l->lost)
        return HELD_LEASE_KEPT; /* until its thread has ended */

    int64_t now = clock_boot_ms();
    if (is_stuck(l, &report, now))
        report_stuck(l);
    else if (is_write_due(l, &report, now))
        renew(l, &report.progress);
    if (!fence_is_open(&l->fence, clock_boot_ms()))
        lose(l, "it could not be renewed in time");
    return HELD_LEASE_KEPT;
}
