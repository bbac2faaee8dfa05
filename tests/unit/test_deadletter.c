#include "ingest/deadletter.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "server/base/base64.h"
#include "server/base/buffer.h"
#include "server/base/metrics.h"
#include "tests/unit/test_support.h"

static char path[] = "/tmp/winner-view-test-letters-XXXXXX";
static char target[64];

static int make_file(void **state) {
    (void)state;
    strcpy(path + sizeof path - 7, "XXXXXX");
    int fd = mkstemp(path);
    snprintf(target, sizeof target, "file:%s", path);
    return fd < 0 || close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static struct deadletter *opened(void) {
    struct deadletter *d;
    struct error e = {.message = ""};
    if (deadletter_open(&d, target, &e) != STATUS_OK)
        fail_msg("%s", e.message);
    return d;
}

static struct deadletter_letter letter_at(uint64_t sequence, const char *data) {
    return (struct deadletter_letter){
        .shard_id = "shardId-000000000002",
        .position = position_from_u64(sequence),
        .reason = ENVELOPE_NOT_JSON,
        .detail = "at byte 0: '\"' expected",
        .data = data,
        .length = strlen(data),
    };
}

static void write_one(struct deadletter *d, const struct deadletter_letter *letter) {
    struct error e = {.message = ""};
    if (deadletter_write(d, letter, 1, 1795408560123, &e) != STATUS_OK)
        fail_msg("%s", e.message);
}

/* The file's lines, parsed: an array; null for a line that is no JSON. */
static json_t *lines(void) {
    json_t *all = json_array();
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    assert_non_null(file);
    while (getline(&line, &size, file) > 0) {
        json_t *parsed = json_loads(line, 0, NULL);
        json_array_append_new(all, parsed ? parsed : json_null());
    }
    free(line);
    fclose(file);
    return all;
}

static void a_letter_is_a_line_with_everything_that_identifies_it(void **state) {
    (void)state;
    struct deadletter *d = opened();
    struct deadletter_letter letter = letter_at(0, "\xff{");
    assert_true(
        position_parse("49577400229100000000000000000000000000000000000000000007", 56, 3, &letter.position));
    write_one(d, &letter);
    deadletter_close(d);

    json_auto_t *all = lines();
    json_auto_t *expected = json_pack(
        "[{s:s,s:s,s:i,s:s,s:s,s:s,s:s}]", "shard", "shardId-000000000002", "sequenceNumber",
        "49577400229100000000000000000000000000000000000000000007", "subSequenceNumber", 3, "reason",
        "not-json", "detail", "at byte 0: '\"' expected", "data", "/3s=", "time", "2026-11-23T04:36:00.123Z");
    assert_true(json_equal(all, expected));
}

static void letters_are_appended_to_what_is_there(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        struct deadletter *d = opened();
        struct deadletter_letter two[] = {letter_at(2 * i, "x"), letter_at(2 * i + 1, "")};
        assert_int_equal(deadletter_write(d, two, 2, 0, NULL), STATUS_OK);
        deadletter_close(d);
    }
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 6);
    for (size_t i = 0; i < 6; i++) {
        char sequence[8];
        snprintf(sequence, sizeof sequence, "%zu", i);
        assert_string_equal(support_text(json_array_get(all, i), "sequenceNumber"), sequence);
    }
}

static void the_largest_record_of_kinesis_is_written_whole(void **state) {
    (void)state;
    enum { LARGEST = 10 << 20 };
    _cleanup_(mem_freep) char *data = mem_alloc(LARGEST);
    memset(data, 0xFF, LARGEST);
    struct deadletter *d = opened();
    struct deadletter_letter letter = letter_at(1, "");
    letter.data = data;
    letter.length = LARGEST;
    write_one(d, &letter);
    deadletter_close(d);
    json_auto_t *all = lines();
    size_t length;
    const char *text = support_text(json_array_get(all, 0), "data");
    assert_non_null(text);
    _cleanup_(mem_freep) uint8_t *again = base64_decode(text, strlen(text), &length);
    assert_int_equal(length, LARGEST);
    assert_memory_equal(again, data, LARGEST);
}

static void nothing_to_write_is_no_failure(void **state) {
    (void)state;
    struct deadletter *d = opened();
    assert_int_equal(deadletter_write(d, NULL, 0, 0, NULL), STATUS_OK);
    deadletter_close(d);
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 0);
}

static void a_bad_target_says_what_is_allowed(void **state) {
    (void)state;
    struct deadletter *d;
    struct error e;
    assert_int_equal(deadletter_open(&d, "sqs:x", &e), STATUS_INVALID);
    assert_contains(e.message, "'sqs:x'");
    assert_contains(e.message, "file:PATH and log");
    assert_int_equal(deadletter_open(&d, "file:", &e), STATUS_INVALID);
    assert_contains(e.message, "'file:' names no file");
}

static void a_path_that_cannot_be_opened_is_named_with_the_reason(void **state) {
    (void)state;
    struct deadletter *d;
    struct error e;
    assert_int_equal(deadletter_open(&d, "file:/nowhere/at/all/letters", &e), STATUS_FAILED);
    assert_contains(e.message, "'/nowhere/at/all/letters': No such file or directory");
}

static void a_full_disk_is_tried_again_and_said(void **state) {
    (void)state;
    struct deadletter *d;
    struct error e;
    struct deadletter_letter letter = letter_at(1, "x");
    assert_int_equal(deadletter_open(&d, "file:/dev/full", &e), STATUS_OK);
    assert_int_equal(deadletter_write(d, &letter, 1, 0, &e), STATUS_RETRY);
    assert_contains(e.message, "'/dev/full': No space left on device");
    deadletter_close(d);
}

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_line_cut_by_a_full_disk_does_not_spoil_the_next_one(void **state) {
    (void)state;
    struct deadletter *d = opened();
    struct deadletter_letter letter = letter_at(7, "x");
    struct error e;
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(20);
    enum status first = deadletter_write(d, &letter, 1, 0, &e),
                second = deadletter_write(d, &letter, 1, 0, &e);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(first, STATUS_RETRY);
    assert_int_equal(second, STATUS_RETRY);
    write_one(d, &letter);
    deadletter_close(d);
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 2);
    assert_true(json_is_null(json_array_get(all, 0))); /* what was cut */
    assert_string_equal(support_text(json_array_get(all, 1), "sequenceNumber"), "7");
}

static void the_log_gets_what_a_line_holds_of_it(void **state) {
    (void)state;
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO);
    struct deadletter *d;
    assert_int_equal(deadletter_open(&d, "log", NULL), STATUS_OK);
    struct deadletter_letter letter = letter_at(7, "x");
    dup2(fileno(log), STDERR_FILENO);
    enum status status = deadletter_write(d, &letter, 1, 0, NULL);
    dup2(before, STDERR_FILENO);
    close(before);
    deadletter_close(d);

    char line[1024] = "";
    rewind(log);
    assert_non_null(fgets(line, sizeof line, log));
    fclose(log);
    assert_int_equal(status, STATUS_OK);
    assert_contains(line, "warn  dead letter shard=shardId-000000000002 sequenceNumber=7 subSequenceNumber=0 "
                          "reason=not-json");
    assert_contains(line, "data=eA== truncated=false\n");
}

static int64_t counted(const char *reason) {
    _cleanup_(buffer_deinit) struct buffer text;
    char start[100];
    buffer_init(&text, 1 << 20);
    metrics_write(&text);
    snprintf(start, sizeof start, "winner_view_dead_letters_total{reason=\"%s\"} ", reason);
    const char *at = strstr(text.data, start);
    if (!at)
        fail_msg("%s is not counted", reason);
    return strtoll(at + strlen(start), NULL, 10);
}

static void letters_are_counted_by_reason_once_they_are_written(void **state) {
    (void)state;
    struct deadletter *d = opened(), *full;
    int64_t before = counted("invalid-origin"), others = counted("not-utf8");
    struct deadletter_letter letter = letter_at(1, "x");
    letter.reason = ENVELOPE_INVALID_ORIGIN;
    write_one(d, &letter);
    deadletter_close(d);
    assert_int_equal(counted("invalid-origin"), before + 1);
    assert_int_equal(deadletter_open(&full, "file:/dev/full", NULL), STATUS_OK);
    assert_int_equal(deadletter_write(full, &letter, 1, 0, NULL), STATUS_RETRY);
    deadletter_close(full);
    assert_int_equal(counted("invalid-origin"), before + 1);
    assert_int_equal(counted("not-utf8"), others);
}

static void *write_many(void *d) {
    for (int i = 0; i < 50; i++) {
        struct deadletter_letter two[] = {letter_at(1, "one"), letter_at(2, "two")};
        if (deadletter_write(d, two, 2, 0, NULL) != STATUS_OK)
            return NULL;
    }
    return d;
}

static void lines_of_two_threads_do_not_mix(void **state) {
    (void)state;
    struct deadletter *d = opened();
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, d), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, d);
    }
    deadletter_close(d);
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 200);
    for (size_t i = 0; i < 200; i++) /* one batch after the other */
        assert_string_equal(support_text(json_array_get(all, i), "data"), i % 2 ? "dHdv" : "b25l");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_letter_is_a_line_with_everything_that_identifies_it),
        TEST(letters_are_appended_to_what_is_there),
        TEST(the_largest_record_of_kinesis_is_written_whole),
        TEST(nothing_to_write_is_no_failure),
        TEST(a_bad_target_says_what_is_allowed),
        TEST(a_path_that_cannot_be_opened_is_named_with_the_reason),
        TEST(a_full_disk_is_tried_again_and_said),
        TEST(a_line_cut_by_a_full_disk_does_not_spoil_the_next_one),
        TEST(the_log_gets_what_a_line_holds_of_it),
        TEST(letters_are_counted_by_reason_once_they_are_written),
        TEST(lines_of_two_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
