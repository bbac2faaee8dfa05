#include "tests/unit/support/test.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "server/descriptors.h"

/* Runs `body` in a child process, because a lowered hard limit cannot be raised again. Returns its result. */
static bool in_child(rlim_t soft, rlim_t hard, bool (*body)(void)) {
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {soft, hard};
        _exit(setrlimit(RLIMIT_NOFILE, &limit) == 0 && body() ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static rlim_t soft_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static bool raises_to_200(void) {
    struct error e;
    descriptors_raise();
    return soft_limit() == 200 && descriptors_check(150, 50, &e) == STATUS_OK;
}

static bool accepts_300(void) {
    struct error e;
    return descriptors_check(150, 50, &e) == STATUS_OK && soft_limit() == 300;
}

static bool is_refused_with_all_numbers(void) {
    struct error e;
    descriptors_raise();
    return descriptors_check(150, 50, &e) == STATUS_INVALID && strstr(e.message, "--connections '150'") &&
           strstr(e.message, "200") && strstr(e.message, "199") && soft_limit() == 199;
}

static void the_soft_limit_of_descriptors_is_raised_to_the_hard_limit(void **state) {
    (void)state;
    assert_true(in_child(100, 200, raises_to_200));
}

static void a_limit_of_descriptors_that_is_high_enough_is_accepted(void **state) {
    (void)state;
    assert_true(in_child(300, 400, accepts_300));
}

static void a_hard_limit_of_descriptors_that_is_too_low_is_an_error_that_names_the_option(void **state) {
    (void)state;
    assert_true(in_child(100, 199, is_refused_with_all_numbers));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limit_of_descriptors_is_raised_to_the_hard_limit),
        cmocka_unit_test(a_limit_of_descriptors_that_is_high_enough_is_accepted),
        cmocka_unit_test(a_hard_limit_of_descriptors_that_is_too_low_is_an_error_that_names_the_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
