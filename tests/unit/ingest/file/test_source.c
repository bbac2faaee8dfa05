/* Tests of the file source only; tests/unit/ingest/test_source.c tests what every source must do. */
#include "ingest/file/source.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "ingest/file/lines.h"
#include "tests/unit/support/source.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

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

/* The bytes of the first line as they lie. */
static void a_file_is_named_by_its_first_line(void **state) {
    struct fixture *t = fixture(state);
    static const char *const lines[] = {"first", "", BYTE_ORDER_MARK "first", " \r"};
    char hash[DIGEST_HEX_SIZE], expected[128];
    struct store_source identity;
    for (size_t i = 0; i < COUNT(lines); i++) {
        digest_sha256_hex(lines[i], strlen(lines[i]), hash);
        write_file(t->path, O_TRUNC, lines[i], strlen(lines[i]));
        append_text(t, "\nsecond\n");
        assert_ok(source_identify(t->source, &identity, &failure));
        snprintf(expected, sizeof expected, "file: first line sha256 %s", hash);
        assert_string_equal(identity.name, expected);
    }
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

static void only_a_read_before_the_last_chunk_expects_more(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(mem_freep) char *line = mem_alloc(LIMIT_CHUNK_BYTES);
    struct source_batch batch;
    memset(line, 'x', LIMIT_CHUNK_BYTES);
    add_line(t, line, LIMIT_CHUNK_BYTES);
    add_text(t, "last");
    assert_ok(source_read(r, 0, &batch, &failure));
    assert_true(batch.more);
    assert_ok(source_read(r, 0, &batch, &failure));
    assert_false(batch.more);
    assert_int_equal(batch.n, 2);
}

static void a_byte_order_mark_is_no_part_of_the_first_line(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    const struct position zero = position_from_u64(0);
    append_text(t, BYTE_ORDER_MARK "first\n" BYTE_ORDER_MARK "second\n");
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 2);
    assert_seen(&seen, 0, "first", 5);
    assert_int_equal(position_compare(&seen.positions[0], &zero), 0);
    assert_seen(&seen, 1, BYTE_ORDER_MARK "second", 9); /* only the first line may have one */
}

static void lines_of_white_space_are_blank(void **state) {
    struct fixture *t = fixture(state);
    static const char *const lines[] = {BYTE_ORDER_MARK, "", "\r", " \t\r", " x", "\f", "\xc2\xa0"};
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    for (size_t i = 0; i < COUNT(lines); i++)
        add_text(t, lines[i]);
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, COUNT(lines));
    for (size_t i = 0; i < COUNT(lines); i++)
        assert_int_equal(seen.blank[i], i < 4);
}

/* The hash of what was read. */

static void the_hash_is_that_of_the_bytes_up_to_the_end_of_a_line(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    const struct digest one = digest_of("one\n", 4), two = digest_of("one\n\n", 5);
    char long_line[6000];
    memset(long_line, 'x', sizeof long_line);
    append_text(t, "one\n\n");
    add_line(t, long_line, sizeof long_line);
    append_text(t, "partial");
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 3);
    assert_true(digest_is_same(&seen.hashes[0], &one));
    assert_true(digest_is_same(&seen.hashes[1], &two));
    long_line[4095] = '\n'; /* the last 4 KiB */
    const struct digest three = digest_of(long_line, 4096);
    assert_true(digest_is_same(&seen.hashes[2], &three));
    source_forget(r);
    const struct digest now = source_hash(r, 0);
    assert_true(digest_is_same(&now, &three));
}

/* A reader that continues after the first of these lines, as a lease's owner does. */

#define FIRST "first\n"
#define SECOND "second\n"
#define THIRD "third\n"

static struct source_reader *open_after(struct fixture *t, uint64_t offset, const char *read) {
    const struct source_start start = {
        .checkpoint = LEASE_AT_POSITION,
        .position = position_from_u64(offset),
        .hash = read ? digest_of(read, strlen(read)) : (struct digest){{0}},
    };
    struct store_source identity;
    assert_ok(source_identify(t->source, &identity, &failure));
    return open_shard(t, t->source, &start);
}

static void a_reader_continues_only_after_the_bytes_that_were_read(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    append_text(t, FIRST SECOND THIRD);
    _cleanup_(close_reader) struct source_reader *same = open_after(t, 6, FIRST SECOND);
    read_up_to_now(same, &seen);
    assert_int_equal(seen.n, 1);
    assert_seen(&seen, 0, "third", 5);

    _cleanup_(close_reader) struct source_reader *other = open_after(t, 6, FIRST "sekond\n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_once(other, &seen, 0), STATUS_FAILED);
        assert_contains(failure.message, "before byte 13");
        assert_contains(failure.message, "--store");
    }
    assert_int_equal(seen.n, 1);
}

static void a_reader_without_a_hash_makes_one(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    append_text(t, FIRST SECOND);
    _cleanup_(close_reader) struct source_reader *r = open_after(t, 6, NULL);
    assert_ok(read_once(r, &seen, 0));
    const struct digest expected = digest_of(FIRST SECOND, 13), hash = source_hash(r, 0);
    assert_true(digest_is_same(&hash, &expected));
}

/* Files that are changed while they are read. Each reader has read FIRST and SECOND. */

static struct source_reader *read_two(struct fixture *t, struct seen *seen) {
    append_text(t, FIRST SECOND);
    struct source_reader *r = open_from(t, NULL);
    read_up_to_now(r, seen);
    assert_int_equal(seen->n, 2);
    return r;
}

static void replace(const struct fixture *t, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s.new", t->path);
    write_file(path, O_TRUNC, text, strlen(text));
    assert_int_equal(rename(path, t->path), 0);
}

static void refill(const struct fixture *t, const char *text) {
    write_file(t->path, O_TRUNC, text, strlen(text));
}

/* Each read fails and hands nothing out, until the right file is back, with one more line. */
static void assert_refused_until_it_is_back(struct fixture *t, struct source_reader *r, struct seen *seen,
                                            const char *message) {
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_once(r, seen, 0), STATUS_FAILED);
        assert_contains(failure.message, t->path);
        assert_contains(failure.message, message);
    }
    assert_int_equal(seen->n, 2);
    replace(t, FIRST SECOND THIRD);
    read_up_to_now(r, seen);
    assert_int_equal(seen->n, 3);
    assert_seen(seen, 2, "third", 5);
}

static const struct {
    const char *text, *message;
} others[] = {
    {FIRST, "has shrunk"},
    {"", "has shrunk"},
    {FIRST "2nd\n", "have changed"},
    {FIRST "sekond\n", "have changed"},
    {FIRST "sekond\n" THIRD, "have changed"}, /* longer than what was read */
    {"1st..\n" SECOND THIRD, "have changed"},
    {"another file altogether\n" THIRD, "have changed"},
};

static void a_file_that_is_truncated_and_filled_again_is_refused(void **state) {
    struct fixture *t = fixture(state);
    for (size_t i = 0; i < COUNT(others); i++) {
        _cleanup_(forget) struct seen seen = {0};
        unlink(t->path);
        _cleanup_(close_reader) struct source_reader *r = read_two(t, &seen);
        refill(t, others[i].text);
        assert_refused_until_it_is_back(t, r, &seen, others[i].message);
    }
}

static void another_file_at_the_path_is_refused(void **state) {
    struct fixture *t = fixture(state);
    for (size_t i = 0; i < COUNT(others); i++) {
        _cleanup_(forget) struct seen seen = {0};
        unlink(t->path);
        _cleanup_(close_reader) struct source_reader *r = read_two(t, &seen);
        replace(t, others[i].text);
        assert_refused_until_it_is_back(t, r, &seen, others[i].message);
    }
}
static void a_first_line_far_behind_is_compared_too(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    char filler[2 * LINES_BEHIND];
    memset(filler, 'x', sizeof filler);
    append_text(t, FIRST);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    add_line(t, filler, sizeof filler);
    read_up_to_now(r, &seen);
    replace(t, "1st..\n");
    add_line(t, filler, sizeof filler);
    append_text(t, THIRD);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_once(r, &seen, 0), STATUS_FAILED);
        assert_contains(failure.message, "first line is another");
    }
    assert_int_equal(seen.n, 2);
}

static void a_copy_is_read_on(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = read_two(t, &seen);
    replace(t, FIRST SECOND); /* another inode */
    read_up_to_now(r, &seen);
    append_text(t, THIRD);
    read_up_to_now(r, &seen);
    refill(t, FIRST SECOND THIRD "fourth\n"); /* the same inode, written again */
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 4);
    assert_seen(&seen, 2, "third", 5);
    assert_seen(&seen, 3, "fourth", 6);
}

static void a_line_without_an_end_may_be_written_anew(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = read_two(t, &seen);
    append_text(t, "thi");
    read_up_to_now(r, &seen);
    refill(t, FIRST SECOND);
    read_up_to_now(r, &seen);
    append_text(t, "other");
    read_up_to_now(r, &seen);
    refill(t, FIRST SECOND "others\n");
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 3);
    assert_seen(&seen, 2, "others", 6);
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

/* Holes. */

static void assert_hole(struct source_reader *r, struct seen *seen, size_t n, const char *at_byte) {
    for (int i = 0; i < 3; i++) {
        while (read_once(r, seen, 0) == STATUS_OK)
            assert_int_equal(seen->as_of_ms, 0); /* the lines before it are read; nothing is claimed */
        assert_int_equal(failure.status, STATUS_FAILED);
        assert_contains(failure.message, at_byte);
    }
    assert_int_equal(seen->n, n);
}

static void a_hole_in_place_of_lines_is_refused_until_it_is_filled(void **state) {
    struct fixture *t = fixture(state);
    static const char hole[100] = {0};
    static const char *const before[] = {FIRST SECOND, FIRST SECOND "thi"}, *const after[] = {"", "4\n",
                                                                                              THIRD THIRD};
    char at_byte[32], lines[101];
    memset(lines, '\n', 100);
    lines[100] = '\0';
    for (size_t i = 0; i < COUNT(before) * COUNT(after); i++) {
        const char *text = before[i % COUNT(before)], *rest = after[i / COUNT(before)];
        _cleanup_(forget) struct seen seen = {0};
        _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
        refill(t, text);
        write_file(t->path, O_APPEND, hole, sizeof hole);
        append_text(t, rest);
        snprintf(at_byte, sizeof at_byte, "a hole at byte %zu:", strlen(text));
        assert_hole(r, &seen, 2, at_byte);

        char whole[400]; /* as the message advises: newlines in place of the NULs */
        snprintf(whole, sizeof whole, "%s%s%s", text, lines, rest);
        refill(t, whole);
        read_up_to_now(r, &seen);
        assert_true(seen.n >= 102);
    }
}

static void a_sparse_end_of_a_file_is_a_hole(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    append_text(t, FIRST);
    assert_int_equal(truncate(t->path, 100 << 20), 0);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    assert_hole(r, &seen, 1, "a hole at byte 6:");
}

static void a_few_nul_bytes_are_part_of_a_line(void **state) {
    struct fixture *t = fixture(state);
    static const char few[15] = {0};
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    add_line(t, few, sizeof few);
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, 1);
    assert_seen(&seen, 0, few, sizeof few);
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
        test("a file is named by its first line, as it lies", a_file_is_named_by_its_first_line),
        test("the position of a line is its byte offset, and a partial line is not read yet",
             positions_are_byte_offsets),
        test("a read that waits ends when a line is appended", an_appended_line_ends_the_wait),
        test("a line that is too long becomes a cut record", a_line_too_long_becomes_a_cut_record),
        test("a byte order mark is no part of the first line",
             a_byte_order_mark_is_no_part_of_the_first_line),
        test("only a read before the last chunk expects more",
             only_a_read_before_the_last_chunk_expects_more),
        test("lines of JSON's white space are blank", lines_of_white_space_are_blank),
        test("the hash is that of the 4 KiB up to the end of a line",
             the_hash_is_that_of_the_bytes_up_to_the_end_of_a_line),
        test("a reader continues only after the bytes that were read before",
             a_reader_continues_only_after_the_bytes_that_were_read),
        test("a reader that was given no hash makes one", a_reader_without_a_hash_makes_one),
        test("a file that is truncated and filled again is refused until the right one is back",
             a_file_that_is_truncated_and_filled_again_is_refused),
        test("another file at the path is refused until the right one is back",
             another_file_at_the_path_is_refused),
        test("a first line far behind the reader is compared, too", a_first_line_far_behind_is_compared_too),
        test("a copy is read on, and so is a file that was written anew with the same lines",
             a_copy_is_read_on),
        test("a last line without an end may be written anew", a_line_without_an_end_may_be_written_anew),
        test("a removed file fails at once, without a wait", a_removed_file_fails_without_a_wait),
        test("a hole in place of lines is refused until it is filled, with newlines at least",
             a_hole_in_place_of_lines_is_refused_until_it_is_filled),
        test("a sparse end of a file is a hole", a_sparse_end_of_a_file_is_a_hole),
        test("a few NUL bytes are part of a line", a_few_nul_bytes_are_part_of_a_line),
    };
    return cmocka_run_group_tests_name("source_file", tests, NULL, NULL);
}
