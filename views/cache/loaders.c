/* The cache's threads: those that run loads, and the one that keeps time. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "views/cache/internal.h"

struct loaders {
    cache_load_function *load;
    void *context;

    pthread_mutex_t lock;       /* guards the rest; the cache's lock may be taken under it */
    pthread_cond_t load_queued; /* wakes loaders */
    pthread_cond_t time_needed; /* wakes the timekeeper */
    size_t queued;              /* loads that no loader has been woken for yet */
    bool keeping_time;          /* the timekeeper has something to watch */
    bool stopping;
    pthread_t threads[LIMIT_LOADERS + 1];
    size_t n_threads;
};

/* For a thread that sleeps until there is something to do. */
static void watch_resting(struct pulse *pulse, const char *name) {
    pulse_watch(pulse, name, LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    pulse_rest(pulse);
}

static void wake(struct cache *c, size_t loads) {
    struct loaders *l = c->loaders;
    pthread_mutex_lock(&l->lock);
    l->queued += loads;
    if (loads == 1)
        pthread_cond_signal(&l->load_queued);
    else if (loads)
        pthread_cond_broadcast(&l->load_queued);
    if (!l->keeping_time) {
        l->keeping_time = true;
        pthread_cond_signal(&l->time_needed);
    }
    pthread_mutex_unlock(&l->lock);
}

/* False: stopping. */
static bool wait_for_load(struct loaders *l) {
    pthread_mutex_lock(&l->lock);
    while (!l->queued && !l->stopping)
        pthread_cond_wait(&l->load_queued, &l->lock);
    bool go_on = !l->stopping;
    if (go_on)
        l->queued--;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

static void run(struct cache *c, struct cache_load *load) {
    struct loaders *l = c->loaders;
    struct cache_value *value = NULL;
    struct error error = {0};
    if (l->load(l->context, load->key, load->key_length, load->deadline_ms, &value, &error) != STATUS_OK)
        value = NULL;
    cache_finish(c, load, value, &error, clock_boot_ms());
}

static void *loader_main(void *argument) {
    struct cache *c = argument;
    struct pulse pulse = {0};
    watch_resting(&pulse, "loader");
    while (wait_for_load(c->loaders)) {
        pulse_beat(&pulse, clock_boot_ms());
        struct cache_load *load = cache_take(c, clock_boot_ms());
        if (load) /* NULL: it was given up while it was queued */
            run(c, load);
        pulse_rest(&pulse);
    }
    pulse_unwatch(&pulse);
    return NULL;
}

static void wait_ms(struct loaders *l, int64_t ms) {
    struct timespec end = condition_end(ms);
    while (!l->stopping && pthread_cond_timedwait(&l->time_needed, &l->lock, &end) == 0)
        ;
}

/* Sleeps until there is something to watch, then checks once in `refresh_ms`. */
static void *timekeeper_main(void *argument) {
    struct cache *c = argument;
    struct loaders *l = c->loaders;
    struct pulse pulse = {0};
    watch_resting(&pulse, "loaders' timekeeper");
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        if (!l->keeping_time) {
            pulse_rest(&pulse);
            pthread_cond_wait(&l->time_needed, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        int64_t now_ms = clock_boot_ms();
        pulse_beat(&pulse, now_ms);
        cache_expire(c, now_ms);
        if (cache_is_marked(c))
            cache_refresh(c, now_ms);
        pthread_mutex_lock(&l->lock);
        wait_ms(l, c->options.refresh_ms);
        l->keeping_time = cache_is_loading(c) || cache_is_marked(c);
    }
    pthread_mutex_unlock(&l->lock);
    pulse_unwatch(&pulse);
    return NULL;
}

enum status cache_start(struct cache *c, cache_load_function *load, void *context, struct error *e) {
    struct loaders *l = c->loaders = mem_zalloc(sizeof *l);
    l->load = load;
    l->context = context;
    pthread_mutex_init(&l->lock, NULL);
    condition_init(&l->time_needed);
    pthread_cond_init(&l->load_queued, NULL);
    for (size_t i = 0; i < LIMIT_LOADERS + 1; i++) {
        enum status status = i ? thread_start(&l->threads[i], "loader", loader_main, c, e)
                               : thread_start(&l->threads[i], "load timekeeper", timekeeper_main, c, e);
        if (status) {
            cache_stop(c);
            return status;
        }
        l->n_threads++;
    }
    c->on_work = wake;
    return STATUS_OK;
}

void cache_stop(struct cache *c) {
    struct loaders *l = c->loaders;
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->load_queued);
    pthread_cond_broadcast(&l->time_needed);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    c->on_work = NULL;
    c->loaders = NULL;
    pthread_cond_destroy(&l->load_queued);
    pthread_cond_destroy(&l->time_needed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
