#include "ingest/leases/lease_cleanup.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "base/waker.h"

static struct metrics_family forgotten_family = {
    .name = "winner_view_shards_forgotten_total",
    .help = "Long-gone shards whose watermarks were removed and whose lease was deleted.",
    .kind = METRICS_COUNTER,
};

struct lease_cleanup {
    struct store *store;
    struct service_clock *clock;
    pthread_t thread;
    struct waker waker;
    struct pulse pulse;
    atomic_bool stopping;
    atomic_bool busy;               /* while true, `leases` is the thread's, else the caller's of offer */
    _Atomic int64_t rests_until_ms; /* CLOCK_BOOTTIME */
    struct store_lease *leases;
    size_t n_leases;
};

/* A store_pacer's. The loop turns while it waits. */
static bool pause_for(void *data, int ms) {
    struct lease_cleanup *c = data;
    int64_t until_ms = clock_boot_ms() + ms;
    while (!atomic_load(&c->stopping) && clock_boot_ms() < until_ms) {
        pulse_beat(&c->pulse, clock_boot_ms());
        waker_wait(&c->waker, until_ms, -1);
    }
    return !atomic_load(&c->stopping);
}

/* As it is stored. Unknown if only our own clock is known: it proves nothing. */
static int64_t service_time(const struct lease_cleanup *c) {
    return service_clock_is_local(c->clock) ? SERVICE_CLOCK_UNKNOWN
                                            : service_clock_tell(c->clock, service_clock_now(c->clock));
}

/* A conflict: another worker was first. */
static enum status note_end(struct lease_cleanup *c, const struct store_lease *lease, int64_t now_ms,
                            struct error *e) {
    struct store_lease after = lease_renewed(lease), found;
    after.ended_at_ms = now_ms;
    pulse_beat(&c->pulse, clock_boot_ms());
    enum status status = store_update_lease(c->store, lease, &after, NULL, &found, e);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

/* Moves the leases of shards that are long gone to the front, `*n_gone` of them. Notes the end of the others.
 */
static enum status sort_out(struct lease_cleanup *c, int64_t now_ms, size_t *n_gone, struct error *e) {
    enum status status = STATUS_OK;
    *n_gone = 0;
    for (size_t i = 0; !status && i < c->n_leases && !atomic_load(&c->stopping); i++) {
        const struct store_lease *lease = &c->leases[i];
        bool is_gone = !store_has_watermarks(c->store) ||
                       (lease->ended_at_ms && now_ms - lease->ended_at_ms >= LIMIT_CLEANUP_INTERVAL_MS);
        if (is_gone)
            c->leases[(*n_gone)++] = *lease;
        else if (!lease->ended_at_ms)
            status = note_end(c, lease, now_ms, e);
    }
    return status;
}

static enum status remove_watermarks(struct lease_cleanup *c, size_t n, int64_t now_ms, struct error *e) {
    const struct store_pacer pacer = {pause_for, c, &c->pulse};
    if (!store_has_watermarks(c->store))
        return STATUS_OK;
    _cleanup_(mem_freep) const char **shard_ids = mem_alloc(n * sizeof *shard_ids);
    for (size_t i = 0; i < n; i++)
        shard_ids[i] = c->leases[i].shard_id;
    return store_remove_watermarks(c->store, shard_ids, n, now_ms, &pacer, e);
}

/* A conflict: it was written since it was read, by no worker of ours. */
static enum status delete_leases(struct lease_cleanup *c, size_t n, struct error *e) {
    enum status status = STATUS_OK;
    int64_t deleted = 0;
    for (size_t i = 0; i < n && !atomic_load(&c->stopping) && (!status || status == STATUS_CONFLICT); i++) {
        pulse_beat(&c->pulse, clock_boot_ms());
        status = store_delete_lease(c->store, &c->leases[i], NULL, e);
        deleted += status == STATUS_OK;
    }
    metrics_count(&forgotten_family, (const char *const[]){NULL}, deleted);
    if (deleted)
        log_info("cleaned up after %" PRId64 " shards that are long gone", deleted);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

static enum status clean_up(struct lease_cleanup *c, struct error *e) {
    int64_t now_ms = service_time(c);
    size_t n;
    if (now_ms == SERVICE_CLOCK_UNKNOWN && store_has_watermarks(c->store))
        return STATUS_OK;
    enum status status = sort_out(c, now_ms, &n, e);
    if (status || !n || atomic_load(&c->stopping))
        return status;
    status = remove_watermarks(c, n, now_ms, e);
    return status ? status : delete_leases(c, n, e);
}

static void clean_up_and_rest(struct lease_cleanup *c) {
    struct error e;
    enum status status = clean_up(c, &e);
    if (status)
        atomic_store(&c->rests_until_ms, clock_boot_ms() + LIMIT_CLEANUP_REST_MS);
    if (status && status != STATUS_CONFLICT && !atomic_load(&c->stopping))
        log_write(LOG_LEVEL_WARN, LOG_FIELDS("error", e.code, "requestId", e.request_id),
                  "cannot clean up after shards that are long gone, trying again later: %s", e.message);
}

static void *lease_cleanup_run(void *data) {
    struct lease_cleanup *c = data;
    pulse_watch(&c->pulse, "lease cleanup", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    while (!atomic_load(&c->stopping)) {
        pulse_beat(&c->pulse, clock_boot_ms());
        if (atomic_load(&c->busy)) {
            clean_up_and_rest(c);
            free(c->leases);
            c->leases = NULL;
            atomic_store(&c->busy, false);
        } else {
            waker_wait(&c->waker, clock_boot_ms() + LIMIT_LIST_SHARDS_MS, -1);
        }
    }
    pulse_unwatch(&c->pulse);
    return NULL;
}

struct lease_cleanup *lease_cleanup_start(struct store *store, struct service_clock *clock) {
    struct lease_cleanup *c = mem_zalloc(sizeof *c);
    c->store = store;
    c->clock = clock;
    waker_init(&c->waker);
    thread_must_start(&c->thread, "lease cleanup", lease_cleanup_run, c);
    return c;
}

bool lease_cleanup_is_free(const struct lease_cleanup *c) {
    return !atomic_load(&c->busy) && clock_boot_ms() >= atomic_load(&c->rests_until_ms);
}

void lease_cleanup_offer(struct lease_cleanup *c, struct store_lease *leases, size_t n) {
    if (!n || !lease_cleanup_is_free(c)) {
        free(leases);
        return;
    }
    c->leases = leases;
    c->n_leases = n;
    atomic_store(&c->busy, true);
    waker_wake(&c->waker);
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
    free(c->leases);
    free(c);
}
