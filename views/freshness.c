#include "views/freshness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/progress.h"

/* Twice FRESHNESS_GRAIN: all moments but the last two are at least a grain apart. */
enum { MOMENTS = 2 * FRESHNESS_GRAIN };

/* From `since_ms` (CLOCK_BOOTTIME) until the next moment, the view's time was at least this. */
struct moment {
    int64_t since_ms;
    int64_t as_of_ms;
};

struct kept {
    struct freshness_shard public; /* first, for compare_shards */
    bool is_counted;
    int64_t records, bytes_left;
    struct progress progress;
};

struct freshness {
    struct service_clock *clock;
    int64_t caught_up_ms;
    _Atomic int64_t as_of_ms; /* the view's, as freshness_as_of returns it */
    atomic_bool foreign_arrivals;
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct kept *shards;  /* sorted by id */
    size_t n;
    int64_t latest_ms;  /* the largest time of any shard, ever */
    bool known;         /* shards were set at least once */
    int64_t began_ms;   /* the view's time when it was caught up last; unknown: never, nor known since */
    int64_t bytes_done; /* of a file, since then */
    int64_t grain_ms;
    struct moment moments[MOMENTS]; /* oldest first; neither of their times ever goes back */
    size_t n_moments;
};

struct freshness *freshness_new(struct service_clock *clock) {
    struct freshness *f = mem_zalloc(sizeof *f);
    f->clock = clock;
    atomic_init(&f->as_of_ms, FRESHNESS_UNKNOWN);
    f->latest_ms = f->began_ms = FRESHNESS_UNKNOWN;
    f->caught_up_ms = FRESHNESS_CAUGHT_UP_MS;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

struct service_clock *freshness_clock(const struct freshness *f) {
    return f->clock;
}

void freshness_free(struct freshness *f) {
    if (!f)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f->shards);
    free(f);
}

void freshness_set_caught_up(struct freshness *f, int64_t caught_up_ms) {
    f->caught_up_ms = caught_up_ms;
}

/* The service clock's latest time, or INT64_MAX. */
static int64_t latest_time(const struct freshness *f) {
    return f->clock ? service_clock_age_now(f->clock, 0) : INT64_MAX;
}

static int64_t age_of(int64_t as_of_ms, int64_t clock_ms) {
    if (as_of_ms == FRESHNESS_UNKNOWN || clock_ms == INT64_MAX)
        return FRESHNESS_UNKNOWN;
    return as_of_ms < clock_ms ? clock_ms - as_of_ms : 0;
}

static bool is_behind(const struct freshness *f, int64_t age_ms) {
    return age_ms == FRESHNESS_UNKNOWN || age_ms > f->caught_up_ms;
}

bool freshness_is_caught_up(const struct freshness *f, int64_t as_of_ms) {
    return !is_behind(f, age_of(as_of_ms, latest_time(f)));
}

void freshness_keep_history(struct freshness *f, int64_t for_ms) {
    f->grain_ms = for_ms / FRESHNESS_GRAIN + 1;
}

static int compare_shards(const void *a, const void *b) {
    const struct freshness_shard *x = a, *y = b;
    return strcmp(x->shard_id, y->shard_id);
}

static struct kept *find(struct freshness *f, const char *shard_id) {
    struct freshness_shard key;
    strncpy(key.shard_id, shard_id, LIMIT_SHARD_ID_BYTES);
    key.shard_id[LIMIT_SHARD_ID_BYTES] = '\0';
    return f->n ? bsearch(&key, f->shards, f->n, sizeof *f->shards, compare_shards) : NULL;
}

/* A new shard is behind, or its time is unknown: the view's earlier times were too late for it. */
static void lower_moments(struct freshness *f, int64_t as_of_ms) {
    for (size_t i = 0; i < f->n_moments; i++)
        if (f->moments[i].as_of_ms > as_of_ms)
            f->moments[i].as_of_ms = as_of_ms;
}

/* Replaces the last moment if it is within a grain of the one before, whose earlier time then holds until
 * now. */
static void add_moment(struct freshness *f, int64_t as_of_ms, int64_t now_ms) {
    size_t n = f->n_moments;
    if (n && now_ms < f->moments[n - 1].since_ms)
        now_ms = f->moments[n - 1].since_ms; /* another thread read the clock later and was here first */
    if (n > 1 && f->moments[n - 1].since_ms - f->moments[n - 2].since_ms < f->grain_ms)
        n--;
    if (n == MOMENTS)
        memmove(f->moments, f->moments + 1, --n * sizeof *f->moments);
    f->moments[n] = (struct moment){now_ms, as_of_ms};
    f->n_moments = n + 1;
}

/* Where the way to being caught up begins. */
static void note_began(struct freshness *f, int64_t as_of_ms, int64_t clock_ms) {
    if (as_of_ms == FRESHNESS_UNKNOWN)
        return;
    bool is_caught_up = !is_behind(f, age_of(as_of_ms, clock_ms));
    if (is_caught_up || f->began_ms == FRESHNESS_UNKNOWN || as_of_ms < f->began_ms)
        f->began_ms = as_of_ms;
    if (is_caught_up)
        f->bytes_done = 0;
}

/* The least of all shards. Unknown is below every time. */
static void update_view(struct freshness *f, int64_t clock_ms, int64_t now_ms) {
    int64_t least = f->known ? f->latest_ms : FRESHNESS_UNKNOWN, before = atomic_load(&f->as_of_ms);
    for (size_t i = 0; i < f->n; i++)
        if (f->shards[i].public.as_of_ms < least)
            least = f->shards[i].public.as_of_ms;
    if (least == before)
        return;
    if (least < before)
        lower_moments(f, least);
    note_began(f, least, clock_ms);
    add_moment(f, least, now_ms);
    atomic_store(&f->as_of_ms, least);
}

/* What is above the limit is dropped: an early Date made it. */
static void raise_to(struct freshness *f, struct freshness_shard *shard, int64_t as_of_ms, int64_t limit_ms) {
    if (shard->as_of_ms > limit_ms)
        shard->as_of_ms = FRESHNESS_UNKNOWN;
    if (f->latest_ms > limit_ms)
        f->latest_ms = FRESHNESS_UNKNOWN;
    if (as_of_ms > limit_ms)
        return;
    if (as_of_ms > shard->as_of_ms)
        shard->as_of_ms = as_of_ms;
    if (as_of_ms > f->latest_ms)
        f->latest_ms = as_of_ms;
}

static void note(struct kept *shard, int64_t now_ms) {
    progress_note(&shard->progress, &(struct progress_sample){now_ms, shard->records, shard->public.as_of_ms,
                                                              shard->bytes_left});
}

void freshness_set_shards(struct freshness *f, const struct freshness_shard *shards, size_t n,
                          int64_t now_ms) {
    struct kept *fresh = mem_zalloc(n * sizeof *fresh);
    int64_t limit_ms = service_clock_limit(f->clock), clock_ms = latest_time(f);
    for (size_t i = 0; i < n; i++)
        fresh[i].public = shards[i];
    if (n > 1)
        qsort(fresh, n, sizeof *fresh, compare_shards);

    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < n; i++) {
        const int64_t given_ms = fresh[i].public.as_of_ms;
        const struct kept *old = find(f, fresh[i].public.shard_id);
        if (old)
            fresh[i] = *old;
        raise_to(f, &fresh[i].public, given_ms, limit_ms);
        note(&fresh[i], now_ms);
    }
    struct kept *before = f->shards;
    f->shards = fresh;
    f->n = n;
    f->known = true;
    update_view(f, clock_ms, now_ms);
    pthread_mutex_unlock(&f->lock);
    free(before);
}

void freshness_advance(struct freshness *f, const char *shard_id, int64_t as_of_ms, int64_t now_ms) {
    int64_t limit_ms = service_clock_limit(f->clock), clock_ms = latest_time(f);
    pthread_mutex_lock(&f->lock);
    struct kept *shard = find(f, shard_id);
    if (shard) {
        raise_to(f, &shard->public, as_of_ms, limit_ms);
        note(shard, now_ms);
        update_view(f, clock_ms, now_ms);
    }
    pthread_mutex_unlock(&f->lock);
}

int64_t freshness_as_of(const struct freshness *f) {
    return atomic_load(&f->as_of_ms);
}

int64_t freshness_as_of_at(struct freshness *f, int64_t then_ms) {
    int64_t as_of_ms = FRESHNESS_UNKNOWN;
    pthread_mutex_lock(&f->lock);
    for (size_t i = f->n_moments; i-- > 0;) {
        if (f->moments[i].since_ms <= then_ms) {
            as_of_ms = f->moments[i].as_of_ms;
            break;
        }
    }
    pthread_mutex_unlock(&f->lock);
    return as_of_ms;
}

void freshness_note_foreign_arrivals(struct freshness *f) {
    atomic_store(&f->foreign_arrivals, true);
}

bool freshness_has_foreign_arrivals(const struct freshness *f) {
    return atomic_load(&f->foreign_arrivals);
}

static int64_t left_of(const struct freshness *f, const struct kept *shard, int64_t clock_ms,
                       int64_t now_ms) {
    int64_t age_ms = age_of(shard->public.as_of_ms, clock_ms);
    if (!shard->bytes_left && !is_behind(f, age_ms))
        return 0;
    return progress_left_ms(&shard->progress, age_ms == FRESHNESS_UNKNOWN ? INT64_MAX : age_ms, now_ms);
}

/* A file that grows does not take back what was done. None are left while the last piece is applied. */
static void count_bytes(struct freshness *f, struct kept *shard, int64_t bytes_left) {
    int64_t done = shard->bytes_left - bytes_left;
    f->bytes_done += done > 0 ? done : 0;
    shard->bytes_left = bytes_left;
}

int64_t freshness_count(struct freshness *f, const char *shard_id, size_t records, int64_t bytes_left,
                        int64_t now_ms) {
    int64_t clock_ms = latest_time(f), left_ms = FRESHNESS_UNKNOWN;
    pthread_mutex_lock(&f->lock);
    struct kept *shard = find(f, shard_id);
    if (shard) {
        shard->is_counted = true;
        shard->records += (int64_t)records;
        count_bytes(f, shard, bytes_left);
        note(shard, now_ms);
        left_ms = left_of(f, shard, clock_ms, now_ms);
    }
    pthread_mutex_unlock(&f->lock);
    return left_ms;
}

void freshness_stop_counting(struct freshness *f, const char *shard_id) {
    pthread_mutex_lock(&f->lock);
    struct kept *shard = find(f, shard_id);
    if (shard) {
        shard->is_counted = false;
        shard->bytes_left = 0;
    }
    pthread_mutex_unlock(&f->lock);
}

static struct freshness_state state_of(const struct freshness *f, const struct kept *shard, int64_t clock_ms,
                                       int64_t now_ms) {
    struct freshness_state state = {.as_of_ms = shard->public.as_of_ms, .bytes_left = shard->bytes_left};
    strcpy(state.shard_id, shard->public.shard_id);
    state.record_rate = shard->is_counted ? progress_rate(&shard->progress, now_ms) : FRESHNESS_UNKNOWN;
    state.left_ms = left_of(f, shard, clock_ms, now_ms);
    return state;
}

size_t freshness_read(struct freshness *f, int64_t now_ms, struct freshness_state **states) {
    int64_t clock_ms = latest_time(f);
    pthread_mutex_lock(&f->lock);
    size_t n = f->n;
    *states = mem_alloc(n * sizeof **states);
    for (size_t i = 0; i < n; i++)
        (*states)[i] = state_of(f, &f->shards[i], clock_ms, now_ms);
    pthread_mutex_unlock(&f->lock);
    return n;
}

int64_t freshness_left(const struct freshness_state *states, size_t n) {
    int64_t left_ms = n ? 0 : FRESHNESS_UNKNOWN;
    for (size_t i = 0; i < n && left_ms != FRESHNESS_UNKNOWN; i++)
        if (states[i].left_ms == FRESHNESS_UNKNOWN || states[i].left_ms > left_ms)
            left_ms = states[i].left_ms;
    return left_ms;
}

enum freshness_reads freshness_reads(struct freshness *f) {
    size_t counted = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->n; i++)
        counted += f->shards[i].is_counted;
    bool all = f->n && counted == f->n;
    pthread_mutex_unlock(&f->lock);
    return all ? FRESHNESS_READS_ALL : counted ? FRESHNESS_READS_SOME : FRESHNESS_READS_NONE;
}

/* It is not over yet: 99 at most. */
static int64_t percent_of(int64_t done, int64_t left) {
    return left > 0 && done >= 0 ? (int64_t)((double)done * 100 / ((double)done + (double)left)) : 99;
}

/* How far the view came since it was caught up last. The caller holds the lock. */
static int64_t percent(const struct freshness *f, int64_t as_of_ms, const struct freshness_progress *p) {
    if (p->bytes_left || f->bytes_done)
        return percent_of(f->bytes_done, p->bytes_left);
    if (p->age_ms == FRESHNESS_UNKNOWN || f->began_ms == FRESHNESS_UNKNOWN)
        return FRESHNESS_UNKNOWN;
    return percent_of(as_of_ms - f->began_ms, p->age_ms);
}

static void add_shard(const struct freshness *f, const struct freshness_state *state, int64_t clock_ms,
                      struct freshness_progress *p) {
    p->bytes_left += state->bytes_left;
    p->shards_behind += is_behind(f, age_of(state->as_of_ms, clock_ms));
    if (state->record_rate != FRESHNESS_UNKNOWN)
        p->record_rate = state->record_rate + (p->record_rate > 0 ? p->record_rate : 0);
}

void freshness_progress(struct freshness *f, int64_t now_ms, struct freshness_progress *p) {
    _cleanup_(mem_freep) struct freshness_state *states = NULL;
    int64_t clock_ms = latest_time(f), as_of_ms = freshness_as_of(f);
    *p = (struct freshness_progress){.age_ms = age_of(as_of_ms, clock_ms), .record_rate = FRESHNESS_UNKNOWN};
    p->shards = freshness_read(f, now_ms, &states);
    p->is_behind = is_behind(f, p->age_ms);
    p->left_ms = freshness_left(states, p->shards);
    for (size_t i = 0; i < p->shards; i++)
        add_shard(f, &states[i], clock_ms, p);
    pthread_mutex_lock(&f->lock);
    p->percent = percent(f, as_of_ms, p);
    pthread_mutex_unlock(&f->lock);
}
