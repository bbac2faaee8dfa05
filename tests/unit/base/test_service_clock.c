/* cmocka.h needs these headers before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/service_clock.h"

/* A simulated world, in microseconds: the true time, the service's clock, and ours. The service's is slewed
 * by up to 500 ppm, our oscillator is off by up to 500 ppm, NTP slews CLOCK_BOOTTIME by up to 8 %, and a
 * suspension stops CLOCK_MONOTONIC_RAW. */
struct world {
    uint64_t random;
    int64_t service_us, raw_us, boot_us;
    int service_ppm, raw_ppm, boot_ppm; /* faster than true time */
    struct service_clock *clock;
    int64_t early_ms, early_until_us; /* the last Date that was early, and until when it may do harm */
    int64_t late_until_us; /* the same of one that was late: until the first right one after that */
    bool was_late;
    int64_t half_exchange_ms; /* at most */
    bool may_be_late; /* a right Date was given since the start, or the last suspension: else nothing shows
                       * that one is late */
};

static uint64_t draw(struct world *w, uint64_t below) {
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (w->random >> 33) % below;
}

static int draw_ppm(struct world *w, int most) {
    return (int)draw(w, 2 * (uint64_t)most + 1) - most;
}

static int64_t scaled(int64_t us, int ppm) {
    return us + us * ppm / 1000000;
}

static void pass(struct world *w, int64_t us) {
    w->service_us += scaled(us, w->service_ppm);
    w->raw_us += scaled(us, w->raw_ppm);
    w->boot_us += scaled(us, w->boot_ppm);
}

static void suspend(struct world *w, int64_t us) {
    w->service_us += scaled(us, w->service_ppm);
    w->boot_us += us;
}

static struct clock_reading reading(const struct world *w) {
    return (struct clock_reading){w->raw_us / 1000, w->boot_us / 1000};
}

static void setup_world(struct world *w, uint64_t seed) {
    *w = (struct world){.random = seed, .service_us = INT64_C(1800000000000000), .raw_us = 5000000};
    w->service_us += (int64_t)draw(w, 1000000);
    w->boot_us = w->raw_us + (int64_t)draw(w, 1u << 30);
    w->clock = service_clock_new(true);
    w->service_ppm = draw_ppm(w, 500);
    w->raw_ppm = draw_ppm(w, 499);
    w->boot_ppm = draw_ppm(w, 80000);
}

/* What a claim made now says about the moment `then`, when the service's time was `true_us`. */
static void check_claim(struct world *w, const struct clock_reading *then, int64_t true_us) {
    int64_t claim_ms = service_clock_at(w->clock, then);
    int64_t allowed_ms = w->raw_us < w->early_until_us ? w->early_ms : 0;
    if (claim_ms != SERVICE_CLOCK_UNKNOWN && claim_ms * 1000 > true_us + allowed_ms * 1000)
        fail_msg("a claim is %" PRId64 " us ahead", claim_ms * 1000 - true_us);
}

/* The age of something that happened at the service's time `event_ms`. */
static void check_age(struct world *w, int64_t event_ms) {
    const struct clock_reading now = reading(w);
    int64_t age_ms = service_clock_age(w->clock, event_ms, &now);
    int64_t allowed_ms =
        w->was_late ? 1000 + w->half_exchange_ms : 0; /* as far as the lower bound is behind */
    if (age_ms != INT64_MAX && age_ms + allowed_ms < w->service_us / 1000 - event_ms)
        fail_msg("an age is %" PRId64 " ms, and is judged %" PRId64 " ms", w->service_us / 1000 - event_ms,
                 age_ms);
}

enum { DATES, NO_DATES, EARLY_DATE, LATE_DATE };

/* One exchange: the Date is written at some moment between sending and receiving. */
static void exchange(struct world *w, int64_t most_us, int kind) {
    const struct clock_reading sent = reading(w);
    int64_t sent_us = w->service_us;
    pass(w, (int64_t)draw(w, (uint64_t)most_us));
    int64_t date_ms = w->service_us / 1000000 * 1000;
    bool suspends = kind != LATE_DATE && draw(w, 50) == 0;
    w->may_be_late = !suspends && (kind == DATES || w->may_be_late);
    if (suspends)
        suspend(w, 5000000 + (int64_t)draw(w, 4000000000u));
    pass(w, (int64_t)draw(w, (uint64_t)most_us));
    if (kind == EARLY_DATE) {
        w->early_ms = 1000 * (1 + (int64_t)draw(w, 30));
        w->early_until_us = w->raw_us + SERVICE_CLOCK_WINDOW_MS * 1000;
        date_ms += w->early_ms;
    }
    if (kind == LATE_DATE) {
        w->late_until_us = w->raw_us + SERVICE_CLOCK_WINDOW_MS * 1000 + 4 * most_us;
        w->was_late = true;
        date_ms -= 1000 * (int64_t)draw(w, 60);
    }
    const struct clock_reading received = reading(w);
    service_clock_teach(w->clock, kind == NO_DATES ? -1 : date_ms, &sent, &received);
    w->was_late = w->was_late && (kind != DATES || w->raw_us < w->late_until_us);
    check_claim(w, &sent, sent_us);
    check_claim(w, &received, w->service_us);
    check_age(w, sent_us / 1000);
}

/* Two replies that are received in one order and teach in the other. */
static void exchange_reordered(struct world *w) {
    struct clock_reading sent[2], received[2];
    int64_t date_ms[2];
    for (int i = 0; i < 2; i++) {
        sent[i] = reading(w);
        pass(w, (int64_t)draw(w, 2000000));
        date_ms[i] = w->service_us / 1000000 * 1000;
        received[i] = reading(w);
    }
    for (int i = 1; i >= 0; i--)
        service_clock_teach(w->clock, date_ms[i], &sent[i], &received[i]);
    check_claim(w, &received[1], w->service_us);
    check_age(w, date_ms[0]);
}

static void no_claim_is_ahead_of_the_service_and_no_age_is_below_the_true_one(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct world w;
        setup_world(&w, seed);
        int64_t most_us = 1000 + (int64_t)draw(&w, seed % 4 ? 200000 : 5000000);
        w.half_exchange_ms = most_us / 1000;
        int64_t dates_from_us = w.raw_us; /* a stretch without Dates lasts up to a minute */
        for (int i = 0; i < 1000; i++) {
            bool has_date = w.raw_us >= dates_from_us;
            if (has_date && draw(&w, 400) == 0)
                dates_from_us = w.raw_us + (int64_t)draw(&w, 60000000);
            bool early = has_date && w.raw_us >= w.early_until_us && draw(&w, 1000) == 0;
            bool late = has_date && w.may_be_late && draw(&w, 200) == 0;
            exchange(&w, most_us, early ? EARLY_DATE : late ? LATE_DATE : has_date ? DATES : NO_DATES);
            if (draw(&w, 20) == 0)
                exchange_reordered(&w);
            if (draw(&w, 100) == 0)
                w.boot_ppm = draw_ppm(&w, 80000);
            pass(&w, 250000);
            const struct clock_reading now = reading(&w);
            check_claim(&w, &now, w.service_us);
            check_age(&w, w.service_us / 1000 - 1000);
        }
        service_clock_free(w.clock);
    }
}

static int compare_int64(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The bound is meant to be useful, too: at 4 reads a second of some 20 ms. */
static void a_claim_is_some_tens_of_milliseconds_behind_in_the_median(void **state) {
    enum { SAMPLES = 100 * 1000 };
    int64_t *behind = test_malloc(SAMPLES * sizeof *behind), *older = test_malloc(SAMPLES * sizeof *older);
    size_t n = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct world w;
        setup_world(&w, seed);
        for (int i = 0; i < 1000; i++, n++) {
            pass(&w, 250000);
            const struct clock_reading sent = reading(&w);
            pass(&w, (int64_t)draw(&w, 10000));
            int64_t date_ms = w.service_us / 1000000 * 1000;
            pass(&w, (int64_t)draw(&w, 10000));
            const struct clock_reading received = reading(&w);
            service_clock_teach(w.clock, date_ms, &sent, &received);
            behind[n] = w.service_us / 1000 - service_clock_at(w.clock, &received);
            older[n] = service_clock_age(w.clock, w.service_us / 1000, &received);
        }
        service_clock_free(w.clock);
    }
    qsort(behind, n, sizeof *behind, compare_int64);
    qsort(older, n, sizeof *older, compare_int64);
    print_message("behind: median %" PRId64 " ms, 99 %% %" PRId64 " ms, most %" PRId64
                  " ms; ages too old by: median %" PRId64 " ms, 99 %% %" PRId64 " ms\n",
                  behind[n / 2], behind[n * 99 / 100], behind[n - 1], older[n / 2], older[n * 99 / 100]);
    assert_in_range(behind[n / 2], 0, 60);
    assert_in_range(behind[n - 1], 0, 1100);
    assert_in_range(older[n / 2], 0, 120);
    test_free(behind);
    test_free(older);
}

static struct service_clock *taught(int64_t date_ms, int64_t at_ms) {
    struct service_clock *c = service_clock_new(true);
    const struct clock_reading sent = {at_ms - 100, at_ms - 100}, received = {at_ms, at_ms};
    service_clock_teach(c, date_ms, &sent, &received);
    return c;
}

static void before_the_first_date_every_time_is_unknown(void **state) {
    (void)state;
    const struct clock_reading now = {1000, 1000};
    struct service_clock *c = service_clock_new(true);
    service_clock_teach(c, -1, &now, &now);
    assert_int_equal(service_clock_at(c, &now), SERVICE_CLOCK_UNKNOWN);
    assert_int_equal(service_clock_age(c, 5, &now), INT64_MAX);
    assert_int_equal(service_clock_take(c, 5), SERVICE_CLOCK_UNKNOWN);
    assert_false(service_clock_is_ahead(c, INT64_MAX / 2));
    service_clock_free(c);
}

/* The request was sent, the machine slept for an hour, and then another reply taught the time of now. */
static void a_request_that_was_sent_before_a_suspension_is_not_claimed_later_than_that(void **state) {
    (void)state;
    const struct clock_reading sent = {1000, 1000}, awake = {2000, 3602000};
    struct service_clock *c = service_clock_new(true);
    service_clock_teach(c, 10000000, &awake, &awake);
    assert_in_range(service_clock_at(c, &sent), 10000000 - 3601000 - 3703, 10000000 - 3601000);
    service_clock_free(c);
}

static void without_replies_the_bounds_stay_and_grow_apart_by_a_millisecond_a_second(void **state) {
    (void)state;
    struct service_clock *c = taught(5000000, 1000);
    const struct clock_reading later = {1001000, 1001000};
    assert_int_equal(service_clock_at(c, &later), 5000000 + 1000000 - 1000 - 1);
    assert_in_range(service_clock_age(c, 6000000, &later), 1000 + 100 + 1000, 1000 + 100 + 1000 + 4);
    service_clock_free(c);
}

/* The service's time is 500 ms more than the first Date says. */
static void a_date_that_is_late_makes_no_age_younger(void **state) {
    (void)state;
    struct service_clock *c = taught(5000000, 1000);
    const struct clock_reading sent = {11000, 11000}, received = {11100, 11100};
    service_clock_teach(c, 4970000, &sent, &received);
    assert_in_range(service_clock_age(c, 5000000, &received), 10100 + 1000, 10100 + 1000 + 200);
    service_clock_free(c);
}

static void a_stored_time_up_to_5_s_ahead_counts_as_now_and_a_later_one_is_unknown(void **state) {
    (void)state;
    const struct clock_reading now = clock_read();
    struct service_clock *c = taught(5000000, now.raw_ms);
    assert_int_equal(service_clock_take(c, 4000000), 4000000);
    assert_in_range(service_clock_take(c, 5004000), 4999000, 5001000);
    assert_false(service_clock_is_ahead(c, 5004000));
    assert_int_equal(service_clock_take(c, 5060000), SERVICE_CLOCK_UNKNOWN);
    assert_true(service_clock_is_ahead(c, 5060000));
    assert_int_equal(service_clock_tell(c, 4000000), 4000000);
    service_clock_free(c);
}

static void a_service_that_sends_no_date_for_64_s_makes_the_clock_local(void **state) {
    (void)state;
    struct service_clock *c = service_clock_new(true);
    struct clock_reading now = clock_read();
    service_clock_teach(c, -1, &now, &now);
    now.raw_ms += SERVICE_CLOCK_WINDOW_MS - 1;
    service_clock_teach(c, -1, &now, &now);
    assert_int_equal(service_clock_now(c), SERVICE_CLOCK_UNKNOWN);
    now.raw_ms++;
    service_clock_teach(c, -1, &now, &now);
    assert_in_range(service_clock_now(c), clock_real_ms() - 5000, clock_real_ms() + 5000);
    service_clock_teach(c, 1000, &now, &now); /* too late */
    assert_in_range(service_clock_now(c), clock_real_ms() - 5000, clock_real_ms() + 5000);
    service_clock_free(c);
}

static void a_local_clock_runs_with_boottime(void **state) {
    (void)state;
    struct service_clock *c = service_clock_new(false);
    struct clock_reading now = clock_read();
    int64_t time_ms = service_clock_at(c, &now);
    now.boot_ms += 3000;
    assert_int_equal(service_clock_at(c, &now), time_ms + 3000);
    assert_int_equal(service_clock_age(c, time_ms, &now), 3000);
    assert_int_equal(service_clock_take(c, service_clock_tell(c, time_ms)), time_ms);
    service_clock_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_claim_is_ahead_of_the_service_and_no_age_is_below_the_true_one),
        cmocka_unit_test(a_claim_is_some_tens_of_milliseconds_behind_in_the_median),
        cmocka_unit_test(before_the_first_date_every_time_is_unknown),
        cmocka_unit_test(a_request_that_was_sent_before_a_suspension_is_not_claimed_later_than_that),
        cmocka_unit_test(without_replies_the_bounds_stay_and_grow_apart_by_a_millisecond_a_second),
        cmocka_unit_test(a_date_that_is_late_makes_no_age_younger),
        cmocka_unit_test(a_stored_time_up_to_5_s_ahead_counts_as_now_and_a_later_one_is_unknown),
        cmocka_unit_test(a_service_that_sends_no_date_for_64_s_makes_the_clock_local),
        cmocka_unit_test(a_local_clock_runs_with_boottime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
