#include "aws/credentials/chain.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/support/test.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define NOW INT64_C(1000000000000)

/* Both clocks are stepped alike. CLOCK_BOOTTIME is 0 when AWS's is NOW. */
static _Atomic int64_t stepped_ms;
static atomic_bool is_unknown; /* AWS's */

static int64_t stepped_clock(void) {
    return atomic_load(&stepped_ms);
}

static int64_t stepped_aws_clock(struct service_clock *clock) {
    (void)clock;
    return atomic_load(&is_unknown) ? INT64_MAX : NOW + stepped_clock();
}

static void step_to(int64_t aws_ms) {
    atomic_store(&stepped_ms, aws_ms - NOW);
}

/* A source whose answers the test sets. */
struct scripted {
    enum status status;
    const char *key;
    int64_t expires_ms, issued_ms;
    bool outlives;
    bool blocks;      /* until it is stopped, or `go` is posted */
    int64_t takes_ms; /* of the stepped clock */
    atomic_int fetches;
    sem_t entered, go;
};

static enum status fetch_scripted(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    struct scripted *s = context;
    atomic_fetch_add(&s->fetches, 1);
    if (s->blocks) {
        struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
        sem_post(&s->entered);
        while (sem_trywait(&s->go) != 0)
            if (poll(&stop, 1, 5) > 0)
                return error_set(e, STATUS_FAILED, "stopped");
    }
    atomic_fetch_add(&stepped_ms, s->takes_ms);
    if (s->status)
        return error_set(e, s->status, "as scripted");
    const struct aws_credentials_found found = {s->key,          "secret",      NULL,
                                                {"k", "s", "t"}, s->expires_ms, "script"};
    assert_int_equal(aws_credentials_make(out, &found, NULL), STATUS_OK);
    (*out)->issued_ms = s->issued_ms;
    (*out)->outlives = s->outlives;
    return STATUS_OK;
}

static struct aws_credentials_source source_of(struct scripted *s) {
    sem_init(&s->entered, 0, 0);
    sem_init(&s->go, 0, 0);
    return (struct aws_credentials_source){"script", fetch_scripted, NULL, s};
}

static struct aws_credentials_chain *chain_of(struct scripted *only) {
    const struct aws_credentials_source source = source_of(only);
    struct aws_credentials_chain *chain = aws_credentials_chain_new(&source, 1);
    aws_credentials_chain_measure_with(chain, stepped_clock, stepped_aws_clock);
    atomic_store(&is_unknown, false);
    return chain;
}

static struct aws_credentials_chain *chain_of_two(const struct aws_credentials_source sources[2]) {
    struct aws_credentials_chain *chain = aws_credentials_chain_new(sources, 2);
    aws_credentials_chain_measure_with(chain, stepped_clock, stepped_aws_clock);
    atomic_store(&is_unknown, false);
    return chain;
}

static enum status get(struct aws_credentials_chain *chain, int64_t now_ms, struct aws_credentials **out,
                       struct error *e) {
    step_to(now_ms);
    return aws_credentials_chain_get(chain, 0, out, e);
}

/* When the next turn is due, by AWS's clock. */
static int64_t turn(struct aws_credentials_chain *chain, int64_t now_ms) {
    step_to(now_ms);
    int64_t next_ms = aws_credentials_chain_turn(chain);
    return next_ms == INT64_MAX ? next_ms : NOW + next_ms;
}

/* AWS refuses a call that is signed with this key. */
static bool refuse(struct aws_credentials_chain *chain, int64_t now_ms, const char *key) {
    const struct aws_credentials_found found = {key, "secret", NULL, {"k", "s", "t"}, 0, "script"};
    struct aws_credentials *used;
    step_to(now_ms);
    assert_int_equal(aws_credentials_make(&used, &found, NULL), STATUS_OK);
    bool is_worth_a_retry = aws_credentials_chain_refused(chain, used, "ExpiredTokenException");
    aws_credentials_unref(used);
    return is_worth_a_retry;
}

static void assert_key(struct aws_credentials_chain *chain, int64_t now_ms, const char *key) {
    struct aws_credentials *c;
    struct error e;
    if (get(chain, now_ms, &c, &e))
        fail_msg("%s", e.message);
    assert_string_equal(c->access_key_id, key);
    aws_credentials_unref(c);
}

static void assert_none(struct aws_credentials_chain *chain, int64_t now_ms, enum status status) {
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(chain, now_ms, &c, &e), status);
    assert_null(c);
    assert_contains(e.message, "as scripted");
}

static void the_first_configured_source_is_used_even_if_it_fails(void **state) {
    (void)state;
    struct scripted first = {.status = STATUS_NOT_FOUND}, second = {.key = "SECOND"};
    const struct aws_credentials_source sources[] = {source_of(&first), source_of(&second)};
    struct aws_credentials_chain *chain = chain_of_two(sources);
    assert_key(chain, NOW, "SECOND");
    aws_credentials_chain_free(chain);

    first.status = STATUS_RETRY;
    atomic_store(&second.fetches, 0);
    chain = chain_of_two(sources);
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(chain, NOW, &c, &e), STATUS_RETRY);
    assert_string_equal(e.message, "cannot get credentials from the script: as scripted");
    assert_int_equal(atomic_load(&second.fetches), 0);
    aws_credentials_chain_free(chain);
}

static void without_credentials_the_error_lists_what_each_source_looked_for(void **state) {
    (void)state;
    struct scripted first = {.status = STATUS_NOT_FOUND}, second = {.status = STATUS_NOT_FOUND};
    const struct aws_credentials_source sources[] = {source_of(&first), source_of(&second)};
    struct aws_credentials_chain *chain = chain_of_two(sources);
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(chain, NOW, &c, &e), STATUS_FAILED);
    assert_string_equal(e.code, "NoCredentials");
    assert_string_equal(e.message, "no credentials found; script: as scripted; script: as scripted");
    aws_credentials_chain_free(chain);
}

static void if_a_source_returns_invalid_the_get_returns_failed(void **state) {
    (void)state;
    struct scripted s = {.status = STATUS_INVALID};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_none(chain, NOW, STATUS_FAILED);
    aws_credentials_chain_free(chain);
}

static void a_failing_source_is_not_replaced_by_another(void **state) {
    (void)state;
    struct scripted first = {.key = "FIRST", .expires_ms = NOW + HOUR_MS}, second = {.key = "SECOND"};
    const struct aws_credentials_source sources[] = {source_of(&first), source_of(&second)};
    struct aws_credentials_chain *chain = chain_of_two(sources);
    assert_key(chain, NOW, "FIRST");
    first.status = STATUS_NOT_FOUND;
    assert_none(chain, NOW + HOUR_MS, STATUS_RETRY);
    assert_int_equal(atomic_load(&second.fetches), 0);
    aws_credentials_chain_free(chain);
}

static void credentials_are_returned_until_they_expire(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    s.key = "TWO";
    s.expires_ms = NOW + 2 * HOUR_MS;
    assert_key(chain, NOW + HOUR_MS - 1, "ONE");
    assert_int_equal(atomic_load(&s.fetches), 1);
    assert_key(chain, NOW + HOUR_MS, "TWO");
    assert_int_equal(atomic_load(&s.fetches), 2);
    aws_credentials_chain_free(chain);
}

static void a_fetch_that_returns_expired_credentials_fails(void **state) {
    (void)state;
    struct scripted s = {.key = "OLD", .expires_ms = NOW};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(chain, NOW, &c, &e), STATUS_RETRY);
    assert_contains(e.message, "expired at 2001-09-09T01:46:40.000Z");
    aws_credentials_chain_free(chain);
}

static void a_refresh_is_due_ten_to_fifteen_minutes_before_the_expiry(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
        struct aws_credentials_chain *chain = chain_of(&s);
        assert_true(turn(chain, NOW) == INT64_MAX); /* there was no get yet */
        assert_int_equal(atomic_load(&s.fetches), 0);
        assert_key(chain, NOW, "ONE");
        s.key = "TWO";
        s.expires_ms = NOW + 2 * HOUR_MS;
        int64_t due = turn(chain, NOW);
        assert_in_range(due, NOW + 45 * MINUTE_MS, NOW + 50 * MINUTE_MS);
        assert_true(turn(chain, due - 1) == due);
        assert_key(chain, due - 1, "ONE");
        assert_int_equal(atomic_load(&s.fetches), 1);
        int64_t next = turn(chain, due);
        assert_in_range(next, NOW + 105 * MINUTE_MS, NOW + 110 * MINUTE_MS);
        assert_key(chain, due, "TWO");
        assert_int_equal(atomic_load(&s.fetches), 2);
        aws_credentials_chain_free(chain);
    }
}

static void short_lived_credentials_are_refreshed_at_half_of_their_lifetime(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + 4 * MINUTE_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    assert_true(turn(chain, NOW) == NOW + 2 * MINUTE_MS);
    /* The endpoint returns the same credentials. Each next refresh is at half of the remaining time, but at
     * least 1 s later. */
    assert_true(turn(chain, NOW + 2 * MINUTE_MS) == NOW + 3 * MINUTE_MS);
    assert_true(turn(chain, NOW + 4 * MINUTE_MS - 1) == NOW + 4 * MINUTE_MS - 1 + 1000);
    aws_credentials_chain_free(chain);
}

static void credentials_without_an_expiry_are_not_refreshed(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE"};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    assert_true(turn(chain, NOW + 1000 * HOUR_MS) == INT64_MAX);
    assert_key(chain, NOW + 1000 * HOUR_MS, "ONE");
    assert_int_equal(atomic_load(&s.fetches), 1);
    aws_credentials_chain_free(chain);
}

static void after_a_failed_refresh_the_old_credentials_are_kept_and_the_refresh_is_retried(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    s.status = STATUS_FAILED;
    int64_t now = turn(chain, NOW), last_pause = 0;
    for (int i = 0; now < NOW + HOUR_MS; i++) {
        assert_key(chain, now, "ONE");
        int64_t next = turn(chain, now), most = 1000 << (i < 10 ? i : 10);
        most = most < LIMIT_CREDENTIALS_BACKOFF_MS ? most : LIMIT_CREDENTIALS_BACKOFF_MS;
        if (next < NOW + HOUR_MS) { /* the last pause ends at the expiry */
            last_pause = next - now;
            assert_in_range(last_pause, most / 2, most);
        }
        assert_int_equal(atomic_load(&s.fetches), i + 2);
        now = next;
    }
    assert_true(last_pause >= LIMIT_CREDENTIALS_BACKOFF_MS / 2);
    assert_true(now == NOW + HOUR_MS);
    assert_none(chain, now, STATUS_FAILED);
    assert_true(turn(chain, now) - now <= LIMIT_CREDENTIALS_OUTAGE_MS);

    s.status = STATUS_OK;
    s.key = "TWO";
    s.expires_ms = NOW + 3 * HOUR_MS;
    now += LIMIT_CREDENTIALS_OUTAGE_MS;
    assert_true(turn(chain, now) > now + HOUR_MS);
    assert_key(chain, now, "TWO");
    aws_credentials_chain_free(chain);
}

static void during_the_pause_after_a_failure_a_get_returns_that_failure_without_a_fetch(void **state) {
    (void)state;
    struct scripted s = {.status = STATUS_RETRY};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_none(chain, NOW, STATUS_RETRY);
    assert_none(chain, NOW + 499, STATUS_RETRY);
    assert_int_equal(atomic_load(&s.fetches), 1);
    s.status = STATUS_OK;
    s.key = "ONE";
    assert_key(chain, NOW + 1000, "ONE");
    aws_credentials_chain_free(chain);
}

static void the_pause_after_a_failure_begins_when_the_failed_fetch_has_ended(void **state) {
    (void)state;
    struct scripted s = {.status = STATUS_RETRY, .takes_ms = 30000};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_none(chain, NOW, STATUS_RETRY);
    assert_none(chain, NOW + 30000 + 499, STATUS_RETRY);
    assert_int_equal(atomic_load(&s.fetches), 1);
    assert_none(chain, NOW + 31000, STATUS_RETRY);
    assert_int_equal(atomic_load(&s.fetches), 2);
    aws_credentials_chain_free(chain);
}

static void a_fetch_whose_credentials_expire_while_it_runs_fails(void **state) {
    (void)state;
    struct scripted s = {.key = "SHORT", .expires_ms = NOW + 2000, .takes_ms = 2000};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(chain, NOW, &c, &e), STATUS_RETRY);
    assert_contains(e.message, "expired at 2001-09-09T01:46:42.000Z");
    s.expires_ms = NOW + 6000;
    s.takes_ms = 1999;
    assert_key(chain, NOW + 4000, "SHORT");
    aws_credentials_chain_free(chain);
}

/* Expired, by whose clock? */

static void while_no_reply_has_taught_the_clock_the_expiry_does_not_count(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW - HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    atomic_store(&is_unknown, true);
    assert_key(chain, NOW, "ONE");
    assert_true(turn(chain, NOW + 10 * HOUR_MS) == INT64_MAX);
    assert_key(chain, NOW + 10 * HOUR_MS, "ONE");
    assert_int_equal(atomic_load(&s.fetches), 1);
    atomic_store(&is_unknown, false);
    s.key = "TWO";
    s.expires_ms = NOW + 20 * HOUR_MS;
    assert_key(chain, NOW + 10 * HOUR_MS, "TWO");
    aws_credentials_chain_free(chain);
}

static void before_the_first_reply_the_time_of_their_issuer_counts(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS, .issued_ms = NOW};
    struct aws_credentials_chain *chain = chain_of(&s);
    atomic_store(&is_unknown, true);
    assert_key(chain, NOW + 5 * HOUR_MS, "ONE");
    assert_in_range(turn(chain, NOW + 5 * HOUR_MS), NOW + 5 * HOUR_MS + 45 * MINUTE_MS,
                    NOW + 5 * HOUR_MS + 50 * MINUTE_MS);
    s.key = "TWO";
    assert_key(chain, NOW + 6 * HOUR_MS - 1, "ONE");
    assert_key(chain, NOW + 6 * HOUR_MS, "TWO");
    atomic_store(&is_unknown, false); /* and AWS's own replies show another time */
    s.key = "THREE";
    s.expires_ms = NOW + 20 * HOUR_MS;
    assert_key(chain, NOW + 6 * HOUR_MS, "THREE");
    aws_credentials_chain_free(chain);
}

static void expired_ones_of_the_metadata_service_are_used_and_fetched_again_in_minutes(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW - HOUR_MS, .outlives = true};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    for (int64_t now = NOW, next, i = 0; i < 20; i++, now = next) {
        next = turn(chain, now);
        assert_in_range(next - now, LIMIT_CREDENTIALS_OUTLIVED_MS, 2 * LIMIT_CREDENTIALS_OUTLIVED_MS);
        assert_key(chain, next - 1, "ONE");
        assert_int_equal(atomic_load(&s.fetches), i + 1);
    }
    s.status = STATUS_RETRY;
    assert_key(chain, NOW + 100 * HOUR_MS, "ONE"); /* also while it does not answer */
    aws_credentials_chain_free(chain);
}

/* Refused by AWS. */

static void a_refusal_causes_one_fetch_and_the_next_get_returns_the_new_ones(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE"};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_false(refuse(chain, NOW, "ONE") && turn(chain, NOW) < INT64_MAX);
    assert_key(chain, NOW, "ONE");
    s.key = "TWO";
    for (int i = 0; i < 10; i++)
        assert_true(refuse(chain, NOW + MINUTE_MS, "ONE"));
    assert_key(chain, NOW + MINUTE_MS, "TWO");
    assert_true(refuse(chain, NOW + MINUTE_MS, "ONE")); /* late: there are others */
    assert_key(chain, NOW + MINUTE_MS, "TWO");
    assert_int_equal(atomic_load(&s.fetches), 2);
    aws_credentials_chain_free(chain);
}

static void no_two_fetches_for_refusals_are_within_five_seconds(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE"};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    s.key = "TWO";
    assert_false(refuse(chain, NOW + 4999, "ONE"));
    assert_key(chain, NOW + 4999, "ONE"); /* it does not wait */
    assert_true(turn(chain, NOW + 4999) == NOW + 5000);
    s.status = STATUS_RETRY;
    assert_in_range(turn(chain, NOW + 5000), NOW + 10000, NOW + 10000);
    assert_key(chain, NOW + 9999, "ONE");
    s.status = STATUS_OK;
    turn(chain, NOW + 10000);
    assert_key(chain, NOW + 10000, "TWO");
    assert_int_equal(atomic_load(&s.fetches), 3);
    aws_credentials_chain_free(chain);
}

static void if_the_source_has_the_same_ones_still_the_fetch_fails_and_the_next_is_in_a_minute(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE"};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    for (int64_t now = NOW + MINUTE_MS, i = 0; i < 5; i++, now += MINUTE_MS) {
        assert_true(refuse(chain, now, "ONE") == (i == 0));
        assert_key(chain, now, "ONE");
        assert_true(turn(chain, now) == now + MINUTE_MS);
        assert_int_equal(atomic_load(&s.fetches), i + 2);
    }
    assert_true(turn(chain, NOW + 6 * MINUTE_MS) == INT64_MAX); /* none was refused since: it has succeeded */
    assert_int_equal(atomic_load(&s.fetches), 7);
    aws_credentials_chain_free(chain);
}

/* Threads. */

static int64_t real_clock(struct service_clock *clock) {
    (void)clock;
    return clock_real_ms();
}

struct getter {
    struct aws_credentials_chain *chain;
    enum status status;
    char key[16];
    char code[64];
};

static void *get_once(void *context) {
    struct getter *g = context;
    struct aws_credentials *c;
    struct error e = {0};
    g->status = aws_credentials_chain_get(g->chain, 0, &c, &e);
    if (!g->status)
        snprintf(g->key, sizeof g->key, "%s", c->access_key_id);
    snprintf(g->code, sizeof g->code, "%s", e.code);
    aws_credentials_unref(c);
    return NULL;
}

enum { GETTERS = 8 };

static void start_getters(struct aws_credentials_chain *chain, struct getter getters[GETTERS],
                          pthread_t threads[GETTERS]) {
    for (size_t i = 0; i < GETTERS; i++) {
        getters[i] = (struct getter){.chain = chain};
        assert_int_equal(pthread_create(&threads[i], NULL, get_once, &getters[i]), 0);
    }
}

static void many_threads_that_get_at_once_cause_one_fetch(void **state) {
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        struct scripted s = {.key = "ONE", .blocks = true, .status = failing ? STATUS_RETRY : STATUS_OK};
        s.takes_ms = 2 * MINUTE_MS;
        struct aws_credentials_chain *chain = chain_of(&s);
        struct getter getters[GETTERS];
        pthread_t threads[GETTERS];
        start_getters(chain, getters, threads);
        sem_wait(&s.entered);
        sem_post(&s.go);
        for (size_t i = 0; i < GETTERS; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(getters[i].status, failing ? STATUS_RETRY : STATUS_OK);
            assert_string_equal(getters[i].key, failing ? "" : "ONE");
        }
        assert_int_equal(atomic_load(&s.fetches), 1);
        aws_credentials_chain_free(chain);
    }
}

static void valid_credentials_are_returned_during_a_refresh(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    s.blocks = true;
    step_to(NOW + 55 * MINUTE_MS);
    aws_credentials_chain_start(chain, NULL);
    sem_wait(&s.entered);
    assert_key(chain, NOW + 55 * MINUTE_MS, "ONE"); /* would hang if the fetch held the lock */
    aws_credentials_chain_free(chain);
}

static void many_threads_whose_calls_were_refused_at_once_cause_one_fetch(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE"};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct getter getters[GETTERS];
    pthread_t threads[GETTERS];
    assert_key(chain, NOW, "ONE");
    s.key = "TWO";
    s.blocks = true;
    assert_true(refuse(chain, NOW + MINUTE_MS, "ONE"));
    start_getters(chain, getters, threads);
    sem_wait(&s.entered);
    assert_true(refuse(chain, NOW + MINUTE_MS, "ONE"));
    sem_post(&s.go);
    for (size_t i = 0; i < GETTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(getters[i].key, "TWO");
    }
    assert_int_equal(atomic_load(&s.fetches), 2);
    aws_credentials_chain_free(chain);
}

static void a_get_ends_at_its_deadline_and_the_fetch_continues(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .blocks = true};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct aws_credentials *c;
    struct error e;
    aws_credentials_chain_measure_with(chain, clock_boot_ms, real_clock);
    for (int i = 0; i < 3; i++) {
        int64_t began_ms = clock_boot_ms(), deadline_ms = began_ms + 50;
        assert_int_equal(aws_credentials_chain_get(chain, deadline_ms, &c, &e), STATUS_RETRY);
        assert_in_range(clock_boot_ms() - began_ms, 50, 5000);
        assert_null(c);
        assert_string_equal(e.code, "DeadlineExceeded");
        assert_string_equal(e.message, "no credentials in the time given");
    }
    sem_wait(&s.entered);
    sem_post(&s.go);
    assert_key(chain, NOW, "ONE");
    assert_int_equal(atomic_load(&s.fetches), 1);
    aws_credentials_chain_free(chain);
}

static void a_get_returns_the_result_of_a_fetch_that_ends_before_the_deadline(void **state) {
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        struct scripted s = {.key = "ONE", .status = failing ? STATUS_FAILED : STATUS_OK};
        struct aws_credentials_chain *chain = chain_of(&s);
        struct aws_credentials *c;
        struct error e;
        int64_t began_ms = clock_boot_ms();
        aws_credentials_chain_measure_with(chain, clock_boot_ms, real_clock);
        enum status status = aws_credentials_chain_get(chain, began_ms + 60000, &c, &e);
        assert_int_equal(status, failing ? STATUS_FAILED : STATUS_OK);
        assert_true(clock_boot_ms() - began_ms < 20000);
        aws_credentials_unref(c);
        assert_int_equal(atomic_load(&s.fetches), 1);
        aws_credentials_chain_free(chain);
    }
}

static void a_get_that_times_out_reports_the_earlier_failure(void **state) {
    (void)state;
    struct scripted s = {.status = STATUS_FAILED};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct aws_credentials *c;
    struct error e;
    assert_none(chain, NOW, STATUS_FAILED);
    s.blocks = true;
    step_to(NOW + 1000);
    assert_int_equal(aws_credentials_chain_get(chain, stepped_clock(), &c, &e), STATUS_RETRY);
    assert_contains(e.message, "in the time given; before that: cannot get credentials from the script: as");
    sem_wait(&s.entered);
    aws_credentials_chain_free(chain);
}

static void no_refresh_is_due_while_another_thread_fetches(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
    atomic_store(&stepped_ms, 0);
    struct aws_credentials_chain *chain = chain_of(&s);
    struct getter g = {.chain = chain};
    pthread_t thread;
    assert_key(chain, NOW, "ONE");
    s.blocks = true;
    s.expires_ms = NOW + 2 * HOUR_MS;
    step_to(NOW + HOUR_MS);
    assert_int_equal(pthread_create(&thread, NULL, get_once, &g), 0);
    sem_wait(&s.entered);
    assert_true(turn(chain, NOW + HOUR_MS) == INT64_MAX);
    sem_post(&s.go);
    pthread_join(thread, NULL);
    assert_true(turn(chain, NOW + HOUR_MS) < NOW + 2 * HOUR_MS);
    assert_int_equal(atomic_load(&s.fetches), 2);
    aws_credentials_chain_free(chain);
}

static void a_cancel_ends_the_fetch_and_every_waiting_get(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .blocks = true};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct getter getters[GETTERS];
    pthread_t threads[GETTERS];
    start_getters(chain, getters, threads);
    sem_wait(&s.entered);
    int64_t began_ms = clock_boot_ms();
    aws_credentials_chain_cancel(chain);
    for (size_t i = 0; i < GETTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(getters[i].status, STATUS_FAILED);
    }
    assert_true(clock_boot_ms() - began_ms < 5000);
    int fetches = atomic_load(&s.fetches);
    get_once(&getters[0]);
    assert_int_equal(getters[0].status, STATUS_FAILED);
    assert_string_equal(getters[0].code, "Cancelled");
    assert_int_equal(atomic_load(&s.fetches), fetches);
    aws_credentials_chain_free(chain);
}

static void a_fetch_ends_when_the_stop_descriptor_is_readable(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .blocks = true};
    struct aws_credentials_chain *chain = chain_of(&s);
    uint64_t one = 1;
    int fd = eventfd(0, EFD_CLOEXEC);
    struct getter g = {.chain = chain};
    pthread_t thread;
    aws_credentials_chain_stop_with(chain, fd);
    assert_int_equal(pthread_create(&thread, NULL, get_once, &g), 0);
    sem_wait(&s.entered);
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
    pthread_join(thread, NULL);
    assert_int_equal(g.status, STATUS_FAILED);
    aws_credentials_chain_free(chain);
    close(fd);
}

struct listener_calls {
    sem_t any;
    int successes, failures;
    char kept[16];
    char message[128];
};

static void listen_to(void *data, const struct aws_credentials_news *news) {
    struct listener_calls *h = data;
    assert_false(news->has_expired);
    h->successes += !news->failure;
    h->failures += news->failure != NULL;
    snprintf(h->kept, sizeof h->kept, "%s", news->kept ? news->kept->access_key_id : "");
    snprintf(h->message, sizeof h->message, "%s", news->failure ? news->failure->message : "");
    sem_post(&h->any);
}

static void the_thread_refreshes_before_the_expiry_and_calls_the_listener(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = clock_real_ms() + 4000};
    struct aws_credentials_chain *chain = chain_of(&s);
    aws_credentials_chain_measure_with(chain, clock_boot_ms, real_clock);
    struct listener_calls calls = {.successes = 0};
    const struct aws_credentials_listener listener = {listen_to, &calls};
    sem_init(&calls.any, 0, 0);
    aws_credentials_chain_start(chain, &listener);
    assert_key(chain, NOW, "ONE");
    sem_wait(&calls.any);
    sem_wait(&calls.any); /* the refresh at half of the lifetime, without a get */
    aws_credentials_chain_stop(chain);
    assert_true(calls.successes >= 2);
    assert_string_equal(calls.kept, "ONE");
    aws_credentials_chain_free(chain);
    sem_destroy(&calls.any);
}

static void the_listener_gets_the_failure_and_the_credentials_that_are_kept(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct listener_calls calls = {.successes = 0};
    const struct aws_credentials_listener listener = {listen_to, &calls};
    sem_init(&calls.any, 0, 0);
    assert_key(chain, NOW, "ONE");
    s.status = STATUS_FAILED;
    refuse(chain, NOW + MINUTE_MS, "ONE");
    aws_credentials_chain_start(chain, &listener);
    sem_wait(&calls.any);
    aws_credentials_chain_stop(chain);
    assert_true(calls.failures >= 1);
    assert_string_equal(calls.kept, "ONE");
    assert_string_equal(calls.message, "cannot get credentials from the script: as scripted");
    aws_credentials_chain_free(chain);
    sem_destroy(&calls.any);
}

static void *get_often(void *context) {
    for (int i = 0; i < 2000; i++)
        get_once(context);
    return NULL;
}

static void threads_get_credentials_while_another_refreshes(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + 10 * HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    struct getter getters[2] = {{.chain = chain}, {.chain = chain}};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_often, &getters[i]), 0);
    for (int i = 0; i < 200; i++) {
        refuse(chain, NOW + i * MINUTE_MS, "ONE");
        turn(chain, NOW + i * MINUTE_MS);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(getters[i].status, STATUS_OK);
        assert_string_equal(getters[i].key, "ONE");
    }
    aws_credentials_chain_free(chain);
}

/* Metrics. */

static char *metrics_text(void) {
    struct buffer out;
    buffer_init(&out, 1 << 20);
    metrics_write(&out);
    return buffer_detach(&out);
}

static void the_expiry_metric_exists_only_if_the_credentials_expire(void **state) {
    (void)state;
    struct scripted s = {.key = "ONE", .expires_ms = NOW + HOUR_MS};
    struct aws_credentials_chain *chain = chain_of(&s);
    assert_key(chain, NOW, "ONE");
    char *text = metrics_text();
    assert_contains(text, "\nwinner_view_aws_credentials_expiry_timestamp_seconds 1000003600\n");
    assert_contains(text, "winner_view_aws_credentials_refreshes_total{result=\"success\"} ");
    assert_contains(text, "winner_view_aws_credentials_refreshes_total{result=\"failure\"} ");
    free(text);
    s.expires_ms = 0;
    assert_key(chain, NOW + HOUR_MS, "ONE");
    text = metrics_text();
    assert_lacks(text, "\nwinner_view_aws_credentials_expiry_timestamp_seconds ");
    free(text);
    aws_credentials_chain_free(chain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_configured_source_is_used_even_if_it_fails),
        cmocka_unit_test(without_credentials_the_error_lists_what_each_source_looked_for),
        cmocka_unit_test(if_a_source_returns_invalid_the_get_returns_failed),
        cmocka_unit_test(a_failing_source_is_not_replaced_by_another),
        cmocka_unit_test(credentials_are_returned_until_they_expire),
        cmocka_unit_test(a_fetch_that_returns_expired_credentials_fails),
        cmocka_unit_test(a_refresh_is_due_ten_to_fifteen_minutes_before_the_expiry),
        cmocka_unit_test(short_lived_credentials_are_refreshed_at_half_of_their_lifetime),
        cmocka_unit_test(credentials_without_an_expiry_are_not_refreshed),
        cmocka_unit_test(after_a_failed_refresh_the_old_credentials_are_kept_and_the_refresh_is_retried),
        cmocka_unit_test(during_the_pause_after_a_failure_a_get_returns_that_failure_without_a_fetch),
        cmocka_unit_test(the_pause_after_a_failure_begins_when_the_failed_fetch_has_ended),
        cmocka_unit_test(a_fetch_whose_credentials_expire_while_it_runs_fails),
        cmocka_unit_test(while_no_reply_has_taught_the_clock_the_expiry_does_not_count),
        cmocka_unit_test(before_the_first_reply_the_time_of_their_issuer_counts),
        cmocka_unit_test(expired_ones_of_the_metadata_service_are_used_and_fetched_again_in_minutes),
        cmocka_unit_test(a_refusal_causes_one_fetch_and_the_next_get_returns_the_new_ones),
        cmocka_unit_test(no_two_fetches_for_refusals_are_within_five_seconds),
        cmocka_unit_test(if_the_source_has_the_same_ones_still_the_fetch_fails_and_the_next_is_in_a_minute),
        cmocka_unit_test(many_threads_that_get_at_once_cause_one_fetch),
        cmocka_unit_test(valid_credentials_are_returned_during_a_refresh),
        cmocka_unit_test(many_threads_whose_calls_were_refused_at_once_cause_one_fetch),
        cmocka_unit_test(a_get_ends_at_its_deadline_and_the_fetch_continues),
        cmocka_unit_test(a_get_returns_the_result_of_a_fetch_that_ends_before_the_deadline),
        cmocka_unit_test(a_get_that_times_out_reports_the_earlier_failure),
        cmocka_unit_test(no_refresh_is_due_while_another_thread_fetches),
        cmocka_unit_test(a_cancel_ends_the_fetch_and_every_waiting_get),
        cmocka_unit_test(a_fetch_ends_when_the_stop_descriptor_is_readable),
        cmocka_unit_test(the_thread_refreshes_before_the_expiry_and_calls_the_listener),
        cmocka_unit_test(the_listener_gets_the_failure_and_the_credentials_that_are_kept),
        cmocka_unit_test(threads_get_credentials_while_another_refreshes),
        cmocka_unit_test(the_expiry_metric_exists_only_if_the_credentials_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
