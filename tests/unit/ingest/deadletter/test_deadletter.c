#include "ingest/deadletter/deadletter.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tests/unit/support/test.h"

static char path[] = "/tmp/winner-view-test-letters-XXXXXX";
static char target[64];
static struct health *health;

static int make_file(void **state) {
    (void)state;
    strcpy(path + sizeof path - 7, "XXXXXX");
    int fd = mkstemp(path);
    health = health_new();
    snprintf(target, sizeof target, "file:%s", path);
    return fd < 0 || close(fd);
}

static int remove_file(void **state) {
    (void)state;
    health_free(health);
    return unlink(path);
}

static enum status open_as(struct deadletter **d, const char *as, struct error *e) {
    const struct deadletter_options options = {.target = as, .health = health};
    return deadletter_open(d, &options, e);
}

static struct deadletter *opened(void) {
    struct deadletter *d;
    struct error e = {.message = ""};
    if (open_as(&d, target, &e) != STATUS_OK)
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

static enum status write_at(struct deadletter *d, struct deadletter_letter *letters, size_t n,
                            int64_t boot_ms, struct error *e) {
    return deadletter_write(d, letters, n, 1795408560123, boot_ms, e);
}

static void write_one(struct deadletter *d, struct deadletter_letter *letter) {
    struct error e = {.message = ""};
    if (write_at(d, letter, 1, 0, &e) != STATUS_OK)
        fail_msg("%s", e.message);
    assert_int_equal(letter->state, DEADLETTER_WRITTEN);
}

/* The file's lines, parsed: an array; null for a line that is not JSON. */
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

/* The text that is logged between the two calls. */
static int log_before;
static FILE *log_file;

static void capture_log(void) {
    log_file = tmpfile();
    log_before = dup(STDERR_FILENO);
    dup2(fileno(log_file), STDERR_FILENO);
}

static void captured_log(char *text, size_t size) {
    dup2(log_before, STDERR_FILENO);
    close(log_before);
    rewind(log_file);
    text[fread(text, 1, size - 1, log_file)] = '\0';
    fclose(log_file);
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
        "[{s:s,s:s,s:i,s:s,s:s,s:s,s:i,s:s,s:b,s:s}]", "shard", "shardId-000000000002", "sequenceNumber",
        "49577400229100000000000000000000000000000000000000000007", "subSequenceNumber", 3, "reason",
        "not-json", "detail", "at byte 0: '\"' expected", "time", "2026-11-23T04:36:00.123Z", "length", 2,
        "sha256", "b26f99543485cab0666a50160ed4281d01669a10feb99985525b10dd791f1e9d", "truncated", 0, "data",
        "/3s=");
    assert_true(json_equal(all, expected));
}

static void letters_are_appended_to_an_existing_file(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        struct deadletter *d = opened();
        struct deadletter_letter two[] = {letter_at(2 * i, "x"), letter_at(2 * i + 1, "")};
        assert_int_equal(write_at(d, two, 2, 0, NULL), STATUS_OK);
        assert_int_equal(write_at(d, two, 2, 0, NULL), STATUS_OK); /* no letter is pending */
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

static void a_write_without_letters_succeeds(void **state) {
    (void)state;
    struct deadletter *d = opened();
    assert_int_equal(write_at(d, NULL, 0, 0, NULL), STATUS_OK);
    deadletter_close(d);
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 0);
}

static void an_invalid_target_is_refused_with_the_allowed_forms(void **state) {
    (void)state;
    struct deadletter *d;
    struct error e;
    static const char *const bad[] = {"",
                                      "stdout",
                                      "file:",
                                      "sqs:",
                                      "sqs:letters",
                                      "sqs:https://sqs.eu-west-1.amazonaws.com",
                                      "sqs:https://sqs.eu-west-1.amazonaws.com/",
                                      "sqs:https:///1/letters",
                                      "sqs:ftp://sqs.eu-west-1.amazonaws.com/1/letters",
                                      "sqs:https://sqs.eu-west-1.amazonaws.com/1/let ters",
                                      "sqs:https://sqs.eu-west-1.amazonaws.com/1/letters?x",
                                      "sqs:https://u@sqs.eu-west-1.amazonaws.com/1/letters",
                                      "sqs:arn:aws:sqs:eu-west-1:1:letters",
                                      "sqs:https://host/1/letters.fifo2",
                                      "sqs:https://host/1/.fifo"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(deadletter_is_target(bad[i]));
        assert_int_equal(open_as(&d, bad[i], &e), STATUS_INVALID);
        assert_contains(e.message, "allowed are log, file:PATH and sqs:URL");
    }
    static const char *const good[] = {"log", "file:x", "sqs:https://sqs.eu-west-1.amazonaws.com/1/a-B_9",
                                       "sqs:http://localhost:9324/000000000000/letters.fifo"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(deadletter_is_target(good[i]));
}

static void a_path_that_cannot_be_opened_is_named_with_the_reason(void **state) {
    (void)state;
    struct deadletter *d;
    struct error e;
    assert_int_equal(open_as(&d, "file:/nowhere/at/all/letters", &e), STATUS_FAILED);
    assert_contains(e.message, "'/nowhere/at/all/letters': No such file or directory");
}

static void a_full_disk_is_retried_and_named_in_the_error(void **state) {
    (void)state;
    struct deadletter *d;
    struct error e;
    struct deadletter_letter letter = letter_at(1, "x");
    assert_int_equal(open_as(&d, "file:/dev/full", &e), STATUS_OK);
    assert_int_equal(write_at(d, &letter, 1, 0, &e), STATUS_RETRY);
    assert_contains(e.message, "'/dev/full': No space left on device");
    deadletter_close(d);
}

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void letters_that_were_written_before_the_disk_was_full_are_not_written_again(void **state) {
    (void)state;
    struct deadletter *d = opened();
    struct deadletter_letter three[] = {letter_at(1, "x"), letter_at(2, "x"), letter_at(3, "x")};
    struct error e;
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(450); /* one letter and a part of the next */
    enum status first = write_at(d, three, 3, 0, &e);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(first, STATUS_RETRY);
    assert_int_equal(three[0].state, DEADLETTER_WRITTEN);
    assert_int_equal(three[1].state, DEADLETTER_PENDING);
    assert_int_equal(write_at(d, three, 3, 0, &e), STATUS_OK);
    deadletter_close(d);
    json_auto_t *all = lines();
    static const char *const sequences[] = {"1", NULL, "2", "3"};
    assert_int_equal(json_array_size(all), 4);
    for (size_t i = 0; i < 4; i++)
        if (sequences[i])
            assert_string_equal(support_text(json_array_get(all, i), "sequenceNumber"), sequences[i]);
}

static void a_file_that_was_moved_away_is_created_again(void **state) {
    (void)state;
    struct deadletter *d = opened();
    char old[sizeof path + 4];
    struct deadletter_letter first = letter_at(1, "x"), second = letter_at(2, "x");
    write_one(d, &first);
    snprintf(old, sizeof old, "%s.old", path);
    assert_int_equal(rename(path, old), 0);
    write_one(d, &second);
    deadletter_close(d);
    json_auto_t *all = lines();
    unlink(old);
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(support_text(json_array_get(all, 0), "sequenceNumber"), "2");
}

/* The path is a folder: not even root can write to it. */
static void letters_go_to_the_log_until_the_file_can_be_written(void **state) {
    (void)state;
    struct deadletter *d = opened();
    struct deadletter_letter letters[] = {letter_at(1, "x"), letter_at(2, "x"), letter_at(3, "x")};
    char text[8192];
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    capture_log();
    enum status first = write_at(d, &letters[0], 1, 1000, NULL);
    assert_int_equal(rmdir(path), 0);
    enum status second = write_at(d, &letters[1], 1, 1999, NULL); /* not tried yet */
    enum status third = write_at(d, &letters[2], 1, 2000, NULL);
    captured_log(text, sizeof text);
    deadletter_close(d);

    assert_int_equal(first || second || third, 0);
    assert_contains(text, "error dead letters go to the log: cannot open the dead letter file");
    assert_contains(text, "sequenceNumber=1 ");
    assert_contains(text, "sequenceNumber=2 ");
    assert_lacks(text, "sequenceNumber=3 ");
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(support_text(json_array_get(all, 0), "sequenceNumber"), "3");
    assert_false(health_clear(health, "dead-letter"));
}

static void a_line_cut_by_a_full_disk_does_not_spoil_the_next_one(void **state) {
    (void)state;
    struct deadletter *d = opened();
    struct deadletter_letter letter = letter_at(7, "x");
    struct error e;
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(20);
    enum status first = write_at(d, &letter, 1, 0, &e), second = write_at(d, &letter, 1, 0, &e);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(first, STATUS_RETRY);
    assert_int_equal(second, STATUS_RETRY);
    write_one(d, &letter);
    deadletter_close(d);
    json_auto_t *all = lines();
    assert_int_equal(json_array_size(all), 2);
    assert_true(json_is_null(json_array_get(all, 0))); /* the cut line */
    assert_string_equal(support_text(json_array_get(all, 1), "sequenceNumber"), "7");
}

static void a_letter_is_logged_at_every_log_level(void **state) {
    (void)state;
    struct deadletter *d;
    char line[1024];
    struct deadletter_letter letter = letter_at(7, "x");
    assert_int_equal(open_as(&d, "log", NULL), STATUS_OK);
    capture_log();
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    enum status status = write_at(d, &letter, 1, 0, NULL);
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    captured_log(line, sizeof line);
    deadletter_close(d);

    assert_int_equal(status, STATUS_OK);
    assert_contains(line, "error dead letter shard=shardId-000000000002 sequenceNumber=7 subSequenceNumber=0 "
                          "reason=not-json");
    assert_contains(line, "length=1 sha256=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 "
                          "truncated=false data=eA==\n");
}

static void a_logged_letter_is_cut_to_the_length_of_a_log_line(void **state) {
    (void)state;
    struct deadletter *d;
    char line[16384], data[LIMIT_LOGGED_LETTER_BYTES + 2];
    memset(data, 0, sizeof data);
    struct deadletter_letter letter = letter_at(7, "");
    letter.data = data;
    letter.length = sizeof data;
    assert_int_equal(open_as(&d, "log", NULL), STATUS_OK);
    capture_log();
    enum status status = write_at(d, &letter, 1, 0, NULL);
    captured_log(line, sizeof line);
    deadletter_close(d);
    assert_int_equal(status, STATUS_OK);
    assert_contains(line,
                    "length=6002 sha256=2a44c91b3868189956022de42be9358215a061084c87ebdb4c9142121e1156ea "
                    "truncated=true data=AAAA");
    assert_int_equal(strlen(strstr(line, "data=") + 5), LIMIT_LOGGED_LETTER_BYTES / 3 * 4 + 1);
}

static void a_letter_of_a_cut_record_has_no_length_and_no_hash(void **state) {
    (void)state;
    struct deadletter *d = opened();
    struct deadletter_letter letter = letter_at(7, "x");
    letter.cut = true;
    write_one(d, &letter);
    deadletter_close(d);
    json_auto_t *all = lines();
    const json_t *line = json_array_get(all, 0);
    assert_true(json_is_true(json_object_get(line, "truncated")));
    assert_true(json_is_null(json_object_get(line, "length")));
    assert_true(json_is_null(json_object_get(line, "sha256")));
    assert_string_equal(support_text(line, "data"), "eA==");
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
    write_one(d, &letter); /* again, as when a batch is retried */
    deadletter_close(d);
    assert_int_equal(counted("invalid-origin"), before + 1);
    letter.state = DEADLETTER_PENDING;
    assert_int_equal(open_as(&full, "file:/dev/full", NULL), STATUS_OK);
    assert_int_equal(write_at(full, &letter, 1, 0, NULL), STATUS_RETRY);
    deadletter_close(full);
    assert_int_equal(counted("invalid-origin"), before + 1);
    assert_int_equal(counted("not-utf8"), others);
}

static void *write_many(void *d) {
    for (int i = 0; i < 50; i++) {
        struct deadletter_letter two[] = {letter_at(1, "one"), letter_at(2, "two")};
        if (write_at(d, two, 2, 0, NULL) != STATUS_OK)
            return NULL;
    }
    return d;
}

static void lines_of_two_threads_are_not_mixed(void **state) {
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
        TEST(letters_are_appended_to_an_existing_file),
        TEST(the_largest_record_of_kinesis_is_written_whole),
        TEST(a_write_without_letters_succeeds),
        TEST(an_invalid_target_is_refused_with_the_allowed_forms),
        TEST(a_path_that_cannot_be_opened_is_named_with_the_reason),
        TEST(a_full_disk_is_retried_and_named_in_the_error),
        TEST(a_line_cut_by_a_full_disk_does_not_spoil_the_next_one),
        TEST(letters_that_were_written_before_the_disk_was_full_are_not_written_again),
        TEST(a_file_that_was_moved_away_is_created_again),
        TEST(letters_go_to_the_log_until_the_file_can_be_written),
        TEST(a_letter_is_logged_at_every_log_level),
        TEST(a_logged_letter_is_cut_to_the_length_of_a_log_line),
        TEST(a_letter_of_a_cut_record_has_no_length_and_no_hash),
        TEST(letters_are_counted_by_reason_once_they_are_written),
        TEST(lines_of_two_threads_are_not_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
