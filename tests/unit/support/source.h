/*
 * For tests of the sources: a source of its own for each test, and the records that a reader returned. A
 * file: in a new folder. A Kinesis stream: on the emulator that AWS_ENDPOINT_URL_KINESIS names
 * (tests/support/emulators.py
 * -- ctest ...).
 */
#ifndef TESTS_UNIT_SUPPORT_SOURCE_H
#define TESTS_UNIT_SUPPORT_SOURCE_H

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>

#include "aws/client.h"
#include "aws/settings.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "ingest/file/source.h"
#include "ingest/kinesis/source.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/test.h"

/* A call that hangs fails by the time-out of the test. No time is measured. */
#define PATIENCE_MS 60000
#define FOR_EVER (clock_boot_ms() + PATIENCE_MS)
#define HIGHEST_HASH_KEY "340282366920938463463374607431768211455"

/* A source of each kind, and how records get into it. */

struct fixture {
    struct source *source;          /* reads as often as it may */
    struct source *with_long_waits; /* reads the same, once in a long while unless there is more */
    size_t n_shards;
    const char *shard; /* that all records go to */
    void (*add)(struct fixture *t, const void *data, size_t length);

    char folder[64], path[128]; /* the file's */

    struct aws_settings *settings; /* the stream's */
    struct aws_client *client;
    char stream[40];
};

static struct error failure __attribute__((unused)); /* of the last call that had one */

#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        failure = (struct error){0};                                                                         \
        if ((call) != STATUS_OK)                                                                             \
            fail_msg("%s: %s", #call, failure.message);                                                      \
    } while (0)

/* Appends the text in one write, as the writer of a journal does. */
static inline void write_file(const char *path, int flags, const void *data, size_t length) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), length);
    close(fd);
}

static inline void append_text(const struct fixture *t, const char *text) {
    write_file(t->path, O_APPEND, text, strlen(text));
}

static inline void add_line(struct fixture *t, const void *data, size_t length) {
    _cleanup_(mem_freep) char *line = mem_alloc(length + 1);
    if (length)
        memcpy(line, data, length);
    line[length] = '\n';
    write_file(t->path, O_APPEND, line, length + 1);
}

static inline int make_file(void **state) {
    struct fixture *t = mem_zalloc(sizeof *t);
    *state = t;
    strcpy(t->folder, "/tmp/winner-view-test-XXXXXX");
    if (!mkdtemp(t->folder))
        return -1;
    snprintf(t->path, sizeof t->path, "%s/events.jsonl", t->folder);
    t->source = source_file_new(t->path, support_clock());
    t->with_long_waits = source_file_new(t->path, support_clock());
    t->n_shards = 1;
    t->shard = "shardId-000000000000";
    t->add = add_line;
    return 0;
}

/* The contract is that of a source that can be identified. */
static inline int make_file_with_a_line(void **state) {
    int failed = make_file(state);
    if (!failed)
        append_text(*state, "first\n");
    return failed;
}

static inline json_t *call_kinesis(struct fixture *t, const char *operation, json_t *body) {
    char *text = json_dumps(body, JSON_COMPACT);
    struct aws_call call = {.operation = operation, .body = text, .length = strlen(text)};
    enum status status = aws_client_call(t->client, &call, NULL);
    json_t *reply = json_incref(call.reply);
    if (status) {
        print_error("%s: %s\n", operation, call.error.message);
        json_decref(reply);
    }
    aws_call_deinit(&call);
    free(text);
    json_decref(body);
    return status ? NULL : reply;
}

/* Hash key 0 is the first shard's. */
static inline void put_record(struct fixture *t, const void *data, size_t length) {
    _cleanup_(mem_freep) char *text = base64_encode(data, length);
    json_t *body = json_pack("{s:s,s:s,s:s,s:s}", "StreamName", t->stream, "PartitionKey", "lamp",
                             "ExplicitHashKey", "0", "Data", text);
    json_auto_t *reply = call_kinesis(t, "PutRecord", body);
    assert_non_null(reply);
    assert_string_equal(support_text(reply, "ShardId"), t->shard);
}

static inline bool is_active(struct fixture *t) {
    json_auto_t *reply =
        call_kinesis(t, "DescribeStreamSummary", json_pack("{s:s}", "StreamName", t->stream));
    const char *status = support_text(json_object_get(reply, "StreamDescriptionSummary"), "StreamStatus");
    return status && strcmp(status, "ACTIVE") == 0;
}

static inline bool make_stream(struct fixture *t) {
    json_auto_t *created =
        call_kinesis(t, "CreateStream", json_pack("{s:s,s:i}", "StreamName", t->stream, "ShardCount", 2));
    int64_t until = clock_boot_ms() + PATIENCE_MS;
    while (clock_boot_ms() < until)
        if (is_active(t))
            return true;
    return false;
}

static inline bool open_stream(struct fixture *t) {
    const struct source_kinesis_options often = {.stream = t->stream, .poll_interval_ms = 1},
                                        with_long_waits = {.stream = t->stream,
                                                           .poll_interval_ms = PATIENCE_MS};
    return source_kinesis_open(&t->source, &often, t->settings, NULL, &failure) == STATUS_OK &&
           source_kinesis_open(&t->with_long_waits, &with_long_waits, t->settings, NULL, &failure) ==
               STATUS_OK;
}

static inline int make_kinesis(void **state) {
    struct fixture *t = mem_zalloc(sizeof *t);
    char random[9];
    *state = t;
    if (!getenv("AWS_ENDPOINT_URL_KINESIS"))
        return 0; /* each test skips itself */
    signal(SIGPIPE, SIG_IGN);
    random_hex(random, 4);
    snprintf(t->stream, sizeof t->stream, "test-%s", random);
    t->n_shards = 2;
    t->shard = "shardId-000000000000";
    t->add = put_record;
    if (aws_settings_load(&t->settings, &failure)) {
        print_error("%s\n", failure.message);
        return -1;
    }
    t->settings->teacher = &aws_kinesis;
    t->settings->clock = support_clock();
    if (aws_client_new(&t->client, &aws_kinesis, t->settings, NULL, &failure) || !make_stream(t) ||
        !open_stream(t)) {
        print_error("%s\n", failure.message);
        return -1;
    }
    return 0;
}

static inline int tear_down(void **state) {
    struct fixture *t = *state;
    source_free(t->source);
    source_free(t->with_long_waits);
    if (t->client) {
        json_decref(call_kinesis(t, "DeleteStream", json_pack("{s:s}", "StreamName", t->stream)));
        aws_client_free(t->client);
        aws_settings_free(t->settings);
    }
    if (*t->folder) {
        unlink(t->path);
        rmdir(t->folder);
    }
    free(t);
    return 0;
}

/* The fixture, or the test is skipped: cmocka counts it. */
static inline struct fixture *fixture(void **state) {
    struct fixture *t = *state;
    if (!t->source)
        skip();
    return t;
}

static inline void add_text(struct fixture *t, const char *text) {
    t->add(t, text, strlen(text));
}

/* What a reader handed out. */

struct seen {
    struct position positions[128];
    char *data[128];
    size_t lengths[128];
    bool cut[128], blank[128];
    struct digest hashes[128]; /* source_hash after each */
    size_t n;
    int64_t as_of_ms; /* the last that was reported */
};

static inline void forget(struct seen *seen) {
    for (size_t i = 0; i < seen->n; i++)
        free(seen->data[i]);
    *seen = (struct seen){0};
}

/* Reads once, and checks what holds for every read. */
static inline enum status read_once(struct source_reader *r, struct seen *seen, int64_t until_ms) {
    struct source_batch batch;
    failure = (struct error){0};
    enum status status = source_read(r, until_ms, &batch, &failure);
    if (status)
        return status;
    assert_true(batch.as_of_ms <= support_now());
    assert_false(batch.ended);
    for (size_t i = 0; i < batch.n; i++, seen->n++) {
        const struct source_record *record = &batch.records[i];
        assert_true(seen->n < COUNT(seen->data));
        if (seen->n)
            assert_true(position_compare(&record->position, &seen->positions[seen->n - 1]) > 0);
        seen->positions[seen->n] = record->position;
        seen->data[seen->n] = mem_alloc(record->length + 1);
        if (record->length)
            memcpy(seen->data[seen->n], record->data, record->length);
        seen->lengths[seen->n] = record->length;
        seen->cut[seen->n] = record->cut;
        seen->blank[seen->n] = record->blank;
        seen->hashes[seen->n] = source_hash(r, i + 1);
    }
    if (batch.as_of_ms >= 0)
        seen->as_of_ms = batch.as_of_ms;
    return STATUS_OK;
}

/* Reads all records that were added before this call, by the as-of of the source. */
static inline void read_up_to_now(struct source_reader *r, struct seen *seen) {
    int64_t now = support_now(), give_up = clock_boot_ms() + PATIENCE_MS;
    while (seen->as_of_ms <= now) {
        assert_ok(read_once(r, seen, clock_boot_ms() + 5));
        if (clock_boot_ms() > give_up)
            fail_msg("as of %" PRId64 ", awaited %" PRId64, seen->as_of_ms, now);
    }
}

static inline void assert_seen(const struct seen *seen, size_t i, const void *data, size_t length) {
    assert_true(i < seen->n);
    assert_int_equal(seen->lengths[i], length);
    assert_memory_equal(seen->data[i], data, length);
    assert_false(seen->cut[i]);
}

static inline struct source_reader *open_shard(struct fixture *t, struct source *source,
                                               const struct source_start *start) {
    struct source_shard shard = {0};
    strcpy(shard.id, t->shard);
    return source_open(source, &shard, start, NULL);
}

static inline struct source_reader *open_from(struct fixture *t, const struct position *after) {
    struct source_start start = {.checkpoint = after ? LEASE_AT_POSITION : LEASE_TRIM_HORIZON};
    if (after)
        start.position = *after;
    return open_shard(t, t->source, &start);
}

static inline void close_reader(struct source_reader **r) {
    source_close(*r);
}

static inline struct source_reader *open_with_long_waits(struct fixture *t, struct seen *seen) {
    const struct source_start start = {.checkpoint = LEASE_TRIM_HORIZON};
    struct source_reader *r = open_shard(t, t->with_long_waits, &start);
    int64_t give_up = clock_boot_ms() + PATIENCE_MS, until_ms;
    do { /* up to the end: from here on it waits */
        until_ms = clock_boot_ms() + 20;
        assert_ok(read_once(r, seen, until_ms));
        assert_true(clock_boot_ms() < give_up);
    } while (clock_boot_ms() < until_ms);
    return r;
}

#endif
