/* Tests of the file source only; tests/unit/ingest/test_source.c tests what every source must do. */
#include "ingest/file/source.h"

#include <pthread.h>
#include <sys/stat.h>

#include "tests/unit/support/source.h"

/* A file that is missing or empty. */

static void a_missing_file_is_read_when_it_appears(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    struct store_source identity;
    assert_int_equal(source_identify(t->source, &identity, &failure), STATUS_RETRY);
    assert_contains(failure.message, t->path);
    assert_int_equal(read_once(r, &seen, 0), STATUS_RETRY);
    assert_contains(failure.message, t->path);
    assert_int_equal(read_once(r, &seen, 0), STATUS_RETRY);

    add_text(t, "first");
    assert_ok(source_identify(t->source, &identity, &failure));
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 1);
    assert_seen(&seen, 0, "first", 5);
}

static void a_file_without_a_whole_line_is_retried(void **state) {
    struct fixture *t = fixture(state);
    struct store_source identity;
    append_text(t, "");
    assert_int_equal(source_identify(t->source, &identity, &failure), STATUS_RETRY);
    append_text(t, "fir");
    assert_int_equal(source_identify(t->source, &identity, &failure), STATUS_RETRY);
    assert_contains(failure.message, "no whole line");
    append_text(t, "st\n");
    assert_ok(source_identify(t->source, &identity, &failure));
}

static void a_fifo_or_a_folder_is_refused(void **state) {
    struct fixture *t = fixture(state);
    struct store_source identity;
    assert_int_equal(mkfifo(t->path, 0600), 0);
    assert_int_equal(source_identify(t->source, &identity, &failure), STATUS_INVALID);
    assert_contains(failure.message, t->path);
    struct source *folder = source_file_new(t->folder, support_clock());
    assert_int_equal(source_identify(folder, &identity, &failure), STATUS_INVALID);
    source_free(folder);
}

static void two_files_have_different_source_names(void **state) {
    struct fixture *t = fixture(state);
    struct store_source mine, others, rewritten;
    char path[160];
    snprintf(path, sizeof path, "%s.copy", t->path);
    append_text(t, "first\n");
    write_file(path, O_TRUNC, "first\n", 6);
    struct source *other = source_file_new(path, support_clock());
    assert_ok(source_identify(t->source, &mine, &failure));
    assert_ok(source_identify(other, &others, &failure));
    assert_string_not_equal(mine.name, others.name);

    write_file(t->path, O_TRUNC, "1st\n", 4); /* the same inode, another beginning */
    assert_ok(source_identify(t->source, &rewritten, &failure));
    assert_string_not_equal(mine.name, rewritten.name);
    source_free(other);
    unlink(path);
}

/* A file that grows. */

static void positions_are_byte_offsets(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    append_text(t, "one\n\nthree\npartial");
    read_up_to_now(r, &seen);
    const uint64_t offsets[] = {0, 4, 5};
    assert_int_equal(seen.n, COUNT(offsets));
    for (size_t i = 0; i < COUNT(offsets); i++) {
        struct position expected = position_from_u64(offsets[i]);
        assert_int_equal(position_compare(&seen.positions[i], &expected), 0);
    }
    append_text(t, " no more\n");
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 4);
    assert_seen(&seen, 3, "partial no more", 15);
}

static void *add_one(void *fixture_) {
    append_text(fixture_, "more\n");
    return NULL;
}

/* Without the wake-up each wait would last longer than the time limit of the test. */
static void an_appended_line_ends_the_wait(void **state) {
    struct fixture *t = fixture(state);
    append_text(t, "first\n");
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = open_with_long_waits(t, &seen);
    int64_t began_ms = clock_boot_ms();
    pthread_t writer;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&writer, NULL, add_one, t), 0);
        while (seen.n < 2 + i)
            assert_ok(read_once(r, &seen, FOR_EVER));
        pthread_join(writer, NULL);
        assert_seen(&seen, 1 + i, "more", 4);
    }
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
}

static void a_line_too_long_becomes_a_cut_record(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0}, rest = {0};
    const size_t length = LIMIT_LINE_BYTES + 3 * LIMIT_CHUNK_BYTES;
    _cleanup_(mem_freep) char *line = mem_alloc(length);
    memset(line, 'x', length);
    append_text(t, "first\n");
    add_line(t, line, length);
    append_text(t, "last\n");
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 3);
    assert_seen(&seen, 0, "first", 5);
    assert_true(seen.cut[1]);
    assert_int_equal(seen.lengths[1], LIMIT_CUT_LINE_BYTES);
    assert_memory_equal(seen.data[1], line, LIMIT_CUT_LINE_BYTES);
    assert_seen(&seen, 2, "last", 4);

    _cleanup_(close_reader) struct source_reader *later = open_from(t, &seen.positions[1]);
    read_up_to_now(later, &rest);
    assert_int_equal(rest.n, 1);
    assert_seen(&rest, 0, "last", 4);
}

/* Files that shrank, were replaced or were removed. */

static void every_read_of_a_file_that_shrank_fails(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    append_text(t, "first\nsecond\n");
    read_up_to_now(r, &seen);
    assert_int_equal(truncate(t->path, 6), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_once(r, &seen, 0), STATUS_FAILED);
        assert_contains(failure.message, t->path);
        assert_contains(failure.message, "has shrunk");
        append_text(t, "3\n"); /* still short */
    }
    assert_int_equal(seen.n, 2);
}

static void a_file_shorter_than_the_position_fails(void **state) {
    struct fixture *t = fixture(state);
    const struct position second = position_from_u64(6);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, &second);
    _cleanup_(forget) struct seen seen = {0};
    append_text(t, "first\n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_once(r, &seen, 0), STATUS_FAILED);
        assert_contains(failure.message, "has shrunk");
        append_text(t, "seco"); /* a partial line cannot be the last record that was read */
    }
}

static void a_replaced_file_fails_and_names_both_inodes(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    struct stat was, is;
    char path[160], number[32];
    snprintf(path, sizeof path, "%s.new", t->path);
    append_text(t, "first\n");
    read_up_to_now(r, &seen);
    assert_int_equal(stat(t->path, &was), 0);
    write_file(path, O_TRUNC, "first\nsecond\n", 13);
    assert_int_equal(rename(path, t->path), 0);
    assert_int_equal(stat(t->path, &is), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_once(r, &seen, 0), STATUS_FAILED);
        assert_contains(failure.message, "was replaced");
        snprintf(number, sizeof number, "%ju", (uintmax_t)was.st_ino);
        assert_contains(failure.message, number);
        snprintf(number, sizeof number, "%ju", (uintmax_t)is.st_ino);
        assert_contains(failure.message, number);
    }
    assert_int_equal(seen.n, 1);
}

static void a_removed_file_fails_without_a_wait(void **state) {
    struct fixture *t = fixture(state);
    append_text(t, "first\n");
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = open_with_long_waits(t, &seen);
    int64_t began_ms = clock_boot_ms();
    unlink(t->path);
    assert_int_equal(read_once(r, &seen, FOR_EVER), STATUS_FAILED);
    assert_contains(failure.message, "is gone");
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
}

#define test(title, function)                                                                                \
    { title, function, make_file, tear_down, NULL }

int main(void) {
    const struct CMUnitTest tests[] = {
        test("a missing file is named in the error, and read when it appears",
             a_missing_file_is_read_when_it_appears),
        test("a file without a whole line is retried until it has one",
             a_file_without_a_whole_line_is_retried),
        test("a FIFO or a folder is refused at once", a_fifo_or_a_folder_is_refused),
        test("two files have different source names, even with equal contents",
             two_files_have_different_source_names),
        test("the position of a line is its byte offset, and a partial line is not read yet",
             positions_are_byte_offsets),
        test("a read that waits ends when a line is appended", an_appended_line_ends_the_wait),
        test("a line that is too long becomes a cut record", a_line_too_long_becomes_a_cut_record),
        test("every read of a file that shrank fails", every_read_of_a_file_that_shrank_fails),
        test("a file that is shorter than the reader's position fails",
             a_file_shorter_than_the_position_fails),
        test("a replaced file fails, and both inodes are named", a_replaced_file_fails_and_names_both_inodes),
        test("a removed file fails at once, without a wait", a_removed_file_fails_without_a_wait),
    };
    return cmocka_run_group_tests_name("source_file", tests, NULL, NULL);
}
