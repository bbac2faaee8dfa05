#include "server/commands/scan_progress.h"

#include "tests/unit/support/capture.h"

enum { SECOND = 1000, START_MS = 5000 };

static void a_scan_has_a_line_every_ten_seconds(void **state) {
    (void)state;
    struct scan_progress p = {.what = "audit"};
    for (int second = 0; second <= 25; second++, p.rows += 100)
        scan_progress_turn(&p, START_MS + second * SECOND);
    scan_progress_end(&p);
    const char *text = end_capture();
    assert_contains(text, "info  audit: 1000 rows read, 100 rows/s\n");
    assert_contains(text, "info  audit: 2000 rows read, 100 rows/s\n");
    assert_lacks(text, "2500");
    assert_lacks(text, "\033");
}

static void a_short_scan_has_none(void **state) {
    (void)state;
    struct scan_progress p = {.what = "audit"};
    for (int row = 0; row < 1000; row++)
        scan_progress_row(&p);
    scan_progress_end(&p);
    assert_string_equal(end_capture(), "");
    assert_int_equal(p.rows, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, capture, restore)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_scan_has_a_line_every_ten_seconds),
        TEST(a_short_scan_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
