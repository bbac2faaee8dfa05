/* Dead letters to SQS, over a transport that answers as a queue does, or follows a script. */
#include "ingest/deadletter/deadletter.h"

#include "aws/settings.h"
#include "aws/transport.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/test.h"

#define QUEUE "https://sqs.eu-west-1.amazonaws.com/123456789012/letters"
enum { MESSAGES = 256, NOW = 1000 };

#define DENIED                                                                                               \
    403, "{\"__type\":\"com.amazonaws.sqs#AccessDeniedException\",\"message\":\"you may not send\"}"
#define THROTTLED 403, "{\"__type\":\"com.amazonaws.sqs#RequestThrottled\",\"message\":\"slower\"}"
#define NO_QUEUE 400, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"no such queue\"}"

/* The reply to a message about this sequence number (NULL: to any message), `times` times. */
struct rule {
    const char *sequence;
    long status; /* 0: no answer */
    const char *reply;
    int times;
};

static struct {
    struct aws_transport transport;
    struct rule rules[4];
    size_t sent;
    json_t *requests[MESSAGES]; /* whole bodies of the accepted messages */
    size_t taken;
} queue;

static struct aws_settings *settings;
static struct health *health;
static struct deadletter *d;

static const struct rule *rule_for(const char *sequence) {
    for (size_t i = 0; i < COUNT(queue.rules); i++) {
        struct rule *rule = &queue.rules[i];
        if (rule->times > 0 && (!rule->sequence || strcmp(rule->sequence, sequence) == 0)) {
            rule->times--;
            return rule;
        }
    }
    return NULL;
}

static json_t *message_of(const json_t *request) {
    const char *body = support_text(request, "MessageBody");
    assert_non_null(body);
    assert_true(strlen(body) <= 262144);
    json_t *message = json_loads(body, 0, NULL);
    assert_non_null(message);
    return message;
}

static void answer(const struct aws_transport *transport, struct aws_session *session,
                   struct aws_exchange *x) {
    json_t *request = json_loadb(x->body, x->length, 0, NULL);
    json_auto_t *message = message_of(request);
    const struct rule *rule = rule_for(support_text(message, "sequenceNumber"));
    (void)transport;
    queue.sent++;
    assert_string_equal(x->operation, "SendMessage");
    if (!rule) {
        assert_true(queue.taken < MESSAGES);
        queue.requests[queue.taken++] = request;
        aws_exchange_answer(x, 200, "{\"MessageId\":\"1\"}");
    } else {
        json_decref(request);
        if (rule->status)
            aws_exchange_answer(x, rule->status, rule->reply);
        else
            aws_exchange_fail(x, "as scripted");
        aws_exchange_header(x, "x-amz-retry-after", "0");
    }
    aws_session_finish(session, x, 0);
}

static void open_queue(const char *target) {
    const struct deadletter_options options = {
        .target = target, .aws = settings, .transport = &queue.transport, .health = health};
    struct error e = {.message = ""};
    if (deadletter_open(&d, &options, &e))
        fail_msg("%s", e.message);
}

static int set_up(void **state) {
    (void)state;
    support_set_environment();
    setenv("AWS_MAX_ATTEMPTS", "2", 1);
    memset(&queue, 0, sizeof queue);
    queue.transport = (struct aws_transport){.send = answer};
    health = health_new();
    if (aws_settings_load(&settings, NULL))
        return -1;
    open_queue("sqs:" QUEUE);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    deadletter_close(d);
    for (size_t i = 0; i < queue.taken; i++)
        json_decref(queue.requests[i]);
    aws_settings_free(settings);
    health_free(health);
    return 0;
}

static void letters_init(struct deadletter_letter *letters, size_t n) {
    for (size_t i = 0; i < n; i++)
        letters[i] = (struct deadletter_letter){
            .shard_id = "shardId-000000000002",
            .position = position_from_u64(i),
            .reason = ENVELOPE_INVALID_FIELD,
            .detail = "no \xc3\xa9t\xc3\xa9",
            .data = "x",
            .length = 1,
        };
}

static enum status write_at(struct deadletter_letter *letters, size_t n, int64_t boot_ms, struct error *e) {
    return deadletter_write(d, letters, n, 1795408560123, boot_ms, e);
}

/* How often the queue accepted the letter of this sequence number. */
static int times_taken(const char *sequence) {
    int times = 0;
    for (size_t i = 0; i < queue.taken; i++) {
        json_auto_t *message = message_of(queue.requests[i]);
        times += strcmp(support_text(message, "sequenceNumber"), sequence) == 0;
    }
    return times;
}

static bool in_trouble(char *reason, size_t size) {
    struct health_report report;
    health_read(health, &report);
    bool found = report.n_troubles == 1 && strcmp(report.troubles[0].name, "dead-letter") == 0;
    snprintf(reason, size, "%s", found ? report.troubles[0].reason : "");
    health_report_deinit(&report);
    return found;
}

static int64_t counted(const char *line_start) {
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, 1 << 20);
    metrics_write(&text);
    const char *at = strstr(text.data, line_start);
    return at ? strtoll(at + strlen(line_start), NULL, 10) : 0;
}

static void a_letter_is_a_message_with_everything_that_identifies_it(void **state) {
    (void)state;
    struct deadletter_letter letter;
    letters_init(&letter, 1);
    assert_int_equal(write_at(&letter, 1, NOW, NULL), STATUS_OK);
    assert_int_equal(queue.taken, 1);
    assert_string_equal(support_text(queue.requests[0], "QueueUrl"), QUEUE);
    assert_int_equal(json_object_size(queue.requests[0]), 2);
    json_auto_t *message = message_of(queue.requests[0]);
    json_auto_t *expected = json_pack(
        "{s:s,s:s,s:i,s:s,s:s,s:s,s:i,s:s,s:b,s:s}", "shard", "shardId-000000000002", "sequenceNumber", "0",
        "subSequenceNumber", 0, "reason", "invalid-field", "detail", "no \xc3\xa9t\xc3\xa9", "time",
        "2026-11-23T04:36:00.123Z", "length", 1, "sha256",
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "truncated", 0, "data", "eA==");
    assert_true(json_equal(message, expected));
}

static void a_letter_that_is_too_large_is_cut_and_marked_truncated(void **state) {
    (void)state;
    enum { LENGTH = 1 << 20 };
    _cleanup_(mem_freep) char *data = mem_alloc(LENGTH);
    memset(data, 'a', LENGTH);
    struct deadletter_letter letter;
    letters_init(&letter, 1);
    letter.data = data;
    letter.length = LENGTH;
    assert_int_equal(write_at(&letter, 1, NOW, NULL), STATUS_OK);

    json_auto_t *message = message_of(queue.requests[0]);
    const char *text = support_text(message, "data");
    size_t length, message_length = strlen(support_text(queue.requests[0], "MessageBody"));
    _cleanup_(mem_freep) uint8_t *kept = base64_decode(text, strlen(text), &length);
    assert_true(message_length > LIMIT_SQS_MESSAGE_BYTES - 8); /* as much as fits */
    assert_memory_equal(kept, data, length);
    assert_true(json_is_true(json_object_get(message, "truncated")));
    assert_int_equal(json_integer_value(json_object_get(message, "length")), LENGTH);
    assert_string_equal(support_text(message, "sha256"),
                        "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360");
}

static void a_letter_that_fits_a_message_is_not_cut(void **state) {
    (void)state;
    char data[3000];
    memset(data, 0xFF, sizeof data);
    struct deadletter_letter letter;
    letters_init(&letter, 1);
    letter.data = data;
    letter.length = sizeof data;
    assert_int_equal(write_at(&letter, 1, NOW, NULL), STATUS_OK);
    json_auto_t *message = message_of(queue.requests[0]);
    assert_true(json_is_false(json_object_get(message, "truncated")));
}

static void many_letters_arrive_once_each(void **state) {
    (void)state;
    struct deadletter_letter letters[100];
    letters_init(letters, COUNT(letters));
    assert_int_equal(write_at(letters, COUNT(letters), NOW, NULL), STATUS_OK);
    assert_int_equal(write_at(letters, COUNT(letters), NOW, NULL), STATUS_OK); /* again: nothing is left */
    assert_int_equal(queue.taken, 100);
    for (size_t i = 0; i < COUNT(letters); i++) {
        char sequence[8];
        snprintf(sequence, sizeof sequence, "%zu", i);
        assert_int_equal(times_taken(sequence), 1);
        assert_int_equal(letters[i].state, DEADLETTER_WRITTEN);
    }
}

static void a_temporary_failure_keeps_only_its_own_letters_pending(void **state) {
    (void)state;
    static const struct rule failures[] = {
        {"3", THROTTLED, 2}, {"3", 500, "{}", 2}, {"3", 0, NULL, 2}, {"3", 503, "", 2}};
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct deadletter_letter letters[5];
        struct error e;
        char reason[8];
        letters_init(letters, COUNT(letters));
        queue.rules[0] = failures[i];
        size_t before = queue.taken;
        assert_int_equal(write_at(letters, COUNT(letters), NOW, &e), STATUS_RETRY);
        assert_contains(e.message, "cannot send dead letters to '" QUEUE "': sqs SendMessage failed");
        assert_int_equal(queue.taken, before + 4);
        assert_int_equal(letters[3].state, DEADLETTER_PENDING);
        assert_false(in_trouble(reason, sizeof reason)); /* the shard reports that wait */
        assert_int_equal(write_at(letters, COUNT(letters), NOW, &e), STATUS_OK);
        assert_int_equal(queue.taken, before + 5);
    }
    assert_int_equal(times_taken("3"), COUNT(failures));
    assert_int_equal(times_taken("4"), COUNT(failures));
}

static void letters_that_the_queue_refuses_go_to_the_log_and_are_a_trouble(void **state) {
    (void)state;
    static const struct rule refusals[] = {{NULL, DENIED, 1000}, {NULL, NO_QUEUE, 1000}};
    static const char *const words[] = {"AccessDeniedException: you may not send",
                                        "QueueDoesNotExist: no such queue"};
    struct deadletter_letter letters[40];
    char reason[600];
    for (size_t i = 0; i < COUNT(refusals); i++) {
        int64_t logged = counted("winner_view_dead_letter_writes_total{target=\"log\",result=\"written\"} ");
        letters_init(letters, COUNT(letters));
        queue.sent = 0;
        queue.rules[0] = refusals[i];
        assert_int_equal(write_at(letters, COUNT(letters), (int64_t)(i + 1) * 100000, NULL), STATUS_OK);
        assert_int_equal(queue.sent, LIMIT_AWS_CONCURRENCY); /* the rest is not sent */
        assert_int_equal(counted("winner_view_dead_letter_writes_total{target=\"log\",result=\"written\"} "),
                         logged + 40);
        assert_true(in_trouble(reason, sizeof reason));
        assert_contains(reason, words[i]);
        assert_contains(reason, QUEUE);
        assert_int_equal(
            counted("winner_view_dead_letter_target_refusing_since_timestamp_seconds{target=\"sqs\"} "),
            1795408560);
    }
    assert_int_equal(queue.taken, 0);
}

static size_t sent_at(int64_t boot_ms) {
    struct deadletter_letter letter;
    size_t before = queue.sent;
    letters_init(&letter, 1);
    assert_int_equal(write_at(&letter, 1, boot_ms, NULL), STATUS_OK);
    return queue.sent - before;
}

static void a_queue_that_refuses_is_tried_again_after_growing_pauses(void **state) {
    (void)state;
    queue.rules[0] = (struct rule){NULL, DENIED, 1000};
    int64_t at = NOW, pause_ms = LIMIT_DEAD_LETTER_REFUSED_FIRST_MS;
    assert_int_equal(sent_at(at), 1);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(sent_at(at + pause_ms - 1), 0);
        at += pause_ms;
        assert_int_equal(sent_at(at), 1);
        pause_ms = pause_ms * 2 < LIMIT_DEAD_LETTER_REFUSED_MS ? pause_ms * 2 : LIMIT_DEAD_LETTER_REFUSED_MS;
    }
}

static void a_queue_that_stops_refusing_is_used_again(void **state) {
    (void)state;
    char reason[600];
    queue.rules[0] = (struct rule){NULL, DENIED, 1};
    sent_at(NOW);
    assert_true(in_trouble(reason, sizeof reason));
    int64_t later = NOW + LIMIT_DEAD_LETTER_REFUSED_FIRST_MS;
    assert_int_equal(sent_at(later), 1);
    assert_int_equal(queue.taken, 1);
    assert_false(in_trouble(reason, sizeof reason));
    assert_int_equal(sent_at(later), 1); /* no pause any more */
    assert_int_equal(
        counted("winner_view_dead_letter_target_refusing_since_timestamp_seconds{target=\"sqs\"} "), 0);
}

static void a_queue_that_refuses_one_letter_is_not_a_trouble(void **state) {
    (void)state;
    struct deadletter_letter letters[3];
    char reason[8];
    letters_init(letters, COUNT(letters));
    queue.rules[0] =
        (struct rule){"1", 400, "{\"__type\":\"InvalidParameterValue\",\"message\":\"too long\"}", 1};
    assert_int_equal(write_at(letters, COUNT(letters), NOW, NULL), STATUS_OK);
    assert_int_equal(queue.taken, 2);
    assert_int_equal(times_taken("1"), 0); /* it is in the log */
    assert_int_equal(letters[1].state, DEADLETTER_WRITTEN);
    assert_false(in_trouble(reason, sizeof reason));
}

static void messages_to_a_fifo_queue_have_a_group_and_a_deduplication_id_by_position(void **state) {
    (void)state;
    struct deadletter_letter letters[2];
    deadletter_close(d);
    open_queue("sqs:" QUEUE ".fifo");
    letters_init(letters, COUNT(letters));
    assert_int_equal(write_at(letters, 2, NOW, NULL), STATUS_OK);
    letters_init(letters, COUNT(letters));
    assert_int_equal(write_at(letters, 2, NOW, NULL), STATUS_OK); /* as after a crash */
    assert_int_equal(queue.taken, 4);
    const char *ids[4];
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(support_text(queue.requests[i], "MessageGroupId"), "shardId-000000000002");
        ids[i] = support_text(queue.requests[i], "MessageDeduplicationId");
    }
    assert_string_not_equal(ids[0], ids[1]);
    assert_string_equal(ids[0], ids[2]);
    assert_string_equal(ids[1], ids[3]);
}

static void a_cancelled_write_keeps_its_letter_pending_and_is_not_a_trouble(void **state) {
    (void)state;
    struct deadletter_letter letter;
    char reason[8];
    letters_init(&letter, 1);
    deadletter_cancel(d);
    assert_int_equal(write_at(&letter, 1, NOW, NULL), STATUS_RETRY);
    assert_int_equal(letter.state, DEADLETTER_PENDING);
    assert_false(in_trouble(reason, sizeof reason));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_letter_is_a_message_with_everything_that_identifies_it),
        TEST(a_letter_that_is_too_large_is_cut_and_marked_truncated),
        TEST(a_letter_that_fits_a_message_is_not_cut),
        TEST(many_letters_arrive_once_each),
        TEST(a_temporary_failure_keeps_only_its_own_letters_pending),
        TEST(letters_that_the_queue_refuses_go_to_the_log_and_are_a_trouble),
        TEST(a_queue_that_refuses_is_tried_again_after_growing_pauses),
        TEST(a_queue_that_stops_refusing_is_used_again),
        TEST(a_queue_that_refuses_one_letter_is_not_a_trouble),
        TEST(messages_to_a_fifo_queue_have_a_group_and_a_deduplication_id_by_position),
        TEST(a_cancelled_write_keeps_its_letter_pending_and_is_not_a_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
