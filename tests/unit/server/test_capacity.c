#include "server/capacity.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/unit/support/test.h"

static void the_limit_that_allows_the_fewest_shards_counts(void **state) {
    (void)state;
    const struct capacity_limit limits[] = {
        {"files", 1000, 900, 9}, {"threads", 60, 50, 2}, {"mappings", 65530, 60000, 12}};
    const struct capacity_limit *narrowest = capacity_narrowest(limits, 3);
    char text[200];
    assert_ptr_equal(narrowest, &limits[1]);
    assert_int_equal(capacity_shards(narrowest), 25);
    capacity_name(narrowest, text, sizeof text);
    assert_string_equal(text, "the limit of 60 threads");
}

static void one_shard_is_always_allowed(void **state) {
    (void)state;
    const struct capacity_limit limit = {"threads", 60, 0, 2};
    assert_int_equal(capacity_shards(&limit), 1);
}

/* The limit of this process with this name. */
static struct capacity_limit limit_named(const char *name, bool store_is_remote) {
    struct capacity_limit limits[CAPACITY_LIMITS];
    size_t n = capacity_read(limits, &(struct capacity_use){100, store_is_remote});
    for (size_t i = 0; i < n; i++)
        if (strstr(limits[i].name, name))
            return limits[i];
    return (struct capacity_limit){.name = ""};
}

/* Runs `body` in a child process with these limits, which only root could raise again. */
static bool with_limit(int resource, rlim_t value, bool (*body)(void)) {
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {value, value};
        bool set = setrlimit((__rlimit_resource_t)resource, &limit) == 0;
        bool is_user = geteuid() != 0 || setuid(65534) == 0;
        _exit(set && is_user && body() ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool counts_3000_files(void) {
    struct capacity_limit plain = limit_named("open files", false), remote = limit_named("open files", true);
    uint64_t room = 3000 - 100 - LIMIT_OTHER_FILES;
    return plain.value == 3000 && plain.room == room && remote.room == room &&
           capacity_shards(&plain) == room / LIMIT_SHARD_FILES &&
           capacity_shards(&remote) == room / (LIMIT_SHARD_FILES + LIMIT_SHARD_STORE_FILES);
}

static bool counts_1000_threads(void) {
    struct capacity_limit limit = limit_named("threads of the user", false);
    return limit.value == 1000 && limit.room == 1000 - LIMIT_OTHER_THREADS;
}

static bool leaves_half_of_200_threads(void) {
    struct capacity_limit limit = limit_named("threads of the user", false);
    return limit.value == 200 && limit.room == 100 && capacity_shards(&limit) == 100 / LIMIT_SHARD_THREADS;
}

static void open_files_are_counted_without_those_of_clients(void **state) {
    (void)state;
    assert_true(with_limit(RLIMIT_NOFILE, 3000, counts_3000_files));
}

static void threads_of_the_user_are_counted(void **state) {
    (void)state;
    assert_true(with_limit(RLIMIT_NPROC, 1000, counts_1000_threads));
}

static void half_of_a_small_limit_of_threads_is_left_for_shards(void **state) {
    (void)state;
    assert_true(with_limit(RLIMIT_NPROC, 200, leaves_half_of_200_threads));
}

static void limits_of_the_machine_are_read(void **state) {
    (void)state;
    static const char *const names[] = {"vm.max_map_count", "kernel.threads-max", "kernel.pid_max"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct capacity_limit limit = limit_named(names[i], false);
        assert_in_range(limit.value, 1000, UINT32_MAX);
        assert_in_range(limit.room, 1, limit.value - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_that_allows_the_fewest_shards_counts),
        cmocka_unit_test(one_shard_is_always_allowed),
        cmocka_unit_test(open_files_are_counted_without_those_of_clients),
        cmocka_unit_test(threads_of_the_user_are_counted),
        cmocka_unit_test(half_of_a_small_limit_of_threads_is_left_for_shards),
        cmocka_unit_test(limits_of_the_machine_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
