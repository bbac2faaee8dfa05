#include "ingest/leases/shard_lister.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/thread.h"

struct shard_lister {
    struct source *source;
    struct health *health;
    int64_t interval_ms;
    struct waker *listed;
    pthread_t thread;
    struct waker waker;
    struct pulse pulse;
    atomic_bool stopping, asked, refused;

    pthread_mutex_t lock;       /* guards the listing; a leaf */
    struct shard_listing fresh; /* until it is taken */
};

void shard_listing_deinit(struct shard_listing *listing) {
    free(listing->shards);
    *listing = (struct shard_listing){0};
}

static void keep(struct shard_lister *l, struct shard_listing *listing) {
    pthread_mutex_lock(&l->lock);
    struct shard_listing old = l->fresh;
    l->fresh = *listing;
    pthread_mutex_unlock(&l->lock);
    shard_listing_deinit(&old);
    waker_wake(l->listed);
}

/* False if it failed, or listed no shards. */
static bool list(struct shard_lister *l) {
    struct shard_listing listing = {.began_ms = clock_boot_ms()};
    struct error e;
    enum status status = source_list_shards(l->source, -1, &listing.shards, &listing.n, &e);
    size_t n = status ? 0 : listing.n;
    if (!status) {
        health_clear(l->health, "source");
        keep(l, &listing);
    } else if (health_raise_kind(l->health, "source", e.code, e.message, clock_real_ms(), clock_boot_ms())) {
        log_write(status == STATUS_INVALID ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
                  LOG_FIELDS("error", e.code, "requestId", e.request_id), "%s", e.message);
    }
    if (status == STATUS_INVALID) {
        atomic_store(&l->refused, true);
        waker_wake(l->listed);
    }
    return !status && n;
}

static void wait_until(struct shard_lister *l, int64_t due_ms) {
    while (!atomic_load(&l->stopping) && !atomic_exchange(&l->asked, false) && clock_boot_ms() < due_ms)
        waker_wait(&l->waker, due_ms, -1);
}

static void *shard_lister_run(void *data) {
    struct shard_lister *l = data;
    pulse_watch(&l->pulse, "lister", LIMIT_LISTING_STUCK_MS, clock_boot_ms());
    while (!atomic_load(&l->stopping)) {
        pulse_beat(&l->pulse, clock_boot_ms());
        int64_t pause_ms = list(l) ? l->interval_ms : LIMIT_CHECKPOINT_MS;
        wait_until(l, clock_boot_ms() + pause_ms);
    }
    pulse_unwatch(&l->pulse);
    return NULL;
}

struct shard_lister *shard_lister_start(struct source *source, struct health *health, int64_t interval_ms,
                                        struct waker *listed) {
    struct shard_lister *l = mem_zalloc(sizeof *l);
    l->source = source;
    l->health = health;
    l->interval_ms = interval_ms;
    l->listed = listed;
    pthread_mutex_init(&l->lock, NULL);
    waker_init(&l->waker);
    thread_must_start(&l->thread, "shard lister", shard_lister_run, l);
    return l;
}

void shard_lister_ask(struct shard_lister *l) {
    atomic_store(&l->asked, true);
    waker_wake(&l->waker);
}

bool shard_lister_take(struct shard_lister *l, struct shard_listing *last, struct shard_listing *before) {
    pthread_mutex_lock(&l->lock);
    struct shard_listing fresh = l->fresh;
    l->fresh = (struct shard_listing){0};
    pthread_mutex_unlock(&l->lock);
    if (!fresh.began_ms)
        return false;
    shard_listing_deinit(before);
    *before = *last;
    *last = fresh;
    return true;
}

bool shard_lister_is_refused(const struct shard_lister *l) {
    return atomic_load(&l->refused);
}

void shard_lister_stop(struct shard_lister *l) {
    atomic_store(&l->stopping, true);
    waker_wake(&l->waker);
}

void shard_lister_free(struct shard_lister *l) {
    if (!l)
        return;
    shard_lister_stop(l);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->lock);
    waker_deinit(&l->waker);
    shard_listing_deinit(&l->fresh);
    free(l);
}
