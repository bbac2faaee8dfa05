#include "views/rank_tables.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "base/waker.h"

enum { PLACES = ROLES + RANK_TABLES_PERIODS, NO_PLACE = -1 };

static struct metrics_family tables_family = {
    .name = "winner_view_rank_tables",
    .help = "Boards of which there is a table of ranks.",
    .kind = METRICS_GAUGE,
};
static struct metrics_family rows_family = {
    .name = "winner_view_rank_rows_total",
    .help = "Rows of boards read for tables of ranks.",
    .kind = METRICS_COUNTER,
};
static struct metrics_family age_family = {
    .name = "winner_view_rank_table_age_seconds",
    .help = "Age of the oldest table of ranks that is wanted and whose board has moved since.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
};

/* A board that is or was wanted. */
struct place {
    struct board board;
    bool is_used;
    bool is_final; /* the table is: its board moves no more */
    int64_t wanted_boot_ms;
    int64_t wanted_for_ms;
    struct rank_table *table; /* NULL: none yet */
    int64_t began_boot_ms;    /* its pass */

    /* The thread's. */
    int64_t due_boot_ms;   /* when to check whether it moved */
    int64_t sales;         /* of the board's period, at the last check */
    int64_t moved_boot_ms; /* the last check that found them changed */
};

struct rank_tables {
    struct rank_tables_options options;
    struct store *store;
    pthread_mutex_t lock; /* guards `busy`, and of `places` what is not the thread's */
    struct place places[PLACES];
    int busy; /* the place that the thread reads, which nobody else may take; NO_PLACE: none */

    /* The thread's: a pass over the busy place's board. */
    struct {
        struct store_pass at;
        struct rank_table *table; /* NULL: none is under way */
        int64_t began_boot_ms;
        bool is_final;
        double units; /* that it has cost so far */
    } pass;
    int64_t next_boot_ms; /* earlier the pace allows no read */
    bool fails;

    bool runs;
    atomic_bool stopping;
    pthread_t thread;
    struct waker waker;
    struct pulse pulse;
};

struct rank_tables *rank_tables_new(const struct rank_tables_options *options, struct store *store) {
    struct rank_tables *t = mem_zalloc(sizeof *t);
    t->options = *options;
    t->store = store;
    t->busy = NO_PLACE;
    pthread_mutex_init(&t->lock, NULL);
    waker_init(&t->waker);
    return t;
}

/* Which boards have a table. */

static bool is_wanted(const struct place *p, int64_t now_boot_ms) {
    return p->is_used && now_boot_ms - p->wanted_boot_ms < p->wanted_for_ms;
}

static bool is_same(const struct board *a, const struct board *b) {
    return a->role == b->role && a->period.kind == b->period.kind && a->period.start_ms == b->period.start_ms;
}

/* A place that this board may take; NULL: all are wanted, or being read. */
static struct place *free_place(struct rank_tables *t, const struct board *board, int64_t now_boot_ms) {
    if (board->period.kind == PERIOD_ALL_TIME)
        return &t->places[board->role];
    for (int i = ROLES; i < PLACES; i++)
        if (!is_wanted(&t->places[i], now_boot_ms) && i != t->busy)
            return &t->places[i];
    return NULL;
}

static struct place *find_place(struct rank_tables *t, const struct board *board) {
    for (int i = 0; i < PLACES; i++)
        if (t->places[i].is_used && is_same(&t->places[i].board, board))
            return &t->places[i];
    return NULL;
}

static void take_place(struct place *p, const struct board *board) {
    rank_table_release(p->table);
    *p = (struct place){.board = *board, .is_used = true, .wanted_for_ms = LIMIT_RANK_WANTED_MS};
}

const struct rank_table *rank_tables_acquire(struct rank_tables *t, const struct board *board) {
    int64_t now_boot_ms = clock_boot_ms();
    const struct rank_table *table = NULL;
    bool is_new = false;
    if (!t->options.units_per_s)
        return NULL;
    pthread_mutex_lock(&t->lock);
    struct place *p = find_place(t, board);
    if (p)
        is_new = !is_wanted(p, now_boot_ms);
    else if ((p = free_place(t, board, now_boot_ms))) {
        take_place(p, board);
        is_new = true;
    }
    if (p) {
        p->wanted_boot_ms = now_boot_ms;
        table = p->table ? rank_table_ref(p->table) : NULL;
    }
    pthread_mutex_unlock(&t->lock);
    if (is_new)
        waker_wake(&t->waker);
    return table;
}

/* Passes. */

/* A failure is logged once, until a read succeeds. */
static int64_t note_failure(struct rank_tables *t, const struct error *e, int64_t now_boot_ms) {
    if (!t->fails && !atomic_load(&t->stopping))
        log_write(LOG_LEVEL_WARN, LOG_FIELDS("error", e->code, "requestId", e->request_id),
                  "cannot count ranks, trying again: %s", e->message);
    t->fails = true;
    return t->next_boot_ms = now_boot_ms + LIMIT_BACKOFF_MS;
}

static int64_t pay(struct rank_tables *t, double units, int64_t now_boot_ms) {
    t->fails = false;
    return t->next_boot_ms = now_boot_ms + (int64_t)(units * 1000 / (double)t->options.units_per_s);
}

static void end_pass(struct rank_tables *t) {
    store_pass_deinit(&t->pass.at);
    rank_table_release(t->pass.table);
    t->pass.table = NULL;
}

static void publish(struct rank_tables *t, int64_t now_boot_ms) {
    struct place *p = &t->places[t->busy];
    int64_t took_ms = now_boot_ms - t->pass.began_boot_ms;
    rank_table_finish(t->pass.table);
    pthread_mutex_lock(&t->lock);
    struct rank_table *old = p->table;
    p->table = rank_table_ref(t->pass.table);
    p->began_boot_ms = t->pass.began_boot_ms;
    p->is_final = t->pass.is_final;
    p->wanted_for_ms = 2 * took_ms > LIMIT_RANK_WANTED_MS ? 2 * took_ms : LIMIT_RANK_WANTED_MS;
    pthread_mutex_unlock(&t->lock);
    rank_table_release(old);
    p->due_boot_ms = now_boot_ms + LIMIT_RANK_CHECK_MS;
    log_debug("table of ranks: %" PRId64 " contributors, %zu bytes, %.0f units, in %" PRId64 " ms",
              rank_table_of(t->pass.table), rank_table_bytes(t->pass.table), t->pass.units, took_ms);
}

static bool add_counts(struct rank_table *table, const struct store_score_counts *counts) {
    bool fits = true;
    for (size_t i = 0; fits && i < counts->n; i++)
        fits = rank_table_add(table, counts->items[i].score, counts->items[i].contributors);
    return fits;
}

/* A board with too many scores for a table is left alone while it is wanted. */
static int64_t give_up(struct rank_tables *t, int64_t now_boot_ms) {
    log_warn("a board has more than %d different scores: there are no ranks below the first %d",
             LIMIT_RANK_SCORES, LIMIT_RANKED);
    t->places[t->busy].due_boot_ms = now_boot_ms + LIMIT_RANK_WANTED_MS;
    end_pass(t);
    return now_boot_ms;
}

/* A page that failed is read again, as long as the board is wanted. */
static int64_t retry(struct rank_tables *t, const struct error *e, int64_t now_boot_ms) {
    pthread_mutex_lock(&t->lock);
    bool wanted = is_wanted(&t->places[t->busy], now_boot_ms);
    pthread_mutex_unlock(&t->lock);
    if (!wanted)
        end_pass(t);
    return note_failure(t, e, now_boot_ms);
}

static int64_t read_page(struct rank_tables *t, int64_t now_boot_ms) {
    _cleanup_(store_score_counts_deinit) struct store_score_counts counts = {0};
    const struct board *board = &t->places[t->busy].board; /* fixed while its pass is under way */
    struct error e;
    enum status status =
        store_count_board(t->store, board, &t->pass.at, clock_boot_ms() + LIMIT_LOAD_MS, &counts, &e);
    if (status)
        return retry(t, &e, now_boot_ms);
    t->pass.units += counts.units;
    metrics_count(&rows_family, (const char *const[]){NULL}, (int64_t)counts.rows);
    if (!add_counts(t->pass.table, &counts))
        return give_up(t, now_boot_ms);
    if (t->pass.at.is_done) {
        publish(t, now_boot_ms);
        end_pass(t);
    }
    return pay(t, counts.units, now_boot_ms);
}

static void begin_pass(struct rank_tables *t, int64_t now_boot_ms) {
    const struct period *period = &t->places[t->busy].board.period;
    int64_t as_of_ms = t->options.as_of(t->options.data);
    t->pass.at = (struct store_pass){0};
    t->pass.table = rank_table_new(as_of_ms);
    t->pass.began_boot_ms = now_boot_ms;
    t->pass.units = 0;
    t->pass.is_final =
        period->kind != PERIOD_ALL_TIME && t->options.is_final(t->options.data, period, as_of_ms);
}

/* Which boards are read. */

/* The sales of a batch may be written a while before the last of its credits: so a board that has moved is
 * read at once, and once more when it has stood still for long enough. */
static bool needs_pass(const struct place *p, int64_t now_boot_ms) {
    int64_t settled_boot_ms = p->moved_boot_ms + LIMIT_RANK_SETTLE_MS;
    return !p->table || p->began_boot_ms < p->moved_boot_ms ||
           (now_boot_ms >= settled_boot_ms && p->began_boot_ms < settled_boot_ms);
}

/* Checks whether the board moved; begins a pass over it if so. */
static int64_t check_board(struct rank_tables *t, int64_t now_boot_ms) {
    struct place *p = &t->places[t->busy];
    struct error e;
    int64_t sales;
    enum status status =
        store_read_sales(t->store, p->board.period, clock_boot_ms() + LIMIT_LOAD_MS, &sales, &e);
    if (status)
        return note_failure(t, &e, now_boot_ms);
    if (sales != p->sales || !p->table)
        p->moved_boot_ms = now_boot_ms;
    p->sales = sales;
    p->due_boot_ms = now_boot_ms + LIMIT_RANK_CHECK_MS;
    if (needs_pass(p, now_boot_ms))
        begin_pass(t, now_boot_ms);
    return pay(t, STORE_SHOP_ROWS, now_boot_ms);
}

/* Makes the wanted board busy that has been due for longest. False: none is due before `*next_boot_ms`. */
static bool choose(struct rank_tables *t, int64_t now_boot_ms, int64_t *next_boot_ms) {
    *next_boot_ms = INT64_MAX;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < PLACES; i++) {
        const struct place *p = &t->places[i];
        if (!is_wanted(p, now_boot_ms) || p->is_final || p->due_boot_ms >= *next_boot_ms)
            continue;
        *next_boot_ms = p->due_boot_ms;
        t->busy = i;
    }
    bool is_due = *next_boot_ms <= now_boot_ms;
    if (!is_due)
        t->busy = NO_PLACE;
    pthread_mutex_unlock(&t->lock);
    return is_due;
}

static void rest(struct rank_tables *t) {
    pthread_mutex_lock(&t->lock);
    t->busy = NO_PLACE;
    pthread_mutex_unlock(&t->lock);
}

static int64_t turn(struct rank_tables *t, int64_t now_boot_ms) {
    int64_t next_boot_ms = t->next_boot_ms;
    if (now_boot_ms < next_boot_ms)
        return next_boot_ms;
    if (t->pass.table)
        next_boot_ms = read_page(t, now_boot_ms);
    else if (choose(t, now_boot_ms, &next_boot_ms))
        next_boot_ms = check_board(t, now_boot_ms);
    if (!t->pass.table)
        rest(t);
    return next_boot_ms;
}

static void report(struct rank_tables *t, int64_t now_boot_ms) {
    struct metrics_series *age = METRICS_SERIES(&age_family, NULL);
    int64_t tables = 0, oldest_ms = -1;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < PLACES; i++) {
        const struct place *p = &t->places[i];
        bool counts = is_wanted(p, now_boot_ms) && p->table && p->began_boot_ms < p->moved_boot_ms;
        tables += p->table != NULL;
        if (counts && now_boot_ms - p->began_boot_ms > oldest_ms)
            oldest_ms = now_boot_ms - p->began_boot_ms;
    }
    pthread_mutex_unlock(&t->lock);
    metrics_set(METRICS_SERIES(&tables_family, NULL), tables);
    if (oldest_ms < 0)
        metrics_hide(age);
    else
        metrics_set(age, oldest_ms);
}

int64_t rank_tables_turn(struct rank_tables *t, int64_t now_boot_ms) {
    int64_t next_boot_ms = turn(t, now_boot_ms);
    report(t, now_boot_ms);
    return next_boot_ms;
}

/* Its thread. */

static void *rank_tables_run(void *data) {
    struct rank_tables *t = data;
    pulse_watch(&t->pulse, "ranks", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    while (!atomic_load(&t->stopping)) {
        int64_t now_boot_ms = clock_boot_ms();
        pulse_beat(&t->pulse, now_boot_ms);
        int64_t next_boot_ms = rank_tables_turn(t, now_boot_ms);
        if (next_boot_ms == INT64_MAX)
            pulse_rest(&t->pulse);
        waker_wait(&t->waker, next_boot_ms, -1);
    }
    pulse_unwatch(&t->pulse);
    return NULL;
}

void rank_tables_start(struct rank_tables *t) {
    if (!t->options.units_per_s)
        return;
    thread_must_start(&t->thread, "ranks", rank_tables_run, t);
    t->runs = true;
}

void rank_tables_free(struct rank_tables *t) {
    if (!t)
        return;
    atomic_store(&t->stopping, true);
    waker_wake(&t->waker);
    if (t->runs)
        pthread_join(t->thread, NULL);
    end_pass(t);
    for (int i = 0; i < PLACES; i++)
        rank_table_release(t->places[i].table);
    waker_deinit(&t->waker);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
