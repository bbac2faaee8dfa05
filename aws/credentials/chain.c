#include "aws/credentials/chain.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "aws/service_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/service_clock.h"
#include "base/thread.h"
#include "base/waker.h"

static struct metrics_family expiry_family = {
    .name = "winner_view_aws_credentials_expiry_timestamp_seconds",
    .help = "When the AWS credentials in use expire; absent if they do not.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
};
static struct metrics_family refreshes_family = {
    .name = "winner_view_aws_credentials_refreshes_total",
    .help = "Fetches of AWS credentials, by result.",
    .kind = METRICS_COUNTER,
    .labels = {"result"},
};

#define UNKNOWN INT64_MAX /* a time */

enum { FIRST_PAUSE_MS = 1000, LEAST_LIFE_MS = 1000, LONGEST_SLEEP_MS = 1000, LONGEST_WAIT_MS = 1000 };

struct aws_credentials_chain {
    struct aws_credentials_source *sources;
    size_t count;
    struct waker waker; /* wakes the thread when its next turn has changed */
    int cancel_fd;      /* an eventfd that stays readable once the chain is cancelled */
    int stop_fd;        /* an epoll of that one and of the program's own descriptor */
    int64_t (*boot_ms)(void);
    int64_t (*aws_ms)(struct service_clock *);
    struct service_clock *clock; /* NULL: none */
    pthread_t thread;

    pthread_mutex_t
        lock; /* guards what follows. A leaf: no other lock is taken and no source asked under it. */
    pthread_cond_t ended; /* a fetch */
    struct aws_credentials_listener listener;
    bool started; /* the thread */
    bool fetching;
    bool handed_over; /* the thread has to make that fetch */
    bool cancelled;
    const struct aws_credentials_source *answered; /* the configured source; NULL: not known yet */
    struct aws_credentials *current;
    int64_t fetched_ms;  /* when they were fetched */
    uint32_t chance;     /* spreads the refreshes of many processes */
    char refusal[64];    /* the name of AWS's error, if it has refused them since the last fetch */
    bool is_awaited;     /* a get waits for the fetch that the refusal causes */
    int failures;        /* in a row */
    int64_t paused_ms;   /* no fetch before that; after a success: none that a refusal causes */
    struct error reason; /* why the last one failed */
};

/* The time of AWS, or later. */
static int64_t latest_aws_ms(struct service_clock *clock) {
    return clock && !service_clock_is_local(clock) ? service_clock_age_now(clock, 0) : UNKNOWN;
}

struct aws_credentials_chain *aws_credentials_chain_new(const struct aws_credentials_source *sources,
                                                        size_t n) {
    struct aws_credentials_chain *chain = mem_zalloc(sizeof *chain);
    chain->sources = mem_dup(sources, n * sizeof *sources);
    chain->count = n;
    chain->boot_ms = clock_boot_ms;
    chain->aws_ms = latest_aws_ms;
    chain->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    chain->stop_fd = epoll_create1(EPOLL_CLOEXEC);
    if (chain->cancel_fd < 0 || chain->stop_fd < 0)
        mem_exhausted(); /* out of descriptors at the start, as in waker_init */
    aws_credentials_chain_stop_with(chain, chain->cancel_fd);
    waker_init(&chain->waker);
    pthread_mutex_init(&chain->lock, NULL);
    condition_init(&chain->ended);
    return chain;
}

void aws_credentials_chain_judge_by(struct aws_credentials_chain *chain, struct service_clock *clock) {
    chain->clock = clock;
}

void aws_credentials_chain_measure_with(struct aws_credentials_chain *chain, int64_t (*boot_ms)(void),
                                        int64_t (*aws_ms)(struct service_clock *)) {
    chain->boot_ms = boot_ms;
    chain->aws_ms = aws_ms;
}

void aws_credentials_chain_free(struct aws_credentials_chain *chain) {
    if (!chain)
        return;
    aws_credentials_chain_stop(chain);
    for (size_t i = 0; i < chain->count; i++)
        if (chain->sources[i].free)
            chain->sources[i].free(chain->sources[i].context);
    aws_credentials_unref(chain->current);
    pthread_cond_destroy(&chain->ended);
    pthread_mutex_destroy(&chain->lock);
    waker_deinit(&chain->waker);
    close(chain->stop_fd);
    close(chain->cancel_fd);
    free(chain->sources);
    free(chain);
}

/* AWS's clock is read once for each fetch or get, without the lock. While a fetch runs, CLOCK_BOOTTIME
 * carries it on. */
struct moment {
    int64_t aws_ms, boot_ms;
};

static struct moment moment_now(const struct aws_credentials_chain *chain) {
    return (struct moment){chain->aws_ms(chain->clock), chain->boot_ms()};
}

static struct moment later(const struct aws_credentials_chain *chain, const struct moment *began) {
    int64_t boot_ms = chain->boot_ms();
    return (struct moment){began->aws_ms == UNKNOWN ? UNKNOWN : began->aws_ms + (boot_ms - began->boot_ms),
                           boot_ms};
}

/* How long these, fetched at `fetched_ms`, are still valid; UNKNOWN also if they do not expire. */
static int64_t left_ms(const struct aws_credentials *c, int64_t fetched_ms, const struct moment *now) {
    if (c->expires_ms && now->aws_ms != UNKNOWN)
        return c->expires_ms - now->aws_ms;
    if (c->expires_ms && c->issued_ms)
        return c->expires_ms - c->issued_ms - (now->boot_ms - fetched_ms);
    return UNKNOWN;
}

/* Asking. */

/* A failure of a source is no mistake of the caller: the status is RETRY or FAILED. */
static enum status fail_source(const struct aws_credentials_source *source, struct error *e) {
    e->status = e->status == STATUS_RETRY ? STATUS_RETRY : STATUS_FAILED;
    return error_wrap(e, "cannot get credentials from the %s", source->name);
}

static enum status ask(const struct aws_credentials_chain *chain, const struct aws_credentials_source *source,
                       const struct moment *began, struct aws_credentials **out, struct error *e) {
    *out = NULL;
    enum status status = source->fetch(source->context, chain->stop_fd, out, e);
    struct moment now = later(chain, began);
    if (status || (*out)->outlives || left_ms(*out, now.boot_ms, &now) > 0)
        return status;
    char text[CLOCK_TEXT_SIZE];
    error_set(e, STATUS_RETRY, "the credentials that it returned expired at %s",
              clock_format((*out)->expires_ms, text));
    aws_credentials_unref(*out);
    *out = NULL;
    return STATUS_RETRY;
}

static enum status search(const struct aws_credentials_chain *chain, const struct moment *began,
                          const struct aws_credentials_source **answered, struct aws_credentials **out,
                          struct error *e) {
    _cleanup_(buffer_deinit) struct buffer looked_for;
    buffer_init(&looked_for, sizeof e->message);
    for (size_t i = 0; i < chain->count; i++) {
        const struct aws_credentials_source *source = &chain->sources[i];
        enum status status = ask(chain, source, began, out, e);
        if (status == STATUS_OK)
            *answered = source;
        if (status != STATUS_NOT_FOUND)
            return status ? fail_source(source, e) : STATUS_OK;
        buffer_printf(&looked_for, "; %s: %s", source->name, e->message);
    }
    return error_set_code(e, STATUS_FAILED, AWS_ERROR_NO_CREDENTIALS, "no credentials found%s",
                          looked_for.data ? looked_for.data : "");
}

/* A source that has answered before and is not configured now has failed. */
static enum status ask_again(const struct aws_credentials_chain *chain,
                             const struct aws_credentials_source *source, const struct moment *began,
                             struct aws_credentials **out, struct error *e) {
    enum status status = ask(chain, source, began, out, e);
    if (status == STATUS_NOT_FOUND)
        e->status = STATUS_RETRY;
    return status ? fail_source(source, e) : STATUS_OK;
}

/* Keeping. The next six under the lock. */

static int64_t current_left_ms(const struct aws_credentials_chain *chain, const struct moment *now) {
    return left_ms(chain->current, chain->fetched_ms, now);
}

static bool has_valid(const struct aws_credentials_chain *chain, const struct moment *now) {
    return chain->current && (chain->current->outlives || current_left_ms(chain, now) > 0);
}

static int64_t refresh_at(const struct aws_credentials_chain *chain, const struct moment *now) {
    int64_t left = current_left_ms(chain, now);
    if (left == UNKNOWN)
        return INT64_MAX;
    left += now->boot_ms - chain->fetched_ms; /* as it was then */
    if (left <= 0)
        return chain->fetched_ms + LIMIT_CREDENTIALS_OUTLIVED_MS +
               chain->chance % LIMIT_CREDENTIALS_OUTLIVED_MS;
    int64_t spread = LIMIT_CREDENTIALS_EARLY_MS - LIMIT_CREDENTIALS_LATE_MS;
    int64_t early = left - LIMIT_CREDENTIALS_EARLY_MS + (int64_t)chain->chance % spread;
    int64_t least = left / 2 > LEAST_LIFE_MS ? left / 2 : LEAST_LIFE_MS;
    return chain->fetched_ms + (early > least ? early : least);
}

static int64_t due_ms(const struct aws_credentials_chain *chain, const struct moment *now) {
    if (!chain->current)
        return INT64_MAX;
    return chain->failures > 0 || *chain->refusal ? chain->paused_ms : refresh_at(chain, now);
}

/* Keeps the fresh ones; returns the old ones, which the caller frees without the lock. */
static struct aws_credentials *keep(struct aws_credentials_chain *chain, struct aws_credentials *fresh,
                                    const struct moment *now) {
    struct aws_credentials *old = chain->current;
    chain->current = fresh;
    chain->fetched_ms = now->boot_ms;
    chain->chance = random_u32();
    chain->failures = 0;
    chain->paused_ms = now->boot_ms + LIMIT_CREDENTIALS_REFUSED_MS;
    return old;
}

/* At least `least_ms`. Half of the pause is random, so that many processes do not fetch at once. */
static void back_off(struct aws_credentials_chain *chain, const struct moment *now, int64_t least_ms) {
    bool valid = has_valid(chain, now);
    int64_t most = valid ? LIMIT_CREDENTIALS_BACKOFF_MS : LIMIT_CREDENTIALS_OUTAGE_MS;
    int64_t pause = FIRST_PAUSE_MS;
    for (int i = 0; i < chain->failures && pause < most; i++)
        pause *= 2;
    if (pause > most)
        pause = most;
    pause = pause / 2 + (int64_t)random_u32() % (pause / 2 + 1);
    if (valid && !chain->current->outlives && current_left_ms(chain, now) < pause)
        pause = current_left_ms(chain, now); /* then new ones are needed */
    chain->failures++;
    chain->paused_ms = now->boot_ms + (pause > least_ms ? pause : least_ms);
}

static void count_fetch(enum status status, int64_t expires_ms) {
    metrics_count(&refreshes_family, (const char *const[]){status ? "failure" : "success", NULL}, 1);
    if (status)
        return;
    static atomic_bool shown;
    if (expires_ms) {
        atomic_store(&shown, true);
        metrics_set(METRICS_SERIES(&expiry_family, NULL), expires_ms);
    } else if (atomic_load(&shown)) {
        metrics_hide(METRICS_SERIES(&expiry_family, NULL));
    }
}

/* The source has nothing but what AWS refuses. Under the lock. */
static enum status fail_refused(const struct aws_credentials_chain *chain, struct error *e) {
    assert(chain->answered); /* it gave both the refused ones and the same again */
    error_set_code(e, STATUS_RETRY, chain->refusal,
                   "access key id '%s' is still there, which AWS refuses (%s)", chain->current->access_key_id,
                   chain->refusal);
    return fail_source(chain->answered, e);
}

/* Ends a fetch. Under the lock. `*fresh` becomes what the caller has to free without it. */
static enum status take(struct aws_credentials_chain *chain, enum status status,
                        struct aws_credentials **fresh, const struct moment *now, struct error *e) {
    bool same = !status && *chain->refusal && aws_credentials_equal(*fresh, chain->current);
    int64_t least_ms = same ? LIMIT_CREDENTIALS_SAME_MS : *chain->refusal ? LIMIT_CREDENTIALS_REFUSED_MS : 0;
    if (same)
        status = fail_refused(chain, e);
    if (status == STATUS_OK) {
        *fresh = keep(chain, *fresh, now);
    } else {
        back_off(chain, now, least_ms);
        chain->reason = *e;
    }
    *chain->refusal = '\0';
    chain->is_awaited = false;
    return status;
}

/* Makes one fetch; the caller has set `fetching`. `e` is filled if it fails. */
static void fetch(struct aws_credentials_chain *chain, const struct moment *began, struct error *e) {
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *fresh = NULL; /* then the old ones */
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *kept = NULL;
    const struct aws_credentials_source *answered =
        chain->answered; /* written by fetches only, one at a time */
    enum status status =
        answered ? ask_again(chain, answered, began, &fresh, e) : search(chain, began, &answered, &fresh, e);
    struct moment now = later(chain, began);

    pthread_mutex_lock(&chain->lock);
    chain->answered = answered;
    status = take(chain, status, &fresh, &now, e);
    if (has_valid(chain, &now))
        kept = aws_credentials_ref(chain->current);
    struct aws_credentials_news news = {.kept = kept,
                                        .has_expired = kept && current_left_ms(chain, &now) <= 0,
                                        .failure = status ? e : NULL,
                                        .boot_ms = now.boot_ms};
    struct aws_credentials_listener listener = chain->listener;
    bool is_heard = listener.fetched && !chain->cancelled;
    pthread_mutex_unlock(&chain->lock);

    count_fetch(status, kept ? kept->expires_ms : 0);
    if (is_heard)
        listener.fetched(listener.data, &news);

    pthread_mutex_lock(&chain->lock);
    chain->fetching = false;
    pthread_cond_broadcast(&chain->ended);
    pthread_mutex_unlock(&chain->lock);
    waker_wake(&chain->waker);
}

/* Getting. */

/* One call of aws_credentials_chain_get. */
struct get {
    struct moment began;
    int64_t deadline_ms; /* CLOCK_BOOTTIME; 0: none */
    bool has_fetched;    /* a fetch has ended meanwhile: its result is the answer */
};

/* The next five under the lock. */

static bool is_late(const struct aws_credentials_chain *chain, const struct get *g) {
    return g->deadline_ms && chain->boot_ms() >= g->deadline_ms;
}

/* In short steps: the clock of conditions stands still while the machine is suspended. */
static void wait_for_end(struct aws_credentials_chain *chain, const struct get *g) {
    int64_t left_ms = g->deadline_ms ? g->deadline_ms - chain->boot_ms() : LONGEST_WAIT_MS;
    left_ms = left_ms < 0 ? 0 : left_ms < LONGEST_WAIT_MS ? left_ms : LONGEST_WAIT_MS;
    struct timespec end = condition_end(left_ms);
    pthread_cond_timedwait(&chain->ended, &chain->lock, &end);
}

static enum status fail_late(const struct aws_credentials_chain *chain, struct error *e) {
    error_set_code(e, STATUS_RETRY, AWS_ERROR_DEADLINE, "no credentials in the time given");
    if (chain->failures > 0) {
        _cleanup_(mem_freep) char *both =
            mem_printf("%s; before that: %s", e->message, chain->reason.message);
        return error_set_code(e, STATUS_RETRY, AWS_ERROR_DEADLINE, "%s", both);
    }
    return STATUS_RETRY;
}

static bool has_usable(const struct aws_credentials_chain *chain, const struct get *g) {
    const struct moment now = later(chain, &g->began);
    return has_valid(chain, &now) && !chain->is_awaited;
}

/* True: the get has ended with `*status`. False: the caller has to fetch; `fetching` is set. */
static bool has_ended(struct aws_credentials_chain *chain, struct get *g, struct aws_credentials **out,
                      enum status *status, struct error *e) {
    while (!has_usable(chain, g) && chain->fetching && !chain->cancelled && !is_late(chain, g)) {
        wait_for_end(chain, g);
        g->has_fetched = !chain->fetching;
    }
    if (has_usable(chain, g)) {
        *out = aws_credentials_ref(chain->current);
        *status = STATUS_OK;
    } else if (chain->cancelled) {
        *status =
            error_set_code(e, STATUS_FAILED, AWS_ERROR_CANCELLED, "no credentials, the program is stopping");
    } else if (chain->fetching) {
        *status = fail_late(chain, e);
    } else if (chain->failures > 0 && (g->has_fetched || chain->boot_ms() < chain->paused_ms)) {
        *e = chain->reason;
        *status = chain->reason.status;
    } else {
        chain->fetching = true;
        return false;
    }
    return true;
}

static void *run_thread(void *data);

static void start_thread(struct aws_credentials_chain *chain) {
    pthread_mutex_lock(&chain->lock);
    if (!chain->started && !chain->cancelled) {
        thread_must_start(&chain->thread, "credentials", run_thread, chain);
        chain->started = true;
    }
    pthread_mutex_unlock(&chain->lock);
}

/* A caller with a deadline cannot make the fetch, which may take longer. */
static void hand_over(struct aws_credentials_chain *chain) {
    pthread_mutex_lock(&chain->lock);
    chain->handed_over = true;
    pthread_mutex_unlock(&chain->lock);
    start_thread(chain);
    waker_wake(&chain->waker);
}

enum status aws_credentials_chain_get(struct aws_credentials_chain *chain, int64_t deadline_boot_ms,
                                      struct aws_credentials **out, struct error *e) {
    struct get g = {.began = moment_now(chain), .deadline_ms = deadline_boot_ms};
    struct error unread;
    e = e ? e : &unread;
    *out = NULL;
    for (;;) {
        enum status status;
        pthread_mutex_lock(&chain->lock);
        bool ended = has_ended(chain, &g, out, &status, e);
        pthread_mutex_unlock(&chain->lock);
        if (ended)
            return status;
        if (g.deadline_ms) {
            hand_over(chain);
        } else {
            const struct moment begins = later(chain, &g.began);
            fetch(chain, &begins, e); /* then there are valid ones, or a failure */
            g.has_fetched = true;
        }
    }
}

/* The thread. */

bool aws_credentials_chain_refused(struct aws_credentials_chain *chain, const struct aws_credentials *used,
                                   const char *error) {
    int64_t now_ms = chain->boot_ms();
    pthread_mutex_lock(&chain->lock);
    bool is_current = chain->current && aws_credentials_equal(chain->current, used);
    bool is_news = is_current && !*chain->refusal;
    if (is_news) {
        snprintf(chain->refusal, sizeof chain->refusal, "%s", error);
        chain->is_awaited = chain->failures == 0 && now_ms >= chain->paused_ms;
    }
    bool is_worth_a_retry = !is_current || chain->is_awaited;
    pthread_mutex_unlock(&chain->lock);
    if (is_news)
        waker_wake(&chain->waker);
    return is_worth_a_retry;
}

int64_t aws_credentials_chain_turn(struct aws_credentials_chain *chain) {
    const struct moment began = moment_now(chain);
    struct error e;
    pthread_mutex_lock(&chain->lock);
    bool is_due = chain->handed_over || (began.boot_ms >= due_ms(chain, &began) && !chain->fetching);
    bool does_fetch = is_due && !chain->cancelled;
    if (does_fetch) {
        chain->fetching = true;
        chain->handed_over = false;
    }
    pthread_mutex_unlock(&chain->lock);
    if (does_fetch)
        fetch(chain, &began, &e);

    pthread_mutex_lock(&chain->lock);
    const struct moment now = later(chain, &began);
    int64_t next_ms =
        chain->fetching ? INT64_MAX : due_ms(chain, &now); /* the end of that fetch wakes the thread */
    pthread_mutex_unlock(&chain->lock);
    return next_ms;
}

static bool is_cancelled(struct aws_credentials_chain *chain) {
    pthread_mutex_lock(&chain->lock);
    bool is = chain->cancelled;
    pthread_mutex_unlock(&chain->lock);
    return is;
}

/* Sleeps are short: the first reply that teaches AWS's clock may change what is due. */
static void *run_thread(void *data) {
    struct aws_credentials_chain *chain = data;
    while (!is_cancelled(chain)) {
        int64_t left_ms = aws_credentials_chain_turn(chain) - chain->boot_ms();
        waker_wait(&chain->waker, clock_boot_ms() + (left_ms < LONGEST_SLEEP_MS ? left_ms : LONGEST_SLEEP_MS),
                   -1);
    }
    return NULL;
}

void aws_credentials_chain_start(struct aws_credentials_chain *chain,
                                 const struct aws_credentials_listener *listener) {
    if (listener) {
        pthread_mutex_lock(&chain->lock);
        chain->listener = *listener;
        pthread_mutex_unlock(&chain->lock);
    }
    start_thread(chain);
}

void aws_credentials_chain_stop_with(struct aws_credentials_chain *chain, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(chain->stop_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        mem_exhausted();
}

void aws_credentials_chain_cancel(struct aws_credentials_chain *chain) {
    uint64_t one = 1;
    pthread_mutex_lock(&chain->lock);
    chain->cancelled = true;
    pthread_cond_broadcast(&chain->ended);
    pthread_mutex_unlock(&chain->lock);
    ssize_t written = write(chain->cancel_fd, &one, sizeof one);
    (void)written;
    waker_wake(&chain->waker);
}

void aws_credentials_chain_stop(struct aws_credentials_chain *chain) {
    aws_credentials_chain_cancel(chain); /* from now on the thread is not started any more */
    pthread_mutex_lock(&chain->lock);
    bool started = chain->started;
    chain->started = false;
    pthread_mutex_unlock(&chain->lock);
    if (started)
        pthread_join(chain->thread, NULL);
}
