#include "server/stop_guard.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/support/test.h"

/* The exit status of a child process with a stop guard of `timeout_ms`. It hangs or ends at once. */
static int status_of_process(int64_t timeout_ms, bool hangs, int log) {
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(log, STDERR_FILENO);
        log_start();
        stop_guard_start(timeout_ms);
        while (hangs)
            pause();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_process_whose_stop_hangs_is_ended_and_logged(void **state) {
    (void)state;
    int pipes[2];
    char text[256] = "";
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(status_of_process(1, true, pipes[1]), 1);
    assert_true(read(pipes[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "hangs"));
    close(pipes[0]);
    close(pipes[1]);
}

static void a_process_that_stops_in_time_is_not_ended(void **state) {
    (void)state;
    assert_int_equal(status_of_process(600000, false, STDERR_FILENO), 0);
}

static void a_log_that_hangs_does_not_delay_the_end_of_the_process(void **state) {
    (void)state;
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    while (write(pipes[1], "x", 1) > 0)
        ;
    assert_int_equal(fcntl(pipes[1], F_SETFL, 0), 0);
    assert_int_equal(status_of_process(1, true, pipes[1]), 1);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_whose_stop_hangs_is_ended_and_logged),
        cmocka_unit_test(a_process_that_stops_in_time_is_not_ended),
        cmocka_unit_test(a_log_that_hangs_does_not_delay_the_end_of_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
