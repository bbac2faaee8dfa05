#include "views/cache/loaders.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pulse.h"

struct loaders {
    struct cache *cache;
    loaders_function *load;
    void *context;

    pthread_mutex_t lock; /* guards the rest; a leaf */
    pthread_cond_t work;  /* loaders: there may be a load in the cache */
    pthread_cond_t time;  /* the timekeeper: there may be something to watch */
    size_t jobs;          /* loads that were queued and that no loader has looked for yet */
    bool awake;           /* the timekeeper has something to watch */
    bool stopping;
    pthread_t threads[LIMIT_LOADERS + 1];
    size_t n_threads;
};

/* A loader's or the timekeeper's, from its first turn to its last; it rests until there is something to do.
 */
static void begin_turning(struct pulse *pulse, const char *name) {
    pulse_watch(pulse, name, LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    pulse_rest(pulse);
}

static void on_work(void *context, size_t jobs) {
    struct loaders *l = context;
    pthread_mutex_lock(&l->lock);
    l->jobs += jobs;
    if (jobs == 1)
        pthread_cond_signal(&l->work);
    else if (jobs)
        pthread_cond_broadcast(&l->work);
    if (!l->awake) {
        l->awake = true;
        pthread_cond_signal(&l->time);
    }
    pthread_mutex_unlock(&l->lock);
}

static bool wait_for_job(struct loaders *l) {
    pthread_mutex_lock(&l->lock);
    while (!l->jobs && !l->stopping)
        pthread_cond_wait(&l->work, &l->lock);
    bool go_on = !l->stopping;
    if (go_on)
        l->jobs--;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

static void run(struct loaders *l, struct cache_load *load) {
    struct cache_value *value = NULL;
    struct error error = {0};
    if (l->load(l->context, load->key, load->key_length, load->deadline_ms, &value, &error) != STATUS_OK)
        value = NULL;
    cache_finish(l->cache, load, value, &error, clock_boot_ms());
}

static void *loader_main(void *argument) {
    struct loaders *l = argument;
    struct pulse pulse = {0};
    begin_turning(&pulse, "loader");
    while (wait_for_job(l)) {
        pulse_beat(&pulse, clock_boot_ms());
        struct cache_load *load = cache_take(l->cache, clock_boot_ms());
        if (load) /* NULL: it was given up while it waited */
            run(l, load);
        pulse_rest(&pulse);
    }
    pulse_unwatch(&pulse);
    return NULL;
}

static void wait_ms(struct loaders *l, int64_t ms) {
    struct timespec end = condition_end(ms);
    while (!l->stopping && pthread_cond_timedwait(&l->time, &l->lock, &end) == 0)
        ;
}

/* Sleeps until there is something to watch, then one tick after each look. */
static void *timekeeper_main(void *argument) {
    struct loaders *l = argument;
    struct pulse pulse = {0};
    begin_turning(&pulse, "loaders' timekeeper");
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        if (!l->awake) {
            pulse_rest(&pulse);
            pthread_cond_wait(&l->time, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        int64_t now_ms = clock_boot_ms();
        pulse_beat(&pulse, now_ms);
        cache_expire(l->cache, now_ms);
        if (cache_is_marked(l->cache))
            cache_refresh(l->cache, now_ms);
        pthread_mutex_lock(&l->lock);
        wait_ms(l, cache_refresh_ms(l->cache));
        l->awake = cache_is_loading(l->cache) || cache_is_marked(l->cache);
    }
    pthread_mutex_unlock(&l->lock);
    pulse_unwatch(&pulse);
    return NULL;
}

struct loaders *loaders_new(struct cache *cache, loaders_function *load, void *context, struct error *e) {
    struct loaders *l = mem_zalloc(sizeof *l);
    l->cache = cache;
    l->load = load;
    l->context = context;
    pthread_mutex_init(&l->lock, NULL);
    condition_init(&l->time);
    pthread_cond_init(&l->work, NULL);
    for (size_t i = 0; i < LIMIT_LOADERS + 1; i++) {
        int code = pthread_create(&l->threads[i], NULL, i ? loader_main : timekeeper_main, l);
        if (code) {
            error_set(e, STATUS_FAILED, "cannot start a loader thread: %s", strerror(code));
            loaders_free(l);
            return NULL;
        }
        l->n_threads++;
    }
    cache_on_work(cache, on_work, l);
    return l;
}

void loaders_free(struct loaders *l) {
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->work);
    pthread_cond_broadcast(&l->time);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    cache_on_work(l->cache, NULL, NULL);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->time);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
