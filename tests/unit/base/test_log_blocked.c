/* The log's thread, in child processes: it runs until the process ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "tests/unit/support/test.h"

enum { LINES = 2000, LINE_BYTES = 1000 };

static int log_pipe[2], go_pipe[2]; /* standard error of the child; the child lets its parent read on */

static void fill(int fd) {
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, "\n", 1) > 0)
        ;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static pid_t start_child(int (*child)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        dup2(log_pipe[1], STDERR_FILENO);
        close(log_pipe[0]);
        close(log_pipe[1]);
        log_start();
        _exit(child());
    }
    assert_true(pid > 0);
    close(log_pipe[1]);
    log_pipe[1] = -1;
    return pid;
}

static void let_parent_read(void) {
    if (write(go_pipe[1], "", 1) != 1)
        _exit(99);
}

static int wait_for(pid_t pid) {
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* All that the child logs, once it allows it. */
static char *read_log(void) {
    static char text[4 << 20];
    char go;
    size_t n = 0;
    assert_int_equal(read(go_pipe[0], &go, 1), 1);
    for (ssize_t more; (more = read(log_pipe[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)more;
    text[n] = '\0';
    return text + strspn(text, "\n");
}

static size_t count_lines(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int64_t lost_lines(void) {
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, 1 << 16);
    metrics_write(&text);
    const char *found = strstr(text.data, "\nwinner_view_log_lines_lost_total ");
    return found ? strtol(strchr(found, ' '), NULL, 10) : -1;
}

static void flush_all(void) {
    for (int i = 0; i < 20; i++) /* the machine may be slow */
        log_flush();
}

static int log_too_much(void) {
    for (int i = 0; i < LINES; i++)
        log_info("%0*d", LINE_BYTES, i);
    int64_t lost = lost_lines();
    let_parent_read();
    flush_all();
    return lost > 0 && lost < LINES ? 0 : 1;
}

static void lines_that_find_no_room_are_counted_and_reported_when_the_log_is_read(void **state) {
    (void)state;
    fill(log_pipe[1]);
    pid_t pid = start_child(log_too_much);
    char *text = read_log(), *report = strstr(text, " warn  ");
    assert_int_equal(wait_for(pid), 0);
    assert_non_null(report);
    assert_int_equal((size_t)strtol(report + 7, NULL, 10) + count_lines(text) - 1, LINES);
    assert_contains(report, "lines of this log are lost");
    for (char *line = strtok_r(text, "\n", &text); line; line = strtok_r(NULL, "\n", &text))
        assert_true(line[10] == 'T' && (strlen(line) == 31 + LINE_BYTES || strstr(line, "lost")));
}

static struct buffer letter(void) {
    struct buffer lines;
    buffer_init(&lines, 1 << 16);
    log_append(&lines, LOG_LEVEL_ERROR, LOG_FIELDS("n", "1"), "letter");
    return lines;
}

static int deliver_late(void) {
    _cleanup_(buffer_deinit) struct buffer lines = letter();
    struct error e = {0};
    enum status first = log_deliver(&lines, &e), second = log_deliver(&lines, &e);
    let_parent_read();
    enum status third = log_deliver(&lines, &e);
    return first == STATUS_RETRY && second == STATUS_RETRY && third == STATUS_OK &&
                   strstr(e.message, "nobody reads it")
               ? 0
               : 1;
}

static void a_line_that_must_not_be_lost_is_delivered_once_the_log_is_read(void **state) {
    (void)state;
    fill(log_pipe[1]);
    pid_t pid = start_child(deliver_late);
    const char *text = read_log();
    assert_int_equal(wait_for(pid), 0);
    assert_int_equal(count_lines(text), 2); /* the first was on its way, the second was taken back */
    assert_contains(text, "letter n=1\n");
}

static int deliver_to_nobody(void) {
    _cleanup_(buffer_deinit) struct buffer lines = letter();
    struct error e = {0};
    char read_first;
    let_parent_read();
    if (read(go_pipe[0], &read_first, 1) != 1)
        return 2;
    bool refused = log_deliver(&lines, &e) == STATUS_RETRY && strstr(e.message, "Broken pipe");
    log_info("line");
    flush_all();
    return refused && lost_lines() == 1 ? 0 : 1;
}

static void what_standard_error_refuses_is_not_delivered_and_counts_as_lost(void **state) {
    (void)state;
    close(log_pipe[0]);
    log_pipe[0] = -1;
    assert_int_equal(wait_for(start_child(deliver_to_nobody)), 0);
}

static int abort_at_once(void) {
    let_parent_read();
    for (int i = 0; i < 100; i++)
        log_info("line %d", i);
    abort();
}

static void what_is_queued_is_written_before_abort_ends_the_process(void **state) {
    (void)state;
    pid_t pid = start_child(abort_at_once);
    const char *text = read_log();
    int status = wait_for(pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_int_equal(count_lines(text), 100);
}

static int abort_unread(void) {
    for (int i = 0; i < 100; i++)
        log_info("line %d", i);
    mem_exhausted();
}

static void abort_ends_a_process_whose_log_nobody_reads(void **state) {
    (void)state;
    fill(log_pipe[1]);
    int status = wait_for(start_child(abort_unread));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int log_to_nonblocking(void) {
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 300; i++)
        log_info("%0*d", LINE_BYTES, i);
    let_parent_read();
    flush_all();
    return (int)lost_lines();
}

static void a_pipe_that_does_not_block_gets_whole_lines(void **state) {
    (void)state;
    pid_t pid = start_child(log_to_nonblocking);
    const char *text = read_log();
    assert_int_equal(wait_for(pid), 0);
    assert_int_equal(count_lines(text), 300);
    assert_int_equal(strlen(text), 300 * (32 + LINE_BYTES));
}

static int open_pipes(void **state) {
    (void)state;
    return pipe(log_pipe) || pipe(go_pipe);
}

static int close_pipes(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        close(log_pipe[i]);
        close(go_pipe[i]);
    }
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipes, close_pipes)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(lines_that_find_no_room_are_counted_and_reported_when_the_log_is_read),
        TEST(a_line_that_must_not_be_lost_is_delivered_once_the_log_is_read),
        TEST(what_standard_error_refuses_is_not_delivered_and_counts_as_lost),
        TEST(what_is_queued_is_written_before_abort_ends_the_process),
        TEST(abort_ends_a_process_whose_log_nobody_reads),
        TEST(a_pipe_that_does_not_block_gets_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
