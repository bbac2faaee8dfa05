/* The status line, on a pseudo-terminal of a child process: the log's thread runs until the process ends. */
#include <stdio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/support/terminal.h"

/* Flushed each: else a line may be skipped for the next one. */
static void status(const char *line) {
    log_status(line);
    log_flush();
}

static void count_to_two(void) {
    start("xterm");
    status("one");
    status("two");
    status("");
}

static void the_newest_status_line_is_written_over_the_one_before(void **state) {
    (void)state;
    assert_string_equal(written(80, count_to_two), "one\r\033[Ktwo\r\033[K");
}

static void log_in_between(void) {
    start("xterm");
    status("half");
    log_info("a line");
    log_flush();
}

static void a_log_line_is_written_above_the_status_line(void **state) {
    (void)state;
    const char *text = written(80, log_in_between);
    assert_int_equal(strncmp(text, "half\r\033[K20", strlen("half\r\033[K20")), 0);
    assert_contains(text, " info  a line\nhalf");
}

static void fill_a_narrow_terminal(void) {
    start("xterm");
    status("catching up: 42 %");
}

static void the_status_line_is_cut_to_the_width_of_the_terminal(void **state) {
    (void)state;
    assert_string_equal(written(10, fill_a_narrow_terminal), "catching ");
    assert_string_equal(written(0, fill_a_narrow_terminal), "catching up: 42 %");
}

static void hurry_while_the_terminal_stands_still(void) {
    start("xterm");
    tcflow(STDERR_FILENO, TCOOFF);
    for (int i = 0; i < 1000; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d", i);
        log_status(line);
    }
    tcflow(STDERR_FILENO, TCOON);
}

static void a_terminal_that_stands_still_holds_nobody_up_and_then_has_the_newest_line(void **state) {
    (void)state;
    const char *text = written(80, hurry_while_the_terminal_stands_still);
    assert_string_equal(text + strlen(text) - strlen("line 999"), "line 999");
    assert_true(strlen(text) <= 3 * strlen("line 999\r\033[K"));
}

static void leave_the_line(void) {
    start("xterm");
    status("half");
    log_leave_status();
}

static void leave_while_the_terminal_stands_still(void) {
    alarm(30); /* ends a process that waits */
    start("xterm");
    status("half");
    tcflow(STDERR_FILENO, TCOOFF);
    log_leave_status();
    tcflow(STDERR_FILENO, TCOON);
    status("whole");
}

static void what_is_written_at_the_end_stands_below_the_status_line_if_that_need_not_wait(void **state) {
    (void)state;
    assert_string_equal(written(80, leave_the_line), "half\n");
    assert_string_equal(written(80, leave_while_the_terminal_stands_still), "half\r\033[Kwhole");
}

static void use_a_dumb_terminal(void) {
    start("dumb");
    status(log_is_terminal() ? "yes" : "no");
}

static void use_a_nameless_terminal(void) {
    start(NULL);
    status("one");
}

static void use_json(void) {
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    start("xterm");
    status("one");
}

static void log_warnings_only(void) {
    log_init(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    start("xterm");
    status("one");
}

static void work_in_the_background(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        start("xterm");
        status(log_is_terminal() ? "yes" : "no");
        log_info("a line");
        log_flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void a_process_in_the_background_leaves_the_line_to_the_shell(void **state) {
    (void)state;
    const char *text = written(80, work_in_the_background);
    assert_int_equal(strncmp(text, "20", 2), 0);
    assert_string_equal(text + strlen(text) - strlen(" info  a line\n"), " info  a line\n");
}

static void go_to_the_background(void) {
    pid_t pid = fork();
    if (pid == 0) {
        start("xterm");
        status("half");
        setpgid(0, 0);
        log_info("a line");
        log_flush();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void a_process_that_went_to_the_background_erases_nothing(void **state) {
    (void)state;
    const char *text = written(80, go_to_the_background);
    assert_int_equal(strncmp(text, "half20", strlen("half20")), 0);
    assert_string_equal(text + strlen(text) - strlen(" info  a line\n"), " info  a line\n");
}

static void elsewhere_there_is_no_status_line(void **state) {
    (void)state;
    assert_string_equal(written(80, use_a_dumb_terminal), "");
    assert_string_equal(written(80, use_a_nameless_terminal), "");
    assert_string_equal(written(80, use_json), "");
    assert_string_equal(written(80, log_warnings_only), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_status_line_is_written_over_the_one_before),
        cmocka_unit_test(a_log_line_is_written_above_the_status_line),
        cmocka_unit_test(the_status_line_is_cut_to_the_width_of_the_terminal),
        cmocka_unit_test(a_terminal_that_stands_still_holds_nobody_up_and_then_has_the_newest_line),
        cmocka_unit_test(what_is_written_at_the_end_stands_below_the_status_line_if_that_need_not_wait),
        cmocka_unit_test(a_process_in_the_background_leaves_the_line_to_the_shell),
        cmocka_unit_test(a_process_that_went_to_the_background_erases_nothing),
        cmocka_unit_test(elsewhere_there_is_no_status_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
