#include "ingest/leases/lease_keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "ingest/leases/hierarchy.h"
#include "ingest/leases/lease_writers.h"

struct holding {
    struct lease_call call; /* first: makes the writes that are due */
    struct lease_keeper *keeper;
    struct held_lease *lease;
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    atomic_bool is_busy;             /* a writer uses the lease and the outcome */
    enum held_lease_outcome outcome; /* of its last turn */
    int64_t not_before_ms;           /* the next turn, if the last one achieved nothing */
    bool is_over;                    /* the lease is not ours any more; its thread is ending */
    bool is_stopped;                 /* its shard is to finish */
    int64_t rests_until_ms;          /* the lease is not taken again before */
    struct holding *next;
};

struct lease_keeper {
    struct lease_keeper_options options;
    struct lease_writers *writers;
    pthread_t thread;
    struct waker waker; /* a shard has finished, a write has ended, or one of these was set: */
    atomic_bool releases, stopping, closed;
    struct pulse pulse;

    /* Oldest first. Only the keeper's thread changes the list, under the lock. So that thread reads it
     * without the lock; others take the lock. */
    struct holding *holdings, **end;

    pthread_mutex_t lock;  /* guards all below; a leaf */
    struct holding *added; /* newest first */
    const struct source_shard *listed;
    size_t n_listed;
    int64_t answered_ms;     /* when the last write that was acknowledged was sent */
    int64_t silent_until_ms; /* the end of the last failover time without one */
};

static size_t list_children(void *data, const char *shard_id,
                            struct source_shard children[STORE_LEASE_PARENTS]) {
    struct lease_keeper *k = data;
    pthread_mutex_lock(&k->lock);
    const struct hierarchy h = {.listed = k->listed, .n_listed = k->n_listed};
    size_t n = hierarchy_children(&h, shard_id, children);
    pthread_mutex_unlock(&k->lock);
    return n;
}

void lease_keeper_set_listing(struct lease_keeper *k, const struct source_shard *shards, size_t n) {
    pthread_mutex_lock(&k->lock);
    k->listed = shards;
    k->n_listed = n;
    pthread_mutex_unlock(&k->lock);
}

static bool is_silence(const struct lease_keeper *k, int64_t until_ms) {
    return until_ms - k->answered_ms >= k->options.failover_ms;
}

static void note_answer(struct lease_keeper *k, int64_t sent_ms) {
    pthread_mutex_lock(&k->lock);
    if (is_silence(k, sent_ms))
        k->silent_until_ms = sent_ms;
    if (sent_ms > k->answered_ms)
        k->answered_ms = sent_ms;
    pthread_mutex_unlock(&k->lock);
}

bool lease_keeper_was_answered(struct lease_keeper *k, int64_t since_ms) {
    pthread_mutex_lock(&k->lock);
    bool answered = k->silent_until_ms < since_ms && !is_silence(k, clock_boot_ms());
    pthread_mutex_unlock(&k->lock);
    return answered;
}

/* On a writer's thread. A lease that stays due because its writes fail, or because its shard hangs, has its
 * next turn after a pause: else its turns would follow each other without end. */
static void write_due(struct lease_call *call) {
    struct holding *h = (struct holding *)call;
    struct lease_keeper *k = h->keeper;
    int64_t before_ms = held_lease_acknowledged_ms(h->lease);
    h->outcome = held_lease_write_due(h->lease, atomic_load(&k->stopping));
    int64_t acknowledged_ms = held_lease_acknowledged_ms(h->lease);
    note_answer(k, acknowledged_ms);
    bool is_futile = acknowledged_ms == before_ms && held_lease_is_due(h->lease);
    h->not_before_ms = is_futile ? clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4 : 0;
    atomic_store(&h->is_busy, false); /* from here on the keeper may free it */
    waker_wake(&k->waker);
}

void lease_keeper_add(struct lease_keeper *k, const struct held_lease_context *context,
                      const struct store_lease *lease, int64_t sent_boot_ms) {
    struct held_lease_context complete = *context;
    struct holding *h = mem_zalloc(sizeof *h);
    complete.shard.done = &k->waker;
    complete.list_children = list_children;
    complete.list_data = k;
    h->call.run = write_due;
    h->keeper = k;
    strcpy(h->shard_id, lease->shard_id);
    h->lease = held_lease_start(&complete, lease, sent_boot_ms);
    pthread_mutex_lock(&k->lock);
    h->next = k->added;
    k->added = h;
    pthread_mutex_unlock(&k->lock);
    waker_wake(&k->waker);
}

static void mark_list(const struct holding *list, const struct store_lease *leases, size_t n, bool *held) {
    for (const struct holding *h = list; h; h = h->next) {
        const struct store_lease *lease = lease_find(leases, n, h->shard_id);
        if (lease)
            held[lease - leases] = true;
    }
}

void lease_keeper_mark(struct lease_keeper *k, const struct store_lease *leases, size_t n, bool *held) {
    memset(held, 0, n * sizeof *held);
    pthread_mutex_lock(&k->lock);
    mark_list(k->holdings, leases, n, held);
    mark_list(k->added, leases, n, held);
    pthread_mutex_unlock(&k->lock);
}

static void move_added(struct lease_keeper *k) {
    pthread_mutex_lock(&k->lock);
    while (k->added) {
        struct holding *h = k->added;
        k->added = h->next;
        h->next = NULL;
        *k->end = h;
        k->end = &h->next;
    }
    pthread_mutex_unlock(&k->lock);
}

static void stop_shards(struct lease_keeper *k) {
    bool releases = atomic_exchange(&k->releases, false);
    if (!releases && !atomic_load(&k->stopping))
        return;
    for (struct holding *h = k->holdings; h; h = h->next) {
        if (!h->is_stopped)
            held_lease_stop(h->lease);
        h->is_stopped = true;
    }
}

static void note_outcome(struct lease_keeper *k, struct holding *h) {
    h->is_over = true;
    if (h->outcome == HELD_LEASE_FALSE_END)
        h->rests_until_ms = clock_boot_ms() + k->options.rest_ms;
    k->options.on_outcome(k->options.data, h->outcome);
}

static bool can_be_dropped(const struct lease_keeper *k, const struct holding *h) {
    bool rests = !atomic_load(&k->stopping) && clock_boot_ms() < h->rests_until_ms;
    return h->is_over && !rests && held_lease_can_be_freed(h->lease);
}

/* While it is in the list, the lease is not taken again: its end clears the shard's troubles, which a new
 * shard may have raised. */
static void drop(struct lease_keeper *k, struct holding **at) {
    struct holding *h = *at;
    held_lease_free(h->lease);
    pthread_mutex_lock(&k->lock);
    *at = h->next;
    if (!h->next)
        k->end = at;
    pthread_mutex_unlock(&k->lock);
    free(h);
}

/* Notes an outcome, or hands the lease to a writer. No writer uses it now. */
static void check(struct lease_keeper *k, struct holding *h) {
    if (!h->is_over && h->outcome != HELD_LEASE_KEPT)
        note_outcome(k, h);
    if (h->is_over || clock_boot_ms() < h->not_before_ms || !held_lease_is_due(h->lease))
        return;
    atomic_store(&h->is_busy, true);
    lease_writers_add(k->writers, &h->call);
}

static void check_all(struct lease_keeper *k) {
    move_added(k);
    stop_shards(k);
    for (struct holding **at = &k->holdings; *at;) {
        struct holding *h = *at;
        bool is_busy = atomic_load(&h->is_busy);
        if (!is_busy)
            check(k, h);
        if (!is_busy && can_be_dropped(k, h))
            drop(k, at);
        else
            at = &h->next;
    }
}

static void *lease_keeper_run(void *data) {
    struct lease_keeper *k = data;
    pulse_watch(&k->pulse, "lease keeper", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    for (bool is_last = false; !is_last || k->holdings;) {
        pulse_beat(&k->pulse, clock_boot_ms());
        is_last = atomic_load(&k->closed); /* read first: then all that were added have been seen */
        check_all(k);
        if (!is_last || k->holdings)
            waker_wait(&k->waker, clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4, -1);
    }
    pulse_unwatch(&k->pulse);
    return NULL;
}

struct lease_keeper *lease_keeper_start(const struct lease_keeper_options *options) {
    struct lease_keeper *k = mem_zalloc(sizeof *k);
    k->options = *options;
    k->writers = lease_writers_new(LIMIT_LEASE_WRITES);
    k->end = &k->holdings;
    waker_init(&k->waker);
    pthread_mutex_init(&k->lock, NULL);
    thread_must_start(&k->thread, "lease keeper", lease_keeper_run, k);
    return k;
}

void lease_keeper_release(struct lease_keeper *k) {
    atomic_store(&k->releases, true);
    waker_wake(&k->waker);
}

void lease_keeper_stop(struct lease_keeper *k) {
    atomic_store(&k->stopping, true);
    waker_wake(&k->waker);
}

void lease_keeper_end(struct lease_keeper *k) {
    lease_keeper_stop(k);
    atomic_store(&k->closed, true);
    waker_wake(&k->waker);
    pthread_join(k->thread, NULL);
}

void lease_keeper_free(struct lease_keeper *k) {
    if (!k)
        return;
    lease_writers_free(k->writers);
    waker_deinit(&k->waker);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
