#include "server/control_group.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support/test.h"

static char folder[] = "/tmp/winner-view-test-groups-XXXXXX";

static void put(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_group(const char *name, const char *max, const char *current) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/pids.max", name);
    put(path, max);
    snprintf(path, sizeof path, "%s/pids.current", name);
    put(path, current);
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int drop_folder(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void assert_threads(const char *own, uint64_t wanted_max, uint64_t wanted_taken) {
    char path[256];
    uint64_t max, taken;
    put("own", own);
    snprintf(path, sizeof path, "%s/own", folder);
    assert_int_equal(control_group_threads(path, folder, &max, &taken), wanted_max > 0);
    assert_int_equal(max, wanted_max);
    assert_int_equal(taken, wanted_taken);
}

static void the_tightest_group_from_ours_to_the_root_counts(void **state) {
    (void)state;
    make_group("a", "900\n", "850\n");
    make_group("a/b", "500\n", "10\n");
    make_group("a/b/c", "max\n", "5\n");
    assert_threads("0::/a/b/c\n", 900, 850);
    make_group("a", "max\n", "850\n");
    assert_threads("0::/a/b/c\n", 500, 10);
}

static void a_container_has_its_limit_at_the_root(void **state) {
    (void)state;
    put("pids.max", "300\n");
    put("pids.current", "7\n");
    assert_threads("0::/\n", 300, 7);
    assert_threads("0::/docker/of-the-host\n", 300, 7);
}

static void version_1_has_a_hierarchy_of_its_own_for_threads(void **state) {
    (void)state;
    make_group("pids", "max\n", "0\n");
    make_group("pids/a", "200\n", "3\n");
    assert_threads("9:name=systemd:/x\n8:pids:/a\n4:memory:/y\n0::/\n", 200, 3);
}

static void without_a_limit_there_is_none(void **state) {
    (void)state;
    assert_threads("0::/\n", 0, 0);
    assert_threads("", 0, 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)
    const struct CMUnitTest tests[] = {
        TEST(the_tightest_group_from_ours_to_the_root_counts),
        TEST(a_container_has_its_limit_at_the_root),
        TEST(version_1_has_a_hierarchy_of_its_own_for_threads),
        TEST(without_a_limit_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
