#include "ingest/leases/lease_writers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/thread.h"

struct writer {
    struct lease_writers *pool;
    pthread_t thread;
    struct pulse pulse;
    struct writer *next; /* of those that have ended */
};

struct lease_writers {
    int max;

    pthread_mutex_t lock; /* guards all below; a leaf */
    pthread_cond_t added; /* or closed */
    pthread_cond_t done;  /* no call is left, or a thread has ended */
    struct lease_call *first, **end;
    int queued, idle, running; /* calls; threads without one; threads */
    bool closed;
    struct writer *ended; /* to be joined */
};

struct lease_writers *lease_writers_new(int max) {
    struct lease_writers *w = mem_zalloc(sizeof *w);
    w->max = max;
    w->end = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    condition_init(&w->added);
    condition_init(&w->done);
    return w;
}

static struct lease_call *take_first(struct lease_writers *w) {
    struct lease_call *call = w->first;
    w->first = call->next;
    if (!w->first)
        w->end = &w->first;
    w->queued--;
    return call;
}

/* Under the lock. NULL: the thread has been idle for long, or none is left and none can be added. */
static struct lease_call *next_call(struct lease_writers *w) {
    const struct timespec end = condition_end(LIMIT_LEASE_WRITER_IDLE_MS);
    bool in_time = true;
    w->idle++;
    if (w->idle == w->running && !w->first)
        pthread_cond_broadcast(&w->done);
    while (!w->first && !w->closed && in_time)
        in_time = pthread_cond_timedwait(&w->added, &w->lock, &end) == 0;
    w->idle--;
    return w->first ? take_first(w) : NULL;
}

static void *writer_run(void *data) {
    struct writer *self = data;
    struct lease_writers *w = self->pool;
    pulse_watch(&self->pulse, "lease writer", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    pthread_mutex_lock(&w->lock);
    for (struct lease_call *call; (call = next_call(w));) {
        pthread_mutex_unlock(&w->lock);
        pulse_beat(&self->pulse, clock_boot_ms());
        call->run(call);
        pulse_beat(&self->pulse, clock_boot_ms());
        pthread_mutex_lock(&w->lock);
    }
    w->running--;
    self->next = w->ended;
    self->thread = pthread_self();
    w->ended = self;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
    pulse_unwatch(&self->pulse);
    return NULL;
}

static void join_all(struct writer *ended) {
    while (ended) {
        struct writer *writer = ended;
        ended = writer->next;
        pthread_join(writer->thread, NULL);
        free(writer);
    }
}

/* The calls wait for the threads that run. Without any they would wait for ever. */
static void go_on_without(struct lease_writers *w, const struct error *e) {
    pthread_mutex_lock(&w->lock);
    w->running--;
    bool is_hopeless = w->first && !w->running;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
    if (is_hopeless)
        mem_abort(e->message);
}

static void start_thread(struct lease_writers *w) {
    struct writer *writer = mem_zalloc(sizeof *writer);
    pthread_t thread;
    struct error e;
    writer->pool = w;
    if (thread_start(&thread, "lease writer", writer_run, writer, &e)) {
        free(writer);
        go_on_without(w, &e);
    }
}

void lease_writers_add(struct lease_writers *w, struct lease_call *call) {
    pthread_mutex_lock(&w->lock);
    call->next = NULL;
    *w->end = call;
    w->end = &call->next;
    w->queued++;
    bool starts = w->queued > w->idle && w->running < w->max;
    w->running += starts;
    struct writer *ended = w->ended;
    w->ended = NULL;
    pthread_cond_signal(&w->added);
    pthread_mutex_unlock(&w->lock);
    join_all(ended);
    if (starts)
        start_thread(w);
}

void lease_writers_wait(struct lease_writers *w) {
    pthread_mutex_lock(&w->lock);
    while (w->first || w->idle < w->running)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void lease_writers_free(struct lease_writers *w) {
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    pthread_cond_broadcast(&w->added);
    while (w->running)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    join_all(w->ended);
    pthread_cond_destroy(&w->added);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
