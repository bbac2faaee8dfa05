#include "server/stop_guard.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support/test.h"

/* Another process that is guarded for so long. It hangs, or is done. */
static int status_of_process(int64_t timeout_ms, bool hangs, int log) {
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(log, STDERR_FILENO);
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

static void a_stop_that_hangs_is_ended_and_logged(void **state) {
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

static void a_stop_in_time_is_not_disturbed(void **state) {
    (void)state;
    assert_int_equal(status_of_process(600000, false, STDERR_FILENO), 0);
}

static void a_log_that_hangs_does_not_delay_the_end(void **state) {
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
        cmocka_unit_test(a_stop_that_hangs_is_ended_and_logged),
        cmocka_unit_test(a_stop_in_time_is_not_disturbed),
        cmocka_unit_test(a_log_that_hangs_does_not_delay_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
