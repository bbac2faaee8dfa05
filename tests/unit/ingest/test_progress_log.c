#include "ingest/progress_log.h"

#include "base/limits.h"
#include "tests/unit/support/capture.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/terminal.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND };

struct fixture {
    struct freshness *freshness;
    struct progress_log log;
};

static struct fixture begin(int64_t age_ms) {
    struct fixture f = {freshness_new(support_clock()), {0}};
    const struct freshness_shard shard = {"a", age_ms < 0 ? FRESHNESS_UNKNOWN : support_now() - age_ms};
    freshness_set_shards(f.freshness, &shard, 1, 0);
    progress_log_turn(&f.log, f.freshness, 0);
    return f;
}

static void turn(struct fixture *f, int64_t now_ms) {
    progress_log_turn(&f->log, f->freshness, now_ms);
}

static void end(struct fixture *f) {
    freshness_free(f->freshness);
}

static size_t count(const char *text, const char *part) {
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void a_view_that_is_behind_has_a_line_every_ten_seconds(void **state) {
    (void)state;
    struct fixture f = begin(3 * HOUR);
    for (int i = 1; i <= 35; i++) {
        freshness_count(f.freshness, "a", 500, 0, i * SECOND);
        turn(&f, i * SECOND);
    }
    const char *text = end_capture();
    assert_int_equal(count(text, "catching up: "), 3);
    assert_contains(text, "unknown time left, 500 records/s, 3 h behind");
    assert_lacks(text, "caught up");
    end(&f);
}

static void a_file_has_bytes_and_time_left(void **state) {
    (void)state;
    struct fixture f = begin(-1);
    for (int i = 0; i <= 10; i++)
        freshness_count(f.freshness, "a", 500, (1000 - i) * INT64_C(1000000), i * SECOND);
    turn(&f, 10 * SECOND);
    assert_contains(end_capture(), ", 990.0 MB to read");
    end(&f);
}

static void of_several_shards_it_says_how_many_are_behind(void **state) {
    (void)state;
    struct fixture f = begin(3 * HOUR);
    const struct freshness_shard shards[] = {{"a", support_now() - 3 * HOUR}, {"b", support_now()}};
    freshness_set_shards(f.freshness, shards, COUNT(shards), 0);
    for (int i = 1; i <= 10; i++)
        freshness_count(f.freshness, "a", 500, 0, i * SECOND);
    turn(&f, 10 * SECOND);
    assert_contains(end_capture(), ", 3 h behind, 1 of 2 shards behind");
    end(&f);
}

static void it_says_once_that_the_view_is_caught_up(void **state) {
    (void)state;
    struct fixture f = begin(HOUR);
    for (int i = 1; i <= 11; i++) {
        freshness_count(f.freshness, "a", 500, 0, i * SECOND);
        turn(&f, i * SECOND);
    }
    freshness_advance(f.freshness, "a", support_now(), 12 * SECOND);
    for (int i = 12; i <= 60; i++)
        turn(&f, i * SECOND);
    const char *text = end_capture();
    assert_int_equal(count(text, "catching up"), 1);
    assert_int_equal(count(text, "caught up"), 1);
    end(&f);
}

static void it_is_silent_while_nothing_is_applied(void **state) {
    (void)state;
    struct fixture f = begin(HOUR);
    for (int i = 1; i <= 60; i++)
        turn(&f, i * SECOND);
    assert_string_equal(end_capture(), "");
    end(&f);
}

static void advance(struct fixture *f, int64_t now_ms) {
    freshness_count(f->freshness, "a", 500, 0, now_ms);
    turn(f, now_ms);
    log_flush();
}

static void return_from_the_background(void) {
    pid_t pid = fork();
    if (pid == 0) {
        start("xterm");
        struct fixture f = begin(HOUR);
        advance(&f, SECOND);
        setpgid(0, 0);
        advance(&f, 20 * SECOND);
        setpgid(0, getppid());
        log_info("a line");
        log_flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void a_line_from_before_the_background_does_not_return(void **state) {
    (void)state;
    const char *text = written(200, return_from_the_background), *last = strstr(text, "a line");
    assert_int_equal(strncmp(text, "catching up: ", strlen("catching up: ")), 0);
    assert_contains(text, " info  catching up: ");
    assert_non_null(last);
    assert_string_equal(last, "a line\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, capture, restore)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_view_that_is_behind_has_a_line_every_ten_seconds),
        TEST(a_file_has_bytes_and_time_left),
        TEST(of_several_shards_it_says_how_many_are_behind),
        TEST(it_says_once_that_the_view_is_caught_up),
        TEST(it_is_silent_while_nothing_is_applied),
        cmocka_unit_test(a_line_from_before_the_background_does_not_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
