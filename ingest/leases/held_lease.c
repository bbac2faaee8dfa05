#include "ingest/leases/held_lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct held_lease {
    struct store *store;
    struct health *health;
    int failover_ms, stuck_ms;
    struct store_lease row;  /* as last acknowledged */
    struct store_lease sent; /* the last write; with `unanswered` it may be there instead */
    bool unanswered;
    bool lost;
    bool stuck;
    int64_t sent_boot_ms; /* when that was first sent */
    int64_t next_end_ms;  /* an end that could not be written is tried again then */
    struct fence fence;
    struct shard *shard;
};

/* Troubles of this one lease: that of another is no news of it; nor is a renewal of its end. */
enum trouble { TROUBLE_LEASE, TROUBLE_END };

static void trouble_name(const struct held_lease *l, enum trouble trouble, char *out, size_t size) {
    snprintf(out, size, "%s %s", trouble == TROUBLE_END ? "end of" : "lease", l->row.shard_id);
}

static void in_trouble(struct held_lease *l, enum trouble trouble, const struct error *e) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    trouble_name(l, trouble, name, sizeof name);
    if (health_raise_kind(l->health, name, e->code, e->message, clock_real_ms(), clock_boot_ms()))
        log_write(LOG_LEVEL_WARN,
                  LOG_FIELDS("shard", l->row.shard_id, "error", e->code, "requestId", e->request_id), "%s",
                  e->message);
}

static void all_is_well(struct held_lease *l, enum trouble trouble) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    trouble_name(l, trouble, name, sizeof name);
    health_clear(l->health, name);
}

struct held_lease *held_lease_start(const struct held_lease_context *context, const struct store_lease *lease,
                                    int64_t sent_boot_ms) {
    struct held_lease *l = mem_zalloc(sizeof *l);
    l->store = context->shard.store;
    l->health = context->shard.health;
    l->failover_ms = context->failover_ms;
    l->stuck_ms = context->stuck_ms;
    l->row = *lease;
    l->sent_boot_ms = sent_boot_ms;
    fence_open_until(&l->fence, sent_boot_ms + l->failover_ms);
    l->shard = shard_start(&context->shard, lease, &l->fence);
    return l;
}

void held_lease_stop(struct held_lease *l) {
    shard_stop(l->shard);
}

const char *held_lease_shard_id(const struct held_lease *l) {
    return l->row.shard_id;
}

bool held_lease_can_be_freed(struct held_lease *l) {
    struct shard_report report;
    shard_read_report(l->shard, &report);
    return report.gone;
}

void held_lease_free(struct held_lease *l) {
    shard_join(l->shard);
    all_is_well(l, TROUBLE_LEASE);
    all_is_well(l, TROUBLE_END);
    free(l);
}

/* ---- writing the lease
 * ----------------------------------------------------------------------------------------------- */

static void lose(struct held_lease *l, const char *why) {
    if (l->lost)
        return;
    fence_shut(&l->fence);
    shard_abandon(l->shard);
    l->lost = true;
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", l->row.shard_id), "lease lost: %s", why);
}

static void acknowledged(struct held_lease *l, int64_t sent_boot_ms) {
    l->row = l->sent;
    l->unanswered = false;
    fence_open_until(&l->fence, sent_boot_ms + l->failover_ms);
    all_is_well(l, TROUBLE_LEASE);
}

/* Sends `l->sent` (again). A row that is exactly that is our own write, whose answer was lost: it counts from
 * when it was first sent. */
static enum status send_lease(struct held_lease *l, struct error *e) {
    struct store_lease found;
    int64_t now = clock_boot_ms();
    enum status status = store_update_lease(l->store, &l->row, &l->sent, &l->fence, &found, e);

    if (status == STATUS_OK) {
        acknowledged(l, now);
    } else if (status == STATUS_CONFLICT && lease_is_same(&found, &l->sent)) {
        acknowledged(l, l->sent_boot_ms);
        status = STATUS_OK;
    } else if (status == STATUS_CONFLICT) {
        lose(l, *found.shard_id ? "another worker holds it" : "its row is gone");
    } else if (!fence_is_open(&l->fence, clock_boot_ms())) {
        lose(l, "it could not be renewed in time");
    } else {
        l->unanswered = true;
        in_trouble(l, TROUBLE_LEASE, e);
    }
    return status;
}

/* Writes over the lease that we hold; `wanted`'s counter is set here. A write that got no answer is sent
 * again as it was until its fate is known, before anything else is: so what may be in the table is never more
 * than two things. */
static enum status write_lease(struct held_lease *l, const struct store_lease *wanted, struct error *e) {
    enum status status = l->unanswered ? send_lease(l, e) : STATUS_OK;
    if (status)
        return status;
    l->sent = *wanted;
    l->sent.counter = l->row.counter + 1;
    l->sent_boot_ms = clock_boot_ms();
    return send_lease(l, e);
}

static enum status release(struct held_lease *l, const struct shard_progress *progress) {
    struct store_lease after = lease_released(&l->row);
    struct error e;
    lease_add_progress(&after, progress);
    return write_lease(l, &after, &e);
}

static void renew(struct held_lease *l, const struct shard_progress *progress) {
    struct store_lease after = lease_renewed(&l->row);
    struct error e;
    lease_add_progress(&after, progress);
    write_lease(l, &after, &e);
}

static int64_t next_write(const struct held_lease *l, const struct shard_progress *progress) {
    int64_t interval = l->failover_ms / 3;
    bool soon =
        l->unanswered || (lease_is_behind(&l->row, progress) && progress->checkpoint != LEASE_SHARD_END);
    if (soon && interval > LIMIT_CHECKPOINT_MS)
        interval = LIMIT_CHECKPOINT_MS;
    return l->sent_boot_ms + interval;
}

/* ---- the shard's end
 * ------------------------------------------------------------------------------------------------- */

/* The shards that go on after this one: what its last reply named, else what the stream lists. */
static size_t find_children(const struct held_lease *l, const struct held_lease_context *context,
                            const struct shard_report *report,
                            struct source_shard children[STORE_LEASE_PARENTS]) {
    size_t n = report->n_children;
    memcpy(children, report->children, n * sizeof *children);
    return n ? n : hierarchy_children(&context->hierarchy, l->row.shard_id, children);
}

static enum status create_children(struct held_lease *l, const struct source_shard *children, size_t n,
                                   struct error *e) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    for (size_t i = 0; i < n; i++) {
        const struct store_lease lease = lease_make(&children[i], &from_the_beginning);
        enum status status = store_create_lease(l->store, &lease, e);
        if (status && status != STATUS_CONFLICT) /* there may be one: another worker's, or a lost answer's */
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

/* How far the shard was applied, its end left out. */
static struct shard_progress progress_before_end(const struct held_lease *l,
                                                 const struct shard_report *report) {
    struct shard_progress progress = report->progress;
    progress.checkpoint = progress.position.length ? LEASE_AT_POSITION : l->row.checkpoint;
    return progress;
}

/* The source said that nothing follows, and names no shard that goes on: then it was mistaken. */
static enum held_lease_outcome release_unended(struct held_lease *l, const struct shard_report *report) {
    const struct shard_progress progress = progress_before_end(l, report);
    return release(l, &progress) == STATUS_OK ? HELD_LEASE_FALSE_END
           : l->lost                          ? HELD_LEASE_LOST
                                              : HELD_LEASE_KEPT;
}

/* The leases of its children cannot be made: who may not, or is throttled, goes on holding its own, else its
 * tail would be read again for ever. */
static enum held_lease_outcome stay_unended(struct held_lease *l, const struct shard_report *report,
                                            bool stopping) {
    const struct shard_progress progress = progress_before_end(l, report);
    if (stopping)
        release(l, &progress);
    else if (clock_boot_ms() >= next_write(l, &progress))
        renew(l, &progress);
    return l->lost ? HELD_LEASE_LOST : stopping ? HELD_LEASE_RELEASED : HELD_LEASE_KEPT;
}

static enum held_lease_outcome end(struct held_lease *l, const struct held_lease_context *context,
                                   const struct shard_report *report, bool stopping) {
    struct source_shard children[STORE_LEASE_PARENTS];
    struct error e;
    size_t n = find_children(l, context, report, children);
    if (!n && !report->vanished)
        return release_unended(l, report);
    if (!stopping && clock_boot_ms() < l->next_end_ms)
        return stay_unended(l, report, stopping);

    enum status status = create_children(l, children, n, &e);
    if (status) {
        in_trouble(l, TROUBLE_END, &e);
        l->next_end_ms = clock_boot_ms() + LIMIT_CHECKPOINT_MS;
        return stay_unended(l, report, stopping);
    }
    all_is_well(l, TROUBLE_END);
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

/* ---- tending
 * ---------------------------------------------------------------------------------------------------------
 */

/* The shard is done. What is written last may be there already, its answer lost: that is found out first, for
 * nothing may be written over an end. */
static enum held_lease_outcome settle(struct held_lease *l, const struct held_lease_context *context,
                                      const struct shard_report *report, bool stopping) {
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
        return end(l, context, report, stopping);
    if (release(l, &report->progress) == STATUS_OK || stopping || report->refused)
        return report->refused ? HELD_LEASE_REFUSED : HELD_LEASE_RELEASED;
    return l->lost ? HELD_LEASE_LOST : HELD_LEASE_KEPT;
}

static void note_stuck(struct held_lease *l) {
    if (!l->stuck)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", l->row.shard_id),
                  "shard has not turned for %d s: its lease is not renewed", l->stuck_ms / 1000);
    l->stuck = true;
}

enum held_lease_outcome held_lease_tend(struct held_lease *l, const struct held_lease_context *context,
                                        bool stopping) {
    struct shard_report report;
    shard_read_report(l->shard, &report);
    if (report.finished)
        return settle(l, context, &report, stopping);
    if (l->lost)
        return HELD_LEASE_KEPT; /* its thread is on its way out */

    int64_t now = clock_boot_ms();
    if (now - report.alive_boot_ms > l->stuck_ms)
        note_stuck(l);
    else if (report.progress.checkpoint != LEASE_SHARD_END && now >= next_write(l, &report.progress))
        renew(l, &report.progress);
    if (!fence_is_open(&l->fence, clock_boot_ms()))
        lose(l, "it could not be renewed in time");
    return HELD_LEASE_KEPT;
}
