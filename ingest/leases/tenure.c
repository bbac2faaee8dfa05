#include "ingest/leases/tenure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct tenure {
    struct store *store;
    struct health *health;
    int failover_ms, stuck_ms;
    struct store_lease lease; /* as last acknowledged */
    struct store_lease sent;  /* the last write; with `unanswered` it may be there instead */
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

static void trouble_name(const struct tenure *t, enum trouble trouble, char *out, size_t size) {
    snprintf(out, size, "%s %s", trouble == TROUBLE_END ? "end of" : "lease", t->lease.shard_id);
}

static void in_trouble(struct tenure *t, enum trouble trouble, const struct error *e) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    trouble_name(t, trouble, name, sizeof name);
    if (health_raise_kind(t->health, name, e->code, e->message, clock_real_ms(), clock_boot_ms()))
        log_write(LOG_LEVEL_WARN,
                  LOG_FIELDS("shard", t->lease.shard_id, "error", e->code, "requestId", e->request_id), "%s",
                  e->message);
}

static void all_is_well(struct tenure *t, enum trouble trouble) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    trouble_name(t, trouble, name, sizeof name);
    health_clear(t->health, name);
}

struct tenure *tenure_begin(const struct tenure_context *context, const struct store_lease *lease,
                            int64_t sent_boot_ms) {
    struct tenure *t = mem_zalloc(sizeof *t);
    t->store = context->shard.store;
    t->health = context->shard.health;
    t->failover_ms = context->failover_ms;
    t->stuck_ms = context->stuck_ms;
    t->lease = *lease;
    t->sent_boot_ms = sent_boot_ms;
    fence_open_until(&t->fence, sent_boot_ms + t->failover_ms);
    t->shard = shard_start(&context->shard, lease, &t->fence);
    return t;
}

void tenure_stop(struct tenure *t) {
    shard_stop(t->shard);
}

const char *tenure_shard_id(const struct tenure *t) {
    return t->lease.shard_id;
}

bool tenure_is_gone(struct tenure *t) {
    struct shard_report report;
    shard_read_report(t->shard, &report);
    return report.gone;
}

void tenure_free(struct tenure *t) {
    shard_join(t->shard);
    all_is_well(t, TROUBLE_LEASE);
    all_is_well(t, TROUBLE_END);
    free(t);
}

/* ---- writing the lease
 * ----------------------------------------------------------------------------------------------- */

static void lose(struct tenure *t, const char *why) {
    if (t->lost)
        return;
    fence_shut(&t->fence);
    shard_abandon(t->shard);
    t->lost = true;
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", t->lease.shard_id), "lease lost: %s", why);
}

static void acknowledged(struct tenure *t, int64_t sent_boot_ms) {
    t->lease = t->sent;
    t->unanswered = false;
    fence_open_until(&t->fence, sent_boot_ms + t->failover_ms);
    all_is_well(t, TROUBLE_LEASE);
}

/* Sends `t->sent` (again). A row that is exactly that is our own write, whose answer was lost: it counts from
 * when it was first sent. */
static enum status send_lease(struct tenure *t, struct error *e) {
    struct store_lease found;
    int64_t now = clock_boot_ms();
    enum status status = store_update_lease(t->store, &t->lease, &t->sent, &t->fence, &found, e);

    if (status == STATUS_OK) {
        acknowledged(t, now);
    } else if (status == STATUS_CONFLICT && lease_is_same(&found, &t->sent)) {
        acknowledged(t, t->sent_boot_ms);
        status = STATUS_OK;
    } else if (status == STATUS_CONFLICT) {
        lose(t, *found.shard_id ? "another worker holds it" : "its row is gone");
    } else if (!fence_is_open(&t->fence, clock_boot_ms())) {
        lose(t, "it could not be renewed in time");
    } else {
        t->unanswered = true;
        in_trouble(t, TROUBLE_LEASE, e);
    }
    return status;
}

/* Writes over the lease that we hold; `wanted`'s counter is set here. A write that got no answer is sent
 * again as it was until its fate is known, before anything else is: so what may be in the table is never more
 * than two things. */
static enum status write_lease(struct tenure *t, const struct store_lease *wanted, struct error *e) {
    enum status status = t->unanswered ? send_lease(t, e) : STATUS_OK;
    if (status)
        return status;
    t->sent = *wanted;
    t->sent.counter = t->lease.counter + 1;
    t->sent_boot_ms = clock_boot_ms();
    return send_lease(t, e);
}

static enum status release(struct tenure *t, const struct lease_progress *progress) {
    struct store_lease after = lease_released(&t->lease);
    struct error e;
    lease_add_progress(&after, progress);
    return write_lease(t, &after, &e);
}

static void renew(struct tenure *t, const struct lease_progress *progress) {
    struct store_lease after = lease_renewed(&t->lease);
    struct error e;
    lease_add_progress(&after, progress);
    write_lease(t, &after, &e);
}

static int64_t next_write(const struct tenure *t, const struct lease_progress *progress) {
    int64_t interval = t->failover_ms / 3;
    bool soon =
        t->unanswered || (lease_is_behind(&t->lease, progress) && progress->checkpoint != LEASE_SHARD_END);
    if (soon && interval > LIMIT_CHECKPOINT_MS)
        interval = LIMIT_CHECKPOINT_MS;
    return t->sent_boot_ms + interval;
}

/* ---- the shard's end
 * ------------------------------------------------------------------------------------------------- */

/* The shards that go on after this one: what its last reply named, else what the stream lists. */
static size_t find_children(const struct tenure *t, const struct tenure_context *context,
                            const struct shard_report *report,
                            struct source_shard children[STORE_LEASE_PARENTS]) {
    size_t n = report->n_children;
    memcpy(children, report->children, n * sizeof *children);
    return n ? n : hierarchy_children(&context->hierarchy, t->lease.shard_id, children);
}

static enum status create_children(struct tenure *t, const struct source_shard *children, size_t n,
                                   struct error *e) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    for (size_t i = 0; i < n; i++) {
        const struct store_lease lease = lease_make(&children[i], &from_the_beginning);
        enum status status = store_create_lease(t->store, &lease, e);
        if (status && status != STATUS_CONFLICT) /* there may be one: another worker's, or a lost answer's */
            return status;
    }
    return STATUS_OK;
}

static enum status name_children(struct tenure *t, const struct source_shard *children, size_t n,
                                 struct error *e) {
    struct store_lease after = lease_renewed(&t->lease);
    memset(after.children, 0, sizeof after.children);
    for (size_t i = 0; i < n; i++)
        strcpy(after.children[i], children[i].id);
    bool are_named = memcmp(after.children, t->lease.children, sizeof after.children) == 0;
    return are_named ? STATUS_OK : write_lease(t, &after, e);
}

/* How far the shard was applied, its end left out. */
static struct lease_progress progress_before_end(const struct tenure *t, const struct shard_report *report) {
    struct lease_progress progress = report->progress;
    progress.checkpoint = progress.position.length ? LEASE_AT_POSITION : t->lease.checkpoint;
    return progress;
}

/* The source said that nothing follows, and names no shard that goes on: then it was mistaken. */
static enum tenure_outcome release_unended(struct tenure *t, const struct shard_report *report) {
    const struct lease_progress progress = progress_before_end(t, report);
    return release(t, &progress) == STATUS_OK ? TENURE_FALSE_END : t->lost ? TENURE_LOST : TENURE_HELD;
}

/* The leases of its children cannot be made: who may not, or is throttled, goes on holding its own, else its
 * tail would be read again for ever. */
static enum tenure_outcome stay_unended(struct tenure *t, const struct shard_report *report, bool stopping) {
    const struct lease_progress progress = progress_before_end(t, report);
    if (stopping)
        release(t, &progress);
    else if (clock_boot_ms() >= next_write(t, &progress))
        renew(t, &progress);
    return t->lost ? TENURE_LOST : stopping ? TENURE_RELEASED : TENURE_HELD;
}

static enum tenure_outcome end(struct tenure *t, const struct tenure_context *context,
                               const struct shard_report *report, bool stopping) {
    struct source_shard children[STORE_LEASE_PARENTS];
    struct error e;
    size_t n = find_children(t, context, report, children);
    if (!n && !report->vanished)
        return release_unended(t, report);
    if (!stopping && clock_boot_ms() < t->next_end_ms)
        return stay_unended(t, report, stopping);

    enum status status = create_children(t, children, n, &e);
    if (status) {
        in_trouble(t, TROUBLE_END, &e);
        t->next_end_ms = clock_boot_ms() + LIMIT_CHECKPOINT_MS;
        return stay_unended(t, report, stopping);
    }
    all_is_well(t, TROUBLE_END);
    status = name_children(t, children, n, &e);
    if (!status)
        status = release(t, &report->progress);
    if (!status)
        log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", t->lease.shard_id), "shard has ended");
    return !status ? TENURE_ENDED : t->lost ? TENURE_LOST : stopping ? TENURE_RELEASED : TENURE_HELD;
}

/* ---- tending
 * ---------------------------------------------------------------------------------------------------------
 */

/* The shard is done. What is written last may be there already, its answer lost: that is found out first, for
 * nothing may be written over an end. */
static enum tenure_outcome settle(struct tenure *t, const struct tenure_context *context,
                                  const struct shard_report *report, bool stopping) {
    struct error e;
    if (!fence_is_open(&t->fence, clock_boot_ms()))
        lose(t, "it could not be renewed in time");
    if (!t->lost && t->unanswered && send_lease(t, &e) && !t->lost)
        return stopping ? TENURE_RELEASED : TENURE_HELD;
    if (t->lost)
        return TENURE_LOST;
    if (!*t->lease.owner)
        return t->lease.checkpoint == LEASE_SHARD_END ? TENURE_ENDED : TENURE_RELEASED;
    if (report->progress.checkpoint == LEASE_SHARD_END)
        return end(t, context, report, stopping);
    if (release(t, &report->progress) == STATUS_OK || stopping || report->refused)
        return report->refused ? TENURE_REFUSED : TENURE_RELEASED;
    return t->lost ? TENURE_LOST : TENURE_HELD;
}

static void note_stuck(struct tenure *t) {
    if (!t->stuck)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", t->lease.shard_id),
                  "shard has not turned for %d s: its lease is not renewed", t->stuck_ms / 1000);
    t->stuck = true;
}

enum tenure_outcome tenure_tend(struct tenure *t, const struct tenure_context *context, bool stopping) {
    struct shard_report report;
    shard_read_report(t->shard, &report);
    if (report.finished)
        return settle(t, context, &report, stopping);
    if (t->lost)
        return TENURE_HELD; /* its thread is on its way out */

    int64_t now = clock_boot_ms();
    if (now - report.alive_boot_ms > t->stuck_ms)
        note_stuck(t);
    else if (report.progress.checkpoint != LEASE_SHARD_END && now >= next_write(t, &report.progress))
        renew(t, &report.progress);
    if (!fence_is_open(&t->fence, clock_boot_ms()))
        lose(t, "it could not be renewed in time");
    return TENURE_HELD;
}
