#include "base/service_clock.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

enum { SECONDS = SERVICE_CLOCK_WINDOW_MS / 1000, CUT_MS = 1000, DRIFT = 1000, WALL_STEP_MS = 100 };

/* At `at` the service's time was `time_ms`, or later (a lower bound) or earlier (an upper one). */
struct bound {
    int64_t time_ms;
    struct clock_reading at;
};

/* The highest lower bound of a second. */
struct second {
    int64_t number; /* of CLOCK_MONOTONIC_RAW; -1: none */
    struct bound lower;
};

struct service_clock {
    pthread_mutex_t lock; /* guards what follows; a leaf */
    bool is_local, is_known;
    int64_t local_ahead_ms; /* a local clock less CLOCK_BOOTTIME: our wall clock's at the start */
    int64_t wall_ahead_ms;  /* our wall clock less a local clock, as last used for a reported time */
    int64_t first_raw_ms;   /* the first reply; -1: none */
    struct second seconds[SECONDS];
    struct bound lower;     /* the best of all seconds */
    struct bound upper;     /* the best of the last 32 to 64 s, carried on from reply to reply */
    int64_t younger_ms;     /* the same of the last 32 s at most: the next `upper`; INT64_MAX: none */
    int64_t younger_raw_ms; /* when that began */
};

/* How far our wall clock is ahead of CLOCK_BOOTTIME: never too much, although both are rounded down. */
static int64_t real_ahead_ms(void) {
    return clock_real_ms() - clock_boot_ms() - 1;
}

struct service_clock *service_clock_new(bool is_taught) {
    struct service_clock *c = mem_zalloc(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->is_local = !is_taught;
    c->local_ahead_ms = real_ahead_ms();
    c->first_raw_ms = -1;
    c->younger_ms = INT64_MAX;
    for (int i = 0; i < SECONDS; i++)
        c->seconds[i].number = -1;
    return c;
}

void service_clock_free(struct service_clock *c) {
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Bounds. Readings are cut to the millisecond: that is the 1 in each. */

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t drift_ms(int64_t elapsed_ms) {
    return (llabs(elapsed_ms) + DRIFT - 1) / DRIFT;
}

/* The most that can lie between two readings. RAW stands still while the machine is suspended; that shows in
 * BOOTTIME, but for a suspension that is shorter than a fifth of the whole while NTP slews BOOTTIME down. */
static int64_t most_between(const struct clock_reading *from, const struct clock_reading *to) {
    int64_t raw_ms = to->raw_ms - from->raw_ms, boot_ms = to->boot_ms - from->boot_ms;
    bool was_suspended = boot_ms > raw_ms + raw_ms / 10 + 100;
    return was_suspended ? boot_ms + raw_ms / 10 : larger(raw_ms, boot_ms);
}

static int64_t at_least(const struct bound *b, const struct clock_reading *then) {
    int64_t raw_ms = then->raw_ms - b->at.raw_ms;
    int64_t elapsed_ms = raw_ms >= 0 ? raw_ms : -most_between(then, &b->at);
    return b->time_ms + elapsed_ms - drift_ms(elapsed_ms) - 1;
}

static int64_t at_most(const struct bound *b, const struct clock_reading *now) {
    int64_t elapsed_ms = most_between(&b->at, now);
    return b->time_ms + elapsed_ms + drift_ms(elapsed_ms) + 1;
}

/* Teaching. */

/* The best of the window; else the last there was. All lower bounds grow weaker alike: the best one now stays
 * the best of these. */
static void choose_lower(struct service_clock *c, const struct clock_reading *now) {
    int64_t oldest = now->raw_ms / 1000 - (SECONDS - 2);
    const struct second *best = NULL;
    for (int i = 0; i < SECONDS; i++) {
        const struct second *s = &c->seconds[i];
        if (s->number >= 0 && s->number >= oldest &&
            (!best || at_least(&s->lower, now) > at_least(&best->lower, now)))
            best = s;
    }
    if (best)
        c->lower = best->lower;
}

static void add_lower(struct service_clock *c, const struct bound *lower) {
    int64_t number = lower->at.raw_ms / 1000;
    struct second *s = &c->seconds[number % SECONDS];
    if (s->number > number) /* two threads teach in another order than they received */
        return;
    if (s->number < number || at_least(lower, &lower->at) > at_least(&s->lower, &lower->at))
        *s = (struct second){number, *lower};
}

static void carry_upper(struct service_clock *c, const struct clock_reading *now) {
    if (now->raw_ms <= c->upper.at.raw_ms)
        return;
    int64_t before_ms = c->upper.time_ms;
    c->upper = (struct bound){at_most(&c->upper, now) - 1, *now};
    if (c->younger_ms != INT64_MAX)
        c->younger_ms += c->upper.time_ms - before_ms;
}

static void begin_younger(struct service_clock *c, const struct clock_reading *now) {
    if (c->younger_ms != INT64_MAX)
        c->upper.time_ms = c->younger_ms;
    c->younger_ms = INT64_MAX;
    c->younger_raw_ms = now->raw_ms;
}

/* Where the bounds contradict each other, a Date was late, or an early one made the lower bound: then this
 * Date does not count, and what it contradicts is dropped. */
static void add_upper(struct service_clock *c, const struct bound *upper, const struct clock_reading *now) {
    if (!c->is_known)
        c->upper.at = *now;
    int64_t time_ms = at_most(upper, &c->upper.at), least_ms = at_least(&c->lower, &c->upper.at);
    if (c->is_known && time_ms < least_ms)
        return;
    if (now->raw_ms - c->younger_raw_ms >= SERVICE_CLOCK_WINDOW_MS / 2)
        begin_younger(c, now);
    if (!c->is_known || c->upper.time_ms < least_ms || time_ms < c->upper.time_ms)
        c->upper.time_ms = time_ms;
    if (time_ms < c->younger_ms)
        c->younger_ms = time_ms;
    c->is_known = true;
}

/* Whether the service has sent no Date for so long that none is expected. */
static bool lacks_date(struct service_clock *c, const struct clock_reading *received) {
    if (c->first_raw_ms < 0)
        c->first_raw_ms = received->raw_ms;
    return !c->is_known && received->raw_ms - c->first_raw_ms >= SERVICE_CLOCK_WINDOW_MS;
}

void service_clock_teach(struct service_clock *c, int64_t date_ms, const struct clock_reading *sent,
                         const struct clock_reading *received) {
    bool becomes_local = false;
    pthread_mutex_lock(&c->lock);
    carry_upper(c, received);
    if (date_ms >= 0)
        add_lower(c, &(const struct bound){date_ms, *received});
    choose_lower(c, received);
    if (date_ms >= 0)
        add_upper(c, &(const struct bound){date_ms + CUT_MS, *sent}, received);
    else if (!c->is_local)
        becomes_local = c->is_local = lacks_date(c, received);
    pthread_mutex_unlock(&c->lock);
    if (becomes_local)
        log_warn("the source's replies have no Date: asOf is by this machine's clock");
}

/* Reading. */

static int64_t at(const struct service_clock *c, const struct clock_reading *then) {
    return c->is_local   ? then->boot_ms + c->local_ahead_ms
           : c->is_known ? at_least(&c->lower, then)
                         : SERVICE_CLOCK_UNKNOWN;
}

int64_t service_clock_at(struct service_clock *c, const struct clock_reading *then) {
    pthread_mutex_lock(&c->lock);
    int64_t time_ms = at(c, then);
    pthread_mutex_unlock(&c->lock);
    return time_ms;
}

int64_t service_clock_now(struct service_clock *c) {
    const struct clock_reading now = clock_read();
    return service_clock_at(c, &now);
}

/* The upper bound, unless a late Date has put it below the lower one. */
static int64_t latest(struct service_clock *c, const struct clock_reading *now) {
    pthread_mutex_lock(&c->lock);
    int64_t time_ms = at(c, now);
    if (!c->is_local && c->is_known)
        time_ms = larger(time_ms, at_most(&c->upper, now));
    pthread_mutex_unlock(&c->lock);
    return time_ms;
}

int64_t service_clock_age(struct service_clock *c, int64_t time_ms, const struct clock_reading *now) {
    int64_t latest_ms = latest(c, now);
    if (time_ms == SERVICE_CLOCK_UNKNOWN || latest_ms == SERVICE_CLOCK_UNKNOWN)
        return INT64_MAX;
    return larger(latest_ms - time_ms, 0);
}

int64_t service_clock_age_now(struct service_clock *c, int64_t time_ms) {
    const struct clock_reading now = clock_read();
    return service_clock_age(c, time_ms, &now);
}

/* How far our wall clock is ahead of a local clock; 0 if this is the clock of a service. A change is used
 * once it reaches WALL_STEP_MS, else reported times would vary by a millisecond. */
static int64_t wall_ahead_ms(struct service_clock *c) {
    pthread_mutex_lock(&c->lock);
    int64_t now_ms = c->is_local ? real_ahead_ms() - c->local_ahead_ms : 0;
    if (llabs(now_ms - c->wall_ahead_ms) >= WALL_STEP_MS)
        c->wall_ahead_ms = now_ms;
    int64_t ahead_ms = c->wall_ahead_ms;
    pthread_mutex_unlock(&c->lock);
    return ahead_ms;
}

int64_t service_clock_tell(struct service_clock *c, int64_t time_ms) {
    return time_ms == SERVICE_CLOCK_UNKNOWN ? time_ms : time_ms + wall_ahead_ms(c);
}

int64_t service_clock_wall(struct service_clock *c) {
    int64_t now_ms = service_clock_now(c);
    return now_ms == SERVICE_CLOCK_UNKNOWN ? clock_real_ms() : service_clock_tell(c, now_ms);
}

int64_t service_clock_take(struct service_clock *c, int64_t stored_ms) {
    const struct clock_reading now = clock_read();
    int64_t now_ms = service_clock_at(c, &now);
    if (stored_ms == SERVICE_CLOCK_UNKNOWN || now_ms == SERVICE_CLOCK_UNKNOWN ||
        service_clock_is_ahead(c, stored_ms))
        return SERVICE_CLOCK_UNKNOWN;
    int64_t time_ms = stored_ms - wall_ahead_ms(c);
    return time_ms < now_ms ? time_ms : now_ms;
}

int64_t service_clock_limit(struct service_clock *c) {
    const struct clock_reading now = clock_read();
    int64_t latest_ms = c ? latest(c, &now) : SERVICE_CLOCK_UNKNOWN;
    return latest_ms == SERVICE_CLOCK_UNKNOWN ? INT64_MAX : latest_ms + SERVICE_CLOCK_AHEAD_MS;
}

bool service_clock_is_ahead(struct service_clock *c, int64_t stored_ms) {
    return stored_ms != SERVICE_CLOCK_UNKNOWN && stored_ms - wall_ahead_ms(c) > service_clock_limit(c);
}

bool service_clock_is_local(struct service_clock *c) {
    pthread_mutex_lock(&c->lock);
    bool is_local = c->is_local;
    pthread_mutex_unlock(&c->lock);
    return is_local;
}
