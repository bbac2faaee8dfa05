/* A database whose files may not grow: by a limit of the process, which works like a full disk or a quota. */
#include <sys/resource.h>

#include "tests/unit/support/store.h"
#include "tests/unit/support/test.h"

enum { WRITES = 300, FILE_BYTES = 256 << 10 };

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static enum status write_next(struct fixture *t, struct store_lease *lease) {
    struct store_lease after = *lease, found;
    after.counter++;
    enum status status = store_update_lease(t->store, lease, &after, NULL, &found, &support_error);
    if (!status)
        *lease = after;
    return status;
}

static struct store_lease first_lease(struct fixture *t) {
    struct store_lease lease = {.owner = "me", .tenure = "00", .as_of_ms = -1};
    strcpy(lease.shard_id, "shardId-000000000000");
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    return lease;
}

static void full_log_is_moved(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = first_lease(t);
    int failed = 0;
    limit_files(FILE_BYTES);
    for (int i = 0; i < WRITES; i++) {
        if (write_next(t, &lease) == STATUS_OK)
            continue;
        failed++;
        assert_int_equal(support_error.status, STATUS_RETRY);
        assert_contains(support_error.message, "KiB free: make room");
        assert_ok(write_next(t, &lease));
    }
    limit_files(RLIM_INFINITY);
    assert_in_range(failed, 1, WRITES / 4);
}

static void reader_keeps_the_log_full(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = first_lease(t);
    sqlite3 *reader = support_run_sql(t, "BEGIN; SELECT count(*) FROM leases");
    limit_files(FILE_BYTES);
    for (int i = 0; i < WRITES && write_next(t, &lease) == STATUS_OK; i++)
        ;
    assert_int_equal(write_next(t, &lease), STATUS_RETRY);
    sqlite3_close(reader);
    assert_int_equal(write_next(t, &lease), STATUS_RETRY); /* frees the log */
    assert_ok(write_next(t, &lease));
    limit_files(RLIM_INFINITY);
}

int main(void) {
    signal(SIGXFSZ, SIG_IGN);
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        support_test_sqlite("a full log is moved, and the next attempt has room", full_log_is_moved),
        support_test_sqlite("while a reader holds a full log every write may be tried again",
                            reader_keeps_the_log_full),
    };
    return cmocka_run_group_tests_name("full", tests, NULL, NULL);
}
