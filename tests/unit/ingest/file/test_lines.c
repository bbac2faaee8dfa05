#include "ingest/file/lines.h"

#include <fcntl.h>

#include "base/limits.h"
#include "tests/unit/support/test.h"

#define CHUNK ((size_t)LIMIT_CHUNK_BYTES)
#define LONGEST ((size_t)LIMIT_LINE_BYTES)

/* A file that the test fills, and its reader. */

struct fixture {
    int fd;
    struct lines lines;
};

static int make_file(void **state) {
    struct fixture *t = mem_zalloc(sizeof *t);
    char path[] = "/tmp/winner-view-test-lines-XXXXXX";
    t->fd = mkstemp(path);
    if (t->fd < 0 || unlink(path) < 0)
        return -1;
    lines_init(&t->lines, t->fd, 0);
    *state = t;
    return 0;
}

static int remove_file(void **state) {
    struct fixture *t = *state;
    lines_deinit(&t->lines);
    close(t->fd);
    free(t);
    return 0;
}

static void append(const struct fixture *t, const char *text) {
    assert_int_equal(write(t->fd, text, strlen(text)), strlen(text));
}

/* `n` bytes, each other than its neighbours and none a newline, ending with `end`. */
static void append_run(const struct fixture *t, size_t n, const char *end) {
    _cleanup_(mem_freep) char *run = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        run[i] = (char)('a' + i % 23);
    assert_int_equal(write(t->fd, run, n), n);
    append(t, end);
}

static void assert_run(const struct line *line, size_t n) {
    assert_int_equal(line->length, n);
    for (size_t i = 0; i < n; i++)
        if (line->data[i] != (char)('a' + i % 23))
            fail_msg("byte %zu is '%c'", i, line->data[i]);
}

/* The next line of the file; false if there is none yet. */
static bool next_line(struct fixture *t, struct line *line) {
    while (!lines_next(&t->lines, line)) {
        ssize_t n = lines_fill(&t->lines);
        assert_true(n >= 0);
        if (n == 0)
            return false;
    }
    return true;
}

static void assert_next(struct fixture *t, uint64_t offset, const char *text) {
    struct line line;
    assert_true(next_line(t, &line));
    assert_int_equal(line.offset, offset);
    assert_int_equal(line.length, strlen(text));
    assert_memory_equal(line.data, text, line.length);
    assert_false(line.cut);
}

static void assert_next_is_cut(struct fixture *t, uint64_t offset) {
    struct line line;
    assert_true(next_line(t, &line));
    assert_int_equal(line.offset, offset);
    assert_true(line.cut);
    assert_run(&line, LIMIT_CUT_LINE_BYTES);
}

static void assert_no_more(struct fixture *t) {
    struct line line;
    assert_false(next_line(t, &line));
}

static void start_at(struct fixture *t, uint64_t offset) {
    lines_deinit(&t->lines);
    assert_true(lines_init(&t->lines, t->fd, offset));
}

/* Whole lines. */

static void an_empty_file_has_no_line(void **state) {
    struct fixture *t = *state;
    assert_no_more(t);
    append(t, "\n");
    assert_next(t, 0, "");
    assert_no_more(t);
}

static void lines_are_read_in_order_with_their_offsets(void **state) {
    struct fixture *t = *state;
    append(t, "one\n\n\nfour\r\nh\xc3\xa4t\n");
    assert_next(t, 0, "one");
    assert_next(t, 4, "");
    assert_next(t, 5, "");
    assert_next(t, 6, "four\r");
    assert_next(t, 12, "h\xc3\xa4t");
    assert_no_more(t);
}

static void bytes_of_any_value_are_part_of_a_line(void **state) {
    struct fixture *t = *state;
    static const char bytes[] = "a\0b\xff\xfe\x01\n\0\n";
    struct line line;
    assert_int_equal(write(t->fd, bytes, sizeof bytes - 1), sizeof bytes - 1);
    assert_true(next_line(t, &line));
    assert_int_equal(line.length, 6);
    assert_memory_equal(line.data, bytes, 6);
    assert_true(next_line(t, &line));
    assert_int_equal(line.offset, 7);
    assert_int_equal(line.length, 1);
    assert_memory_equal(line.data, "", 1);
}

static void a_line_without_its_newline_is_left_alone_until_it_has_one(void **state) {
    struct fixture *t = *state;
    append(t, "whole\npar");
    assert_next(t, 0, "whole");
    assert_no_more(t);
    append(t, "ti");
    assert_no_more(t);
    append(t, "al\nne");
    assert_next(t, 6, "partial");
    assert_no_more(t);
    append(t, "xt\n");
    assert_next(t, 14, "next");
    assert_no_more(t);
}

static void reading_begins_at_the_offset_asked_for(void **state) {
    struct fixture *t = *state;
    append(t, "one\ntwo\nthree\n");
    start_at(t, 4);
    assert_next(t, 4, "two");
    assert_next(t, 8, "three");
    start_at(t, 14);
    assert_no_more(t);
    append(t, "four\n");
    assert_next(t, 14, "four");
    lines_deinit(&t->lines);
    assert_false(lines_init(&t->lines, t->fd, 20)); /* the file is shorter */
}

static void lines_not_taken_yet_are_kept_when_more_is_read(void **state) {
    struct fixture *t = *state;
    append(t, "one\ntwo\nthr");
    assert_int_equal(lines_fill(&t->lines), 11);
    assert_next(t, 0, "one");
    append(t, "ee\n");
    assert_int_equal(lines_fill(&t->lines), 3);
    assert_int_equal(lines_fill(&t->lines), 0);
    assert_next(t, 4, "two");
    assert_next(t, 8, "three");
    assert_no_more(t);
}

static void lines_that_cross_chunks_are_whole(void **state) {
    struct fixture *t = *state;
    struct line line;
    append_run(t, CHUNK - 2, "\n"); /* ends one byte before the border, */
    append(t, "across\n");          /* lies on it, */
    append_run(t, 3 * CHUNK, "\n"); /* is longer than a chunk, */
    append_run(t, CHUNK - 9, "\n"); /* and ends with one */
    append(t, "last\n");

    assert_true(next_line(t, &line));
    assert_run(&line, CHUNK - 2);
    assert_next(t, CHUNK - 1, "across");
    assert_true(next_line(t, &line));
    assert_int_equal(line.offset, CHUNK + 6);
    assert_run(&line, 3 * CHUNK);
    assert_true(next_line(t, &line));
    assert_int_equal(line.offset, 4 * CHUNK + 7);
    assert_run(&line, CHUNK - 9);
    assert_next(t, 5 * CHUNK - 1, "last");
    assert_no_more(t);
}

static void no_byte_is_lost_whatever_the_lengths(void **state) {
    struct fixture *t = *state;
    uint64_t seed = 42, offset = 0;
    size_t lengths[400];
    struct line line;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        lengths[i] = support_random(&seed) % (i % 20 ? 300 : 300000);
        append_run(t, lengths[i], "\n");
    }
    for (size_t i = 0; i < COUNT(lengths); i++) {
        assert_true(next_line(t, &line));
        assert_int_equal(line.offset, offset);
        assert_run(&line, lengths[i]);
        offset += lengths[i] + 1;
    }
    assert_no_more(t);
}

/* Lines that are too long. */

static void the_longest_line_is_whole_and_one_byte_more_is_cut(void **state) {
    struct fixture *t = *state;
    struct line line;
    append_run(t, LONGEST, "\n");
    append_run(t, LONGEST + 1, "\n");
    append(t, "next\n");
    assert_true(next_line(t, &line));
    assert_false(line.cut);
    assert_run(&line, LONGEST);
    assert_next_is_cut(t, LONGEST + 1);
    assert_next(t, 2 * LONGEST + 3, "next");
    assert_no_more(t);
}

static void a_line_too_long_is_handed_out_once_its_end_is_there(void **state) {
    struct fixture *t = *state;
    append(t, "first\n");
    append_run(t, LONGEST + 3 * CHUNK, "");
    assert_next(t, 0, "first");
    assert_no_more(t);
    assert_no_more(t);
    append(t, "the end of it");
    assert_no_more(t);
    append(t, "\nnext\n");
    assert_next_is_cut(t, 6);
    assert_next(t, 6 + LONGEST + 3 * CHUNK + 14, "next");
    assert_no_more(t);
}

static void two_long_lines_in_a_row_are_two(void **state) {
    struct fixture *t = *state;
    append_run(t, LONGEST + 5 * CHUNK, "\n");
    append_run(t, LONGEST + 4 * CHUNK + 77, "\n");
    append(t, "next\npart");
    assert_next_is_cut(t, 0);
    assert_next_is_cut(t, LONGEST + 5 * CHUNK + 1);
    assert_next(t, 2 * LONGEST + 9 * CHUNK + 79, "next");
    assert_no_more(t);
    append(t, "ial\n");
    assert_next(t, 2 * LONGEST + 9 * CHUNK + 84, "partial");
}

/* The bytes before a place. */

static void assert_behind(struct fixture *t, uint64_t offset) {
    char expected[LINES_BEHIND];
    const char *bytes = NULL;
    size_t n = lines_behind(&t->lines, offset, &bytes),
           at_most = offset < LINES_BEHIND ? offset : LINES_BEHIND;
    assert_int_equal(n, at_most);
    assert_int_equal(pread(t->fd, expected, n, (off_t)(offset - n)), n);
    assert_memory_equal(bytes, expected, n);
}

static void the_bytes_behind_each_line_are_kept(void **state) {
    struct fixture *t = *state;
    uint64_t seed = 7, offsets[200] = {0};
    struct line line;
    for (size_t i = 1; i < COUNT(offsets); i++) {
        size_t length = i == 100 ? LONGEST + 9 * CHUNK : support_random(&seed) % (i % 20 ? 300 : 300000);
        append_run(t, length, "\n");
        offsets[i] = offsets[i - 1] + length + 1;
    }
    for (size_t from = 0; from < COUNT(offsets) - 1; from += 33) {
        start_at(t, offsets[from]);
        assert_behind(t, offsets[from]);
        for (size_t i = from; i < COUNT(offsets) - 1; i++) {
            assert_true(next_line(t, &line));
            assert_int_equal(line.offset, offsets[i]);
            assert_behind(t, offsets[i + 1]);
        }
    }
}

static void a_line_that_was_not_handed_out_is_not_behind(void **state) {
    struct fixture *t = *state;
    const char *bytes;
    append(t, "one\ntwo\n");
    assert_next(t, 0, "one");
    assert_int_equal(lines_behind(&t->lines, 8, &bytes), 0);
}

static void assert_changed(struct fixture *t, const char *refill) {
    assert_int_equal(ftruncate(t->fd, 0), 0);
    assert_int_equal(pwrite(t->fd, refill, strlen(refill), 0), strlen(refill));
    assert_int_equal(lines_fill(&t->lines), LINES_CHANGED);
}

static void what_was_read_and_is_not_there_any_more_is_a_change(void **state) {
    struct fixture *t = *state;
    static const char *const refills[] = {
        "",
        "one\n",
        "one\ntwo\npar",
        "ONE\ntwo\npart",
        "one\ntwo\npert",
        "ONE\ntwo\npart of a longer one\nfour\n",
    };
    for (size_t i = 0; i < COUNT(refills); i++) {
        assert_int_equal(ftruncate(t->fd, 0), 0);
        assert_int_equal(pwrite(t->fd, "one\ntwo\npart", 12, 0), 12);
        start_at(t, 0);
        assert_next(t, 0, "one");
        assert_next(t, 4, "two");
        assert_no_more(t);
        assert_changed(t, refills[i]);
    }
}

static void the_same_bytes_in_their_place_are_no_change(void **state) {
    struct fixture *t = *state;
    append(t, "one\npart");
    assert_next(t, 0, "one");
    assert_no_more(t);
    assert_int_equal(ftruncate(t->fd, 0), 0);
    assert_int_equal(pwrite(t->fd, "one\npartial\n", 12, 0), 12);
    assert_next(t, 4, "partial");
}

/* Failures. */

static void a_read_that_fails_reports_the_error(void **state) {
    (void)state;
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct lines lines;
    lines_init(&lines, folder, 0);
    assert_true(lines_fill(&lines) < 0);
    lines_deinit(&lines);
    close(folder);
}

#define test(title, function)                                                                                \
    { title, function, make_file, remove_file, NULL }

int main(void) {
    const struct CMUnitTest tests[] = {
        test("an empty file has no line, and an empty line is one", an_empty_file_has_no_line),
        test("lines are read in order, each with its offset, empty ones too",
             lines_are_read_in_order_with_their_offsets),
        test("bytes of any value but the newline are part of a line", bytes_of_any_value_are_part_of_a_line),
        test("a line without a newline is not read until it has one",
             a_line_without_its_newline_is_left_alone_until_it_has_one),
        test("reading begins at the given offset", reading_begins_at_the_offset_asked_for),
        test("lines that were not taken yet are kept when more is read",
             lines_not_taken_yet_are_kept_when_more_is_read),
        test("lines that cross the end of a chunk are read whole", lines_that_cross_chunks_are_whole),
        test("no byte is lost, whatever the lengths of the lines", no_byte_is_lost_whatever_the_lengths),
        test("a line of the maximum length is whole, and one that is a byte longer is cut",
             the_longest_line_is_whole_and_one_byte_more_is_cut),
        test("a line that is too long is returned, cut, when its end has been read",
             a_line_too_long_is_handed_out_once_its_end_is_there),
        test("two lines in a row that are too long are two cut lines, and the next line is whole",
             two_long_lines_in_a_row_are_two),
        test("the bytes before the end of each line are kept, wherever reading began, of a cut line too",
             the_bytes_behind_each_line_are_kept),
        test("for the end of a line that was not handed out yet no bytes are returned",
             a_line_that_was_not_handed_out_is_not_behind),
        test("a chunk is refused if the bytes before it are gone or have changed",
             what_was_read_and_is_not_there_any_more_is_a_change),
        test("a file that was written anew with the same bytes is read on",
             the_same_bytes_in_their_place_are_no_change),
        test("a read that fails reports the error", a_read_that_fails_reports_the_error),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
