#include "ingest/tenure.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/log.h"
#include "server/base/mem.h"

struct tenure {
    struct store *store;
    struct health *health;
    int failover_ms;
    struct store_lease lease; /* as last acknowledged */
    struct store_lease sent;  /* the last write; with `unanswered` it may be there instead */
    bool unanswered;
    bool lost;
    bool stuck;
    int64_t sent_boot_ms; /* when that was first sent */
    struct fence fence;
    struct shard *shard;
};

struct tenure *tenure_begin(const struct tenure_context *context, const struct store_lease *lease,
                            int64_t sent_boot_ms) {
    struct tenure *t = mem_zalloc(sizeof *t);
    t->store = context->shard.store;
    t->health = context->shard.health;
    t->failover_ms = context->failover_ms;
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

void tenure_free(struct tenure *t) {
    shard_join(t->shard);
    free(t);
}

/* Raises a trouble with the leases, and says so once. */
static void in_trouble(struct tenure *t, const struct error *e) {
    if (health_raise(t->health, "leases", e->message))
        log_write(LOG_LEVEL_WARN,
                  LOG_FIELDS("shard", t->lease.shard_id, "error", e->code, "requestId", e->request_id), "%s",
                  e->message);
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
    health_clear(t->health, "leases");
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
        in_trouble(t, e);
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

static void renew(struct tenure *t, const struct shard_report *report) {
    struct store_lease after = lease_renewed(&t->lease);
    struct error e;
    lease_add_progress(&after, &report->progress);
    write_lease(t, &after, &e);
}

/* ---- the shard's end
 * ------------------------------------------------------------------------------------------------- */

static bool is_parent(const struct source_shard *shard, const char *parent_id) {
    for (size_t i = 0; i < STORE_LEASE_PARENTS; i++)
        if (strcmp(shard->parents[i], parent_id) == 0)
            return true;
    return false;
}

/* The shards that go on after this one: what its last reply named, else what the stream lists. */
static size_t find_children(const struct tenure *t, const struct tenure_context *context,
                            const struct shard_report *report,
                            struct source_shard children[STORE_LEASE_PARENTS]) {
    size_t n = report->n_children;
    memcpy(children, report->children, n * sizeof *children);
    if (n)
        return n;
    for (size_t i = 0; n < STORE_LEASE_PARENTS && i < context->n_listed; i++)
        if (is_parent(&context->listed[i], t->lease.shard_id))
            children[n++] = context->listed[i];
    return n;
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

/* SHARD_END is written after the children's leases are: whoever reads it finds them. */
static enum tenure_outcome end(struct tenure *t, const struct tenure_context *context,
                               const struct shard_report *report, bool stopping) {
    struct source_shard children[STORE_LEASE_PARENTS];
    struct error e;
    size_t n = find_children(t, context, report, children);
    if (!n) {
        const struct lease_progress before = {t->lease.checkpoint, t->lease.position,
                                              report->progress.as_of_ms};
        return release(t, &before) == STATUS_OK ? TENURE_FALSE_END : t->lost ? TENURE_LOST : TENURE_HELD;
    }

    struct store_lease after = lease_released(&t->lease);
    lease_add_progress(&after, &report->progress);
    for (size_t i = 0; i < n; i++)
        strcpy(after.children[i], children[i].id);
    enum status status = create_children(t, children, n, &e);
    if (status)
        in_trouble(t, &e);
    else
        status = write_lease(t, &after, &e);
    if (!status)
        log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", t->lease.shard_id), "shard has ended");
    return !status ? TENURE_ENDED : t->lost ? TENURE_LOST : stopping ? TENURE_RELEASED : TENURE_HELD;
}

/* ---- tending
 * ---------------------------------------------------------------------------------------------------------
 */

static enum tenure_outcome settle(struct tenure *t, const struct tenure_context *context,
                                  const struct shard_report *report, bool stopping) {
    if (t->lost)
        return TENURE_LOST;
    if (report->progress.checkpoint == LEASE_SHARD_END)
        return end(t, context, report, stopping);
    if (release(t, &report->progress) == STATUS_OK || stopping)
        return TENURE_RELEASED;
    return t->lost ? TENURE_LOST : TENURE_HELD;
}

static bool has_progress(const struct tenure *t, const struct lease_progress *progress) {
    return progress->checkpoint != t->lease.checkpoint ||
           (progress->checkpoint == LEASE_AT_POSITION &&
            position_compare(&progress->position, &t->lease.position) != 0);
}

static int64_t next_write(const struct tenure *t, const struct shard_report *report) {
    int64_t interval = t->failover_ms / 3;
    bool soon = t->unanswered ||
                (has_progress(t, &report->progress) && report->progress.checkpoint != LEASE_SHARD_END);
    if (soon && interval > LIMIT_CHECKPOINT_MS)
        interval = LIMIT_CHECKPOINT_MS;
    return t->sent_boot_ms + interval;
}

static void note_stuck(struct tenure *t) {
    if (!t->stuck)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", t->lease.shard_id),
                  "shard has not turned for %d s: its lease is not renewed", LIMIT_SHARD_STUCK_MS / 1000);
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
    if (now - report.alive_boot_ms > LIMIT_SHARD_STUCK_MS)
        note_stuck(t);
    else if (report.progress.checkpoint != LEASE_SHARD_END && now >= next_write(t, &report))
        renew(t, &report);
    if (!fence_is_open(&t->fence, clock_boot_ms()))
        lose(t, "it could not be renewed in time");
    return TENURE_HELD;
}
