#include "ingest/leases/lease_cleanup.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "base/waker.h"

static struct metrics_family forgotten_family = {
    .name = "winner_view_shards_forgotten_total",
    .help = "Long-gone shards whose watermarks were shrunk and whose lease was deleted.",
    .kind = METRICS_COUNTER,
};

struct lease_cleanup {
    struct lease_cleanup_options options;
    pthread_t thread;
    struct waker waker;
    atomic_bool stopping;
    atomic_bool busy;               /* while true, `lease` is the thread's, else the caller's of offer */
    _Atomic int64_t rests_until_ms; /* after a failure */

    struct store_lease lease; /* as offered, then as last written */
    struct fence fence;
    int64_t renew_ms;
};

static enum status write_lease(struct lease_cleanup *c, const struct store_lease *after, struct error *e) {
    int64_t now = clock_boot_ms();
    const struct fence *fence = c->renew_ms ? &c->fence : NULL; /* none yet when it is taken */
    struct store_lease found;
    enum status status = store_update_lease(c->options.store, &c->lease, after, fence, &found, e);
    if (status == STATUS_CONFLICT && lease_is_same(&found, after))
        status = STATUS_OK;
    if (status)
        return status;
    c->lease = *after;
    c->renew_ms = now + c->options.failover_ms / 3;
    fence_open_until(&c->fence, now + c->options.failover_ms);
    return STATUS_OK;
}

static enum status take(struct lease_cleanup *c, struct error *e) {
    char tenure[33];
    lease_draw_tenure(c->options.run_id, tenure);
    const struct store_lease taken = lease_taken(&c->lease, c->options.worker, tenure);
    c->renew_ms = 0;
    return write_lease(c, &taken, e);
}

static enum status renew_if_due(struct lease_cleanup *c, struct error *e) {
    if (clock_boot_ms() < c->renew_ms)
        return STATUS_OK;
    const struct store_lease after = lease_renewed(&c->lease);
    return write_lease(c, &after, e);
}

static void release(struct lease_cleanup *c) {
    const struct store_lease after = lease_released(&c->lease);
    struct error ignored; /* it expires by itself */
    write_lease(c, &after, &ignored);
}

static void pause_for(struct lease_cleanup *c, int ms) {
    int64_t until_ms = clock_boot_ms() + ms;
    while (!atomic_load(&c->stopping) && clock_boot_ms() < until_ms)
        waker_wait(&c->waker, until_ms, -1);
}

/* A step that fails with RETRY is repeated for as long as the lease is held. */
static enum status shrink(struct lease_cleanup *c, struct error *e) {
    _cleanup_(store_shrinking_deinit) struct store_shrinking shrinking = {0};
    while (!shrinking.done && !atomic_load(&c->stopping)) {
        enum status status = renew_if_due(c, e);
        if (!status)
            status = store_shrink_watermarks(c->options.store, c->lease.shard_id, &c->fence, &shrinking, e);
        if (status && (status != STATUS_RETRY || !fence_is_open(&c->fence, clock_boot_ms())))
            return status;
        if (!shrinking.done)
            pause_for(c, c->options.pause_ms);
    }
    return STATUS_OK;
}

static void clean_up(struct lease_cleanup *c) {
    struct error e = {0};
    enum status status = take(c, &e);
    if (status == STATUS_CONFLICT)
        return; /* another worker was first */
    if (!status)
        status = shrink(c, &e);
    if (!status && atomic_load(&c->stopping)) {
        release(c);
        return;
    }
    if (!status)
        status = store_delete_lease(c->options.store, &c->lease, &c->fence, &e);
    if (status) {
        log_write(LOG_LEVEL_WARN,
                  LOG_FIELDS("shard", c->lease.shard_id, "error", e.code, "requestId", e.request_id),
                  "cannot clean up after a shard that is long gone, will try again later: %s", e.message);
        atomic_store(&c->rests_until_ms, clock_boot_ms() + LIMIT_SHRINK_AGAIN_MS);
        return;
    }
    metrics_count(&forgotten_family, (const char *const[]){NULL}, 1);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", c->lease.shard_id),
              "cleaned up after a shard that is long gone");
}

static void *lease_cleanup_run(void *data) {
    struct lease_cleanup *c = data;
    while (!atomic_load(&c->stopping)) {
        if (atomic_load(&c->busy)) {
            clean_up(c);
            atomic_store(&c->busy, false);
        } else {
            waker_wait(&c->waker, clock_boot_ms() + LIMIT_LIST_SHARDS_MS, -1);
        }
    }
    return NULL;
}

struct lease_cleanup *lease_cleanup_start(const struct lease_cleanup_options *options) {
    struct lease_cleanup *c = mem_zalloc(sizeof *c);
    c->options = *options;
    waker_init(&c->waker);
    thread_must_start(&c->thread, "lease cleanup", lease_cleanup_run, c);
    return c;
}

bool lease_cleanup_offer(struct lease_cleanup *c, const struct store_lease *lease) {
    if (atomic_load(&c->busy) || clock_boot_ms() < atomic_load(&c->rests_until_ms))
        return false;
    c->lease = *lease;
    atomic_store(&c->busy, true);
    waker_wake(&c->waker);
    return true;
}

void lease_cleanup_stop(struct lease_cleanup *c) {
    atomic_store(&c->stopping, true);
    waker_wake(&c->waker);
}

void lease_cleanup_free(struct lease_cleanup *c) {
    if (!c)
        return;
    lease_cleanup_stop(c);
    pthread_join(c->thread, NULL);
    waker_deinit(&c->waker);
    free(c);
}
