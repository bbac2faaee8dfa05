#include "base/metrics.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

/* Families live as long as the process, so each test has its own. */

/* The text of one family; the caller frees it. */
static char *text_of(const char *name) {
    _cleanup_(buffer_deinit) struct buffer all;
    buffer_init(&all, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&all);
    char start[100];
    snprintf(start, sizeof start, "# HELP %s ", name);
    const char *from = strstr(all.data, start);
    if (!from)
        return mem_strdup("");
    const char *next = strstr(from + 1, "# HELP ");
    return next ? mem_strndup(from, (size_t)(next - from)) : mem_strdup(from);
}

static void assert_text(const char *name, const char *expected) {
    _cleanup_(mem_freep) char *text = text_of(name);
    assert_string_equal(text, expected);
}

static void a_counter_is_written_with_help_type_and_labels(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_counter_total", .help = "Things.", .labels = {"a", "b"}};
    struct metrics_series *s = METRICS_SERIES(&f, "1", "2");
    metrics_add(s, 3);
    metrics_add(METRICS_SERIES(&f, "1", "2"), 4);
    metrics_count(&f, (const char *const[]){"1", "x", NULL}, 1);
    assert_int_equal(metrics_value(s), 7);
    assert_text("t_counter_total",
                "# HELP t_counter_total Things.\n# TYPE t_counter_total counter\n"
                "t_counter_total{a=\"1\",b=\"2\"} 7\nt_counter_total{a=\"1\",b=\"x\"} 1\n");
}

static void a_family_without_labels_has_no_braces(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_plain", .help = "One.", .kind = METRICS_GAUGE};
    metrics_set(METRICS_SERIES(&f, NULL), -5);
    assert_text("t_plain", "# HELP t_plain One.\n# TYPE t_plain gauge\nt_plain -5\n");
}

static void label_values_are_escaped(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_escape", .help = "E.", .labels = {"a"}};
    metrics_add(METRICS_SERIES(&f, "q\" b\\ n\n \xc3\xa4}"), 1);
    assert_text("t_escape", "# HELP t_escape E.\n# TYPE t_escape counter\n"
                            "t_escape{a=\"q\\\" b\\\\ n\\n \xc3\xa4}\"} 1\n");
}

static void the_scale_turns_milliseconds_into_seconds(void **state) {
    (void)state;
    static struct metrics_family f = {
        .name = "t_scale", .help = "S.", .kind = METRICS_GAUGE, .scale = 1000, .labels = {"a"}};
    metrics_set(METRICS_SERIES(&f, "now"), 1795408560123);
    metrics_set(METRICS_SERIES(&f, "whole"), 2000);
    metrics_set(METRICS_SERIES(&f, "less"), -1);
    assert_text("t_scale", "# HELP t_scale S.\n# TYPE t_scale gauge\nt_scale{a=\"now\"} 1795408560.123\n"
                           "t_scale{a=\"whole\"} 2\nt_scale{a=\"less\"} -0.001\n");
}

/* The number on the line that starts with this. */
static double number_after(const char *text, const char *start) {
    const char *line = strstr(text, start);
    if (!line)
        fail_msg("no '%s' in %s", start, text);
    return strtod(line + strlen(start), NULL);
}

static void a_histogram_is_cumulative_and_in_seconds(void **state) {
    (void)state;
    static struct metrics_family f = {
        .name = "t_seconds", .help = "H.", .kind = METRICS_HISTOGRAM, .labels = {"a"}};
    struct metrics_series *s = METRICS_SERIES(&f, "x");
    static const int64_t us[] = {0, 100, 101, 250, 999, 1000, 7500001, 10000000, 10000001, 99000000};
    double sum = 0;
    for (size_t i = 0; i < COUNT(us); i++) {
        metrics_observe_us(s, us[i]);
        sum += (double)us[i] / 1e6;
    }
    _cleanup_(mem_freep) char *text = text_of("t_seconds");
    assert_contains(text, "# TYPE t_seconds histogram\n");
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"0.0001\"} ") == 2); /* le: at most */
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"0.00025\"} ") == 4);
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"0.0005\"} ") == 4);
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"0.001\"} ") == 6);
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"7.5\"} ") == 6);
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"10\"} ") == 8);
    assert_true(number_after(text, "t_seconds_bucket{a=\"x\",le=\"+Inf\"} ") == 10);
    assert_true(number_after(text, "t_seconds_count{a=\"x\"} ") == 10);
    double written = number_after(text, "t_seconds_sum{a=\"x\"} ");
    assert_true(written > sum - 1e-6 && written < sum + 1e-6);
    assert_int_equal(metrics_value(s), 10);
}

static void series_beyond_the_limit_are_counted_in_one_overflow_series(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_many", .help = "M.", .labels = {"a", "b"}};
    for (int i = 0; i < LIMIT_METRIC_SERIES + 10; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        metrics_add(METRICS_SERIES(&f, value, "x"), 1);
    }
    _cleanup_(mem_freep) char *text = text_of("t_many");
    size_t series = 0;
    for (const char *at = text; (at = strstr(at, "\nt_many{")); at++)
        series++;
    assert_int_equal(series, LIMIT_METRIC_SERIES);
    assert_contains(text, "t_many{a=\"1022\",b=\"x\"} 1\n"); /* the last one below the limit */
    assert_contains(text, "t_many{a=\"overflow\",b=\"overflow\"} 11\n");
    metrics_add(METRICS_SERIES(&f, "5", "x"), 1);
    _cleanup_(mem_freep) char *again = text_of("t_many");
    assert_contains(again, "t_many{a=\"5\",b=\"x\"} 2\n"); /* existing series are still counted */
}

static void a_hidden_series_is_not_written_until_it_is_set_again(void **state) {
    (void)state;
    static struct metrics_family f = {
        .name = "t_hidden", .help = "G.", .kind = METRICS_GAUGE, .labels = {"a"}};
    struct metrics_series *gone = METRICS_SERIES(&f, "gone");
    metrics_set(gone, 1);
    metrics_set(METRICS_SERIES(&f, "here"), 2);
    metrics_hide(gone);
    assert_text("t_hidden", "# HELP t_hidden G.\n# TYPE t_hidden gauge\nt_hidden{a=\"here\"} 2\n");
    assert_ptr_equal(METRICS_SERIES(&f, "gone"), gone); /* finding a hidden series does not make it visible */
    assert_text("t_hidden", "# HELP t_hidden G.\n# TYPE t_hidden gauge\nt_hidden{a=\"here\"} 2\n");
    metrics_set(gone, 3);
    assert_text(
        "t_hidden",
        "# HELP t_hidden G.\n# TYPE t_hidden gauge\nt_hidden{a=\"gone\"} 3\nt_hidden{a=\"here\"} 2\n");
}

/* A series is set a moment after it is created. Metrics may be written in between. */
static void a_gauge_that_is_not_set_yet_is_not_written(void **state) {
    (void)state;
    static struct metrics_family f = {
        .name = "t_unset", .help = "G.", .kind = METRICS_GAUGE, .labels = {"a"}};
    struct metrics_series *set = METRICS_SERIES(&f, "set"), *added = METRICS_SERIES(&f, "added");
    assert_text("t_unset", "# HELP t_unset G.\n# TYPE t_unset gauge\n");
    metrics_set(set, 0);
    metrics_add(added, 0);
    assert_text("t_unset", "# HELP t_unset G.\n# TYPE t_unset gauge\n"
                           "t_unset{a=\"set\"} 0\nt_unset{a=\"added\"} 0\n");
}

static void families_are_sorted_by_name(void **state) {
    (void)state;
    static struct metrics_family b = {.name = "t_sort_b", .help = "B."},
                                 a = {.name = "t_sort_a", .help = "A."};
    metrics_count(&b, (const char *const[]){NULL}, 1);
    metrics_count(&a, (const char *const[]){NULL}, 1);
    _cleanup_(buffer_deinit) struct buffer all;
    buffer_init(&all, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&all);
    assert_true(strstr(all.data, "t_sort_a") < strstr(all.data, "t_sort_b"));
}

static size_t count_lines(const char *name) {
    _cleanup_(mem_freep) char *text = text_of(name);
    size_t n = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        n++;
    return n - 2; /* without # HELP and # TYPE */
}

static struct metrics_series *hold_numbered(struct metrics_family *f, int number) {
    char value[16];
    snprintf(value, sizeof value, "%d", number);
    return METRICS_HOLD(f, value);
}

static void a_released_series_is_written_for_a_time_and_then_gone(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_released", .help = "R.", .labels = {"a"}};
    struct metrics_series *first = METRICS_HOLD(&f, "x"), *second = METRICS_HOLD(&f, "x");
    metrics_add(first, 5);
    metrics_release(first, 1000);
    metrics_forget(1000 + 10 * LIMIT_METRIC_RELEASED_MS); /* another holds it */
    metrics_add(second, 1);
    metrics_release(second, 2000);
    metrics_forget(2000 + LIMIT_METRIC_RELEASED_MS - 1);
    assert_text("t_released", "# HELP t_released R.\n# TYPE t_released counter\nt_released{a=\"x\"} 6\n");
    metrics_forget(2000 + LIMIT_METRIC_RELEASED_MS);
    assert_text("t_released", "# HELP t_released R.\n# TYPE t_released counter\n");
    metrics_release(METRICS_HOLD(&f, "x"), 0);
    assert_int_equal(metrics_value(METRICS_HOLD(&f, "x")), 0); /* it begins again */
}

static void a_series_that_was_found_is_never_gone(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_found", .help = "F.", .labels = {"a"}};
    struct metrics_series *found = METRICS_SERIES(&f, "x");
    metrics_release(METRICS_HOLD(&f, "x"), 0);
    metrics_forget(INT64_MAX);
    metrics_add(found, 1);
    assert_int_equal(metrics_value(METRICS_SERIES(&f, "x")), 1);
}

static void series_of_what_comes_and_goes_do_not_fill_the_family(void **state) {
    (void)state;
    static struct metrics_family f = {.name = "t_shards", .help = "S.", .labels = {"shard"}};
    struct metrics_series *lasting = METRICS_HOLD(&f, "lasting");
    for (int i = 0; i < 10000; i++) {
        struct metrics_series *s = hold_numbered(&f, i);
        assert_int_equal(metrics_value(s), 0); /* never the overflow series */
        metrics_add(s, 1);
        metrics_release(s, i);
    }
    metrics_add(lasting, 1);
    assert_int_equal(metrics_value(METRICS_HOLD(&f, "lasting")), 1);
    assert_int_equal(metrics_value(hold_numbered(&f, 9999)), 1); /* the last ones are still there */
    assert_in_range(count_lines("t_shards"), 2, LIMIT_METRIC_SERIES);
}

static struct metrics_family coming = {.name = "t_coming", .help = "C.", .labels = {"a"}};

static void *come_and_go(void *data) {
    for (int i = 0; i < 3000; i++) {
        struct metrics_series *s = hold_numbered(&coming, i % 7);
        metrics_add(s, 1);
        metrics_release(s, i);
        if (i % 5 == 0)
            metrics_forget(INT64_MAX);
    }
    return data;
}

static void series_come_and_go_in_several_threads_while_others_write(void **state) {
    (void)state;
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < 20; i++)
        free(text_of("t_coming"));
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    metrics_forget(INT64_MAX);
    assert_int_equal(count_lines("t_coming"), 0);
}

static struct metrics_family shared = {.name = "t_threads", .help = "T.", .labels = {"a"}};
static struct metrics_family shared_seconds = {
    .name = "t_threads_seconds", .help = "T.", .kind = METRICS_HISTOGRAM};

static void *count_a_lot(void *data) {
    (void)data;
    struct metrics_series *seconds = METRICS_SERIES(&shared_seconds, NULL);
    for (int i = 0; i < 5000; i++) {
        metrics_add(METRICS_SERIES(&shared, i % 2 ? "odd" : "even"), 1);
        metrics_observe_us(seconds, i);
    }
    return NULL;
}

static void threads_lose_no_count_while_others_write(void **state) {
    (void)state;
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_a_lot, NULL), 0);
    for (int i = 0; i < 20; i++)
        free(text_of("t_threads"));
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_text("t_threads", "# HELP t_threads T.\n# TYPE t_threads counter\nt_threads{a=\"even\"} 7500\n"
                             "t_threads{a=\"odd\"} 7500\n");
    assert_int_equal(metrics_value(METRICS_SERIES(&shared_seconds, NULL)), 15000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_written_with_help_type_and_labels),
        cmocka_unit_test(a_family_without_labels_has_no_braces),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(the_scale_turns_milliseconds_into_seconds),
        cmocka_unit_test(a_histogram_is_cumulative_and_in_seconds),
        cmocka_unit_test(series_beyond_the_limit_are_counted_in_one_overflow_series),
        cmocka_unit_test(a_hidden_series_is_not_written_until_it_is_set_again),
        cmocka_unit_test(a_gauge_that_is_not_set_yet_is_not_written),
        cmocka_unit_test(families_are_sorted_by_name),
        cmocka_unit_test(a_released_series_is_written_for_a_time_and_then_gone),
        cmocka_unit_test(a_series_that_was_found_is_never_gone),
        cmocka_unit_test(series_of_what_comes_and_goes_do_not_fill_the_family),
        cmocka_unit_test(series_come_and_go_in_several_threads_while_others_write),
        cmocka_unit_test(threads_lose_no_count_while_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
