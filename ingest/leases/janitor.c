#include "ingest/leases/janitor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/waker.h"

static struct metrics_family forgotten_family = {
    .name = "winner_view_shards_forgotten_total",
    .help = "Long-gone shards whose watermarks were shrunk and whose lease was deleted.",
    .kind = METRICS_COUNTER,
};

struct janitor {
    struct janitor_options options;
    pthread_t thread;
    struct waker waker;
    atomic_bool stopping;
    atomic_bool busy; /* set with `lease` by who offers, cleared by the thread: whose turn it is */
    _Atomic int64_t rests_until_ms; /* after a failure */

    struct store_lease lease; /* as offered, then as last written */
    struct fence fence;
    int64_t renew_ms;
};

/* ---- its lease
 * ------------------------------------------------------------------------------------------------------ */

static enum status write_lease(struct janitor *j, const struct store_lease *after, struct error *e) {
    int64_t now = clock_boot_ms();
    const struct fence *fence = j->renew_ms ? &j->fence : NULL; /* none yet when it is taken */
    struct store_lease found;
    enum status status = store_update_lease(j->options.store, &j->lease, after, fence, &found, e);
    if (status == STATUS_CONFLICT && lease_is_same(&found, after))
        status = STATUS_OK;
    if (status)
        return status;
    j->lease = *after;
    j->renew_ms = now + j->options.failover_ms / 3;
    fence_open_until(&j->fence, now + j->options.failover_ms);
    return STATUS_OK;
}

static enum status take(struct janitor *j, struct error *e) {
    char tenure[33];
    lease_draw_tenure(j->options.life, tenure);
    const struct store_lease taken = lease_taken(&j->lease, j->options.worker, tenure);
    j->renew_ms = 0;
    return write_lease(j, &taken, e);
}

static enum status renew_if_due(struct janitor *j, struct error *e) {
    if (clock_boot_ms() < j->renew_ms)
        return STATUS_OK;
    const struct store_lease after = lease_renewed(&j->lease);
    return write_lease(j, &after, e);
}

static void release(struct janitor *j) {
    const struct store_lease after = lease_released(&j->lease);
    struct error ignored; /* it expires by itself */
    write_lease(j, &after, &ignored);
}

/* ---- forgetting
 * ----------------------------------------------------------------------------------------------------- */

static void pause_for(struct janitor *j, int ms) {
    int64_t until_ms = clock_boot_ms() + ms;
    while (!atomic_load(&j->stopping) && clock_boot_ms() < until_ms)
        waker_wait(&j->waker, until_ms, -1);
}

/* A step that fails for now is made again, as long as the lease can be kept. */
static enum status shrink(struct janitor *j, struct error *e) {
    _cleanup_(store_shrinking_deinit) struct store_shrinking shrinking = {0};
    while (!shrinking.done && !atomic_load(&j->stopping)) {
        enum status status = renew_if_due(j, e);
        if (!status)
            status = store_shrink_watermarks(j->options.store, j->lease.shard_id, &j->fence, &shrinking, e);
        if (status && (status != STATUS_RETRY || !fence_is_open(&j->fence, clock_boot_ms())))
            return status;
        if (!shrinking.done)
            pause_for(j, j->options.pause_ms);
    }
    return STATUS_OK;
}

static void forget(struct janitor *j) {
    struct error e = {0};
    enum status status = take(j, &e);
    if (status == STATUS_CONFLICT)
        return; /* another worker was first */
    if (!status)
        status = shrink(j, &e);
    if (!status && atomic_load(&j->stopping)) {
        release(j);
        return;
    }
    if (!status)
        status = store_delete_lease(j->options.store, &j->lease, &j->fence, &e);
    if (status) {
        log_write(LOG_LEVEL_WARN,
                  LOG_FIELDS("shard", j->lease.shard_id, "error", e.code, "requestId", e.request_id),
                  "cannot forget a shard that is long gone, will try again later: %s", e.message);
        atomic_store(&j->rests_until_ms, clock_boot_ms() + LIMIT_SHRINK_AGAIN_MS);
        return;
    }
    metrics_count(&forgotten_family, (const char *const[]){NULL}, 1);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", j->lease.shard_id),
              "shard is long gone from the stream, and forgotten");
}

static void *janitor_run(void *data) {
    struct janitor *j = data;
    while (!atomic_load(&j->stopping)) {
        if (atomic_load(&j->busy)) {
            forget(j);
            atomic_store(&j->busy, false);
        } else {
            waker_wait(&j->waker, clock_boot_ms() + LIMIT_LIST_SHARDS_MS, -1);
        }
    }
    return NULL;
}

/* ---- from outside
 * --------------------------------------------------------------------------------------------------- */

struct janitor *janitor_start(const struct janitor_options *options) {
    struct janitor *j = mem_zalloc(sizeof *j);
    j->options = *options;
    waker_init(&j->waker);
    if (pthread_create(&j->thread, NULL, janitor_run, j) != 0)
        mem_exhausted(); /* out of threads is out of memory */
    return j;
}

bool janitor_offer(struct janitor *j, const struct store_lease *lease) {
    if (atomic_load(&j->busy) || clock_boot_ms() < atomic_load(&j->rests_until_ms))
        return false;
    j->lease = *lease;
    atomic_store(&j->busy, true);
    waker_wake(&j->waker);
    return true;
}

void janitor_stop(struct janitor *j) {
    atomic_store(&j->stopping, true);
    waker_wake(&j->waker);
}

void janitor_free(struct janitor *j) {
    if (!j)
        return;
    janitor_stop(j);
    pthread_join(j->thread, NULL);
    waker_deinit(&j->waker);
    free(j);
}
