#include "aws/client.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "aws/settings.h"
#include "aws/sigv4.h"
#include "aws/transport.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/support/aws.h"

/* What the scripted transport does with one exchange. */
struct step {
    long http_status; /* 0: no answer; -1: waits for ever */
    const char *reply;
    const char *header, *value;
    int64_t delay_ms;
};

/* A transport that plays a script; beyond its end it answers 200 {}. */
struct script {
    struct aws_transport transport;
    const struct step *steps;
    size_t count;
    size_t sent;
    int under_way, most_under_way;
    char order[64]; /* the first byte of each body, as sent */
    struct fence *shut_on_send;
    struct buffer lines; /* of the last one */
    sem_t sent_one;
};

static void on_answer(struct aws_exchange *x, void *context) {
    (void)x;
    ((struct script *)context)->under_way--;
}

static void note(struct script *s, struct aws_exchange *x) {
    x->filter = on_answer;
    x->filter_context = s;
    if (++s->under_way > s->most_under_way)
        s->most_under_way = s->under_way;
    if (s->sent < sizeof s->order - 1)
        s->order[s->sent] = x->body[0];
    buffer_clear(&s->lines);
    for (size_t i = 0; x->lines[i]; i++)
        buffer_printf(&s->lines, "%s\n", x->lines[i]);
    if (s->shut_on_send)
        fence_shut(s->shut_on_send);
    s->sent++;
    sem_post(&s->sent_one);
}

static void send_scripted(const struct aws_transport *transport, struct aws_session *session,
                          struct aws_exchange *x) {
    static const struct step usual = {200, "{}", NULL, NULL, 0};
    struct script *s = transport->context;
    const struct step *step = s->sent < s->count ? &s->steps[s->sent] : &usual;
    note(s, x);
    if (step->http_status < 0)
        return;
    if (step->http_status == 0)
        aws_exchange_fail(x, "as scripted");
    else
        aws_exchange_answer(x, step->http_status, step->reply);
    if (step->header)
        aws_exchange_header(x, step->header, step->value);
    aws_session_finish(session, x, step->delay_ms);
}

/* DynamoDB with short waits. */
static struct aws_service service;
static struct aws_settings *settings;
static struct aws_client *client;
static struct script script;

static void start_client(void) {
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(aws_client_new(&client, &service, settings, &script.transport, NULL), STATUS_OK);
}

static void stop_client(void) {
    aws_client_free(client);
    aws_settings_free(settings);
    client = NULL;
    settings = NULL;
}

static void restart_client(void) {
    stop_client();
    start_client();
}

static int set_up(void **state) {
    (void)state;
    support_set_environment();
    memset(&script, 0, sizeof script);
    script.transport = (struct aws_transport){.send = send_scripted, .context = &script};
    buffer_init(&script.lines, 1 << 20);
    sem_init(&script.sent_one, 0, 0);
    service = aws_dynamodb;
    service.backoff_base_ms = 1;
    start_client();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stop_client();
    buffer_deinit(&script.lines);
    sem_destroy(&script.sent_one);
    return 0;
}

#define PLAY(...)                                                                                            \
    static const struct step steps[] = {__VA_ARGS__};                                                        \
    script.steps = steps;                                                                                    \
    script.count = sizeof steps / sizeof *steps

static struct aws_call call_of(const char *operation, const char *body) {
    return (struct aws_call){.operation = operation, .body = body, .length = strlen(body)};
}

/* Signing. */

static void line_value(const char *name, char *out, size_t size) {
    const char *line = strstr(script.lines.data, name);
    assert_non_null(line);
    line += strlen(name);
    snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static int64_t sent_date(void) {
    char date[64], text[64];
    int64_t time_ms;
    line_value("X-Amz-Date: ", date, sizeof date);
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", date, date + 4, date + 6, date + 9,
             date + 11, date + 13);
    assert_true(clock_parse(text, strlen(text), &time_ms));
    return time_ms;
}

static void the_signature_is_over_host_target_date_token_and_body(void **state) {
    (void)state;
    setenv("AWS_SESSION_TOKEN", "to/ken==", 1);
    setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:8000", 1);
    restart_client();
    struct aws_call call = call_of("GetItem", "{\"a\":1}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    aws_call_deinit(&call);

    const struct sigv4_header headers[] = {{"Content-Type", "application/x-amz-json-1.0"},
                                           {"Host", "localhost:8000"},
                                           {"X-Amz-Security-Token", "to/ken=="},
                                           {"X-Amz-Target", "DynamoDB_20120810.GetItem"}};
    const struct sigv4_request request = {"POST", "/", "", headers, 4, "{\"a\":1}", 7};
    const struct sigv4_scope scope = {"AKIDEXAMPLE", "secret", "eu-west-1", "dynamodb", sent_date()};
    struct sigv4_signed expected;
    assert_int_equal(sigv4_sign(&expected, &request, &scope, NULL, NULL), STATUS_OK);
    char authorization[1024];
    line_value("Authorization: ", authorization, sizeof authorization);
    assert_string_equal(authorization, expected.authorization);
    sigv4_signed_deinit(&expected);
    for (size_t i = 0; i < 4; i++) {
        char value[128];
        char name[64];
        snprintf(name, sizeof name, "%s: ", headers[i].name);
        line_value(name, value, sizeof value);
        assert_string_equal(value, headers[i].value);
    }
}

static void a_message_is_sent_to_the_queues_own_region_and_signed_for_it(void **state) {
    (void)state;
    struct aws_client *queue;
    PLAY({200, "{\"MessageId\":\"m\"}", NULL, NULL, 0});
    struct aws_call call = call_of("SendMessage", "{\"QueueUrl\":\"...\"}");
    assert_int_equal(aws_client_new_for(&queue, &aws_sqs, "https://sqs.us-east-2.amazonaws.com/1/q", settings,
                                        &script.transport, NULL),
                     STATUS_OK);
    assert_int_equal(aws_client_call(queue, &call, NULL), STATUS_OK);
    aws_call_deinit(&call);
    aws_client_free(queue);
    static const char *const lines[] = {
        "Host: sqs.us-east-2.amazonaws.com\n", "Content-Type: application/x-amz-json-1.0\n",
        "X-Amz-Target: AmazonSQS.SendMessage\n", "/us-east-2/sqs/aws4_request"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_contains(script.lines.data, lines[i]);
    struct error e;
    assert_int_equal(aws_client_new_for(&queue, &aws_sqs, "queue", settings, NULL, &e), STATUS_INVALID);
    assert_null(queue);
}

static void without_credentials_nothing_is_sent_and_the_error_lists_where_it_looked(void **state) {
    (void)state;
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    restart_client();
    struct aws_call call = call_of("GetItem", "{}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_FAILED);
    assert_string_equal(call.error.code, "NoCredentials");
    assert_contains(call.error.message, "dynamodb GetItem failed: no credentials found");
    assert_contains(call.error.message, "AWS_ACCESS_KEY_ID");
    assert_int_equal(call.attempts, 0);
    assert_int_equal(script.sent, 0);
}

static void an_invalid_endpoint_is_refused_when_the_client_is_made(void **state) {
    (void)state;
    setenv("AWS_ENDPOINT_URL_DYNAMODB", "localhost", 1);
    struct aws_client *none;
    struct error e;
    assert_int_equal(aws_client_new(&none, &service, settings, NULL, &e), STATUS_INVALID);
    assert_null(none);
    assert_contains(e.message, "AWS_ENDPOINT_URL_DYNAMODB");
}

/* Errors. */

static void an_error_keeps_its_name_message_request_id_and_reply(void **state) {
    (void)state;
    PLAY({400,
          "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
          "\"message\":\"The conditional request failed\",\"Item\":{}}",
          "x-amzn-RequestId", "R-1", 0});
    struct aws_call call = call_of("UpdateItem", "{}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_CONFLICT);
    assert_int_equal(call.status, STATUS_CONFLICT);
    assert_string_equal(call.error.code, "ConditionalCheckFailedException");
    assert_string_equal(call.error.request_id, "R-1");
    assert_string_equal(call.error.message, "dynamodb UpdateItem failed: ConditionalCheckFailedException: "
                                            "The conditional request failed");
    assert_non_null(json_object_get(call.reply, "Item"));
    assert_int_equal(call.attempts, 1);
    aws_call_deinit(&call);
}

static void each_call_of_a_run_has_its_own_result(void **state) {
    (void)state;
    PLAY({200, "{\"n\":0}", NULL, NULL, 20}, {400, "{\"__type\":\"ValidationException\"}", NULL, NULL, 10},
         {200, "{\"n\":2}", NULL, NULL, 0});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1"), call_of("A", "2")};
    aws_client_run(client, calls, 3, NULL);
    assert_int_equal(calls[0].status, STATUS_OK);
    assert_int_equal(calls[1].status, STATUS_INVALID);
    assert_int_equal(calls[2].status, STATUS_OK);
    assert_int_equal(json_integer_value(json_object_get(calls[0].reply, "n")), 0);
    assert_int_equal(json_integer_value(json_object_get(calls[2].reply, "n")), 2);
    for (size_t i = 0; i < 3; i++)
        aws_call_deinit(&calls[i]);
    aws_client_run(client, NULL, 0, NULL);
    assert_int_equal(script.sent, 3);
}

/* Retries. */

static void a_server_error_a_lost_answer_and_a_damaged_one_are_retried(void **state) {
    (void)state;
    PLAY({500, "{\"__type\":\"InternalServerError\"}", NULL, NULL, 0}, {0, NULL, NULL, NULL, 0},
         {200, "{\"damaged\":1}", "x-amz-crc32", "1", 0}, {200, "{\"n\":4}", NULL, NULL, 0});
    struct aws_call call = call_of("GetItem", "{}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    assert_int_equal(call.attempts, 4);
    assert_int_equal(json_integer_value(json_object_get(call.reply, "n")), 4);
    assert_string_equal(call.error.message, "");
    aws_call_deinit(&call);
}

static void a_throttle_is_retried_after_the_time_that_the_service_asks_for(void **state) {
    (void)state;
    PLAY({400, "{\"__type\":\"ProvisionedThroughputExceededException\"}", "x-amz-retry-after", "60", 0});
    struct aws_call call = call_of("GetItem", "{}");
    int64_t begin_ms = clock_boot_ms();
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    assert_true(clock_boot_ms() - begin_ms >= 60);
    assert_int_equal(call.attempts, 2);
    aws_call_deinit(&call);
}

static void the_call_or_the_environment_or_the_service_limits_attempts(void **state) {
    (void)state;
    PLAY({0, NULL, NULL, NULL, 0}, {0, NULL, NULL, NULL, 0}, {0, NULL, NULL, NULL, 0},
         {0, NULL, NULL, NULL, 0});
    struct aws_call call = call_of("GetItem", "{}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_RETRY);
    assert_int_equal(call.attempts, 4);
    assert_string_equal(call.error.code, "NoAnswer");
    assert_string_equal(call.error.message,
                        "dynamodb GetItem failed after 4 attempts: NoAnswer: as scripted");

    setenv("AWS_MAX_ATTEMPTS", "2", 1);
    restart_client();
    script.sent = 0;
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_RETRY);
    assert_int_equal(call.attempts, 2);

    script.sent = 0;
    call.max_attempts = 1;
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_RETRY);
    assert_int_equal(call.attempts, 1);
}

static void a_request_that_would_fail_again_is_sent_once(void **state) {
    (void)state;
    PLAY({400, "{\"__type\":\"ValidationException\",\"message\":\"bad\"}", NULL, NULL, 0},
         {400, "{\"__type\":\"AccessDeniedException\"}", NULL, NULL, 0}, {501, "", NULL, NULL, 0});
    static const enum status expected[] = {STATUS_INVALID, STATUS_FAILED, STATUS_RETRY};
    for (size_t i = 0; i < 3; i++) {
        struct aws_call call = call_of("GetItem", "{}");
        assert_int_equal(aws_client_call(client, &call, NULL), expected[i]);
        assert_int_equal(call.attempts, 1);
        aws_call_deinit(&call);
    }
}

static void an_outage_causes_no_more_retries_than_the_quota_allows(void **state) {
    (void)state;
    static struct step down[200]; /* all zero: no answer */
    script.steps = down;
    script.count = 200;
    struct aws_call calls[20];
    for (size_t i = 0; i < 20; i++)
        calls[i] = call_of("GetItem", "{}");
    aws_client_run(client, calls, 20, NULL);
    assert_int_equal(script.sent, 20 + 500 / 14);

    struct aws_call late = call_of("GetItem", "{}");
    assert_int_equal(aws_client_call(client, &late, NULL), STATUS_RETRY);
    assert_int_equal(late.attempts, 1);
    assert_contains(late.error.message, "not retried: too many calls fail");
}

static void a_call_that_waits_for_its_retry_does_not_delay_the_others(void **state) {
    (void)state;
    PLAY({503, "", "x-amz-retry-after", "100", 0});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1"), call_of("A", "2"), call_of("A", "3")};
    const struct aws_run one_at_a_time = {.concurrency = 1};
    aws_client_run(client, calls, 4, &one_at_a_time);
    assert_string_equal(script.order, "01230");
    assert_int_equal(script.most_under_way, 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(calls[i].status, STATUS_OK);
        aws_call_deinit(&calls[i]);
    }
}

static void a_run_has_no_more_calls_at_once_than_its_concurrency(void **state) {
    (void)state;
    static struct step slow[60];
    for (size_t i = 0; i < 60; i++)
        slow[i] = (struct step){200, "{}", NULL, NULL, 1 + (int64_t)(i % 3)};
    script.steps = slow;
    script.count = 60;
    static const struct { int allowed, most; } cases[] = {{5, 5}, {0, LIMIT_AWS_CONCURRENCY}, {100, 60}};
    for (size_t c = 0; c < 3; c++) {
        struct aws_call calls[60];
        for (size_t i = 0; i < 60; i++)
            calls[i] = call_of("A", "{}");
        const struct aws_run run = {.concurrency = cases[c].allowed};
        script.most_under_way = 0;
        script.sent = 0;
        aws_client_run(client, calls, 60, &run);
        assert_int_equal(script.most_under_way, cases[c].most);
        for (size_t i = 0; i < 60; i++) {
            assert_int_equal(calls[i].status, STATUS_OK);
            aws_call_deinit(&calls[i]);
        }
    }
}

/* Throttles. */

static void throttled_attempts_are_reported_to_the_caller(void **state) {
    (void)state;
    PLAY({400, "{\"__type\":\"ThrottlingException\"}", NULL, NULL, 0}, {500, "", NULL, NULL, 0},
         {429, "", NULL, NULL, 0});
    struct aws_call call = call_of("UpdateItem", "{\"TableName\":\"throttled-table\"}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    assert_int_equal(call.attempts, 4);
    assert_int_equal(call.throttles, 2);
    aws_call_deinit(&call);
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    assert_int_equal(call.throttles, 0);
    aws_call_deinit(&call);

    struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    assert_contains(
        text.data,
        "winner_view_aws_throttles_total{service=\"dynamodb\",resource=\"table/throttled-table\"} 2\n");
    buffer_deinit(&text);
}

/* Fence, deadline, cancel. */

enum { SOON_MS = 1000 }; /* long enough to send the calls that may be sent at once, even on a busy machine */

static void a_call_is_not_sent_while_the_fence_is_shut(void **state) {
    (void)state;
    struct fence fence = {0};
    const struct aws_run run = {.fence = &fence};
    struct aws_call call = call_of("UpdateItem", "{}");
    assert_int_equal(aws_client_call(client, &call, &run), STATUS_FAILED);
    assert_string_equal(call.error.code, "FenceShut");
    assert_int_equal(script.sent, 0);

    fence_open_until(&fence, clock_boot_ms() + 60000);
    assert_int_equal(aws_client_call(client, &call, &run), STATUS_OK);
    aws_call_deinit(&call);
}

static void a_fence_that_shuts_between_attempts_stops_the_retry(void **state) {
    (void)state;
    PLAY({500, "{}", NULL, NULL, 0});
    struct fence fence;
    fence_open_until(&fence, clock_boot_ms() + 60000);
    script.shut_on_send = &fence;
    const struct aws_run run = {.fence = &fence};
    struct aws_call call = call_of("UpdateItem", "{}");
    assert_int_equal(aws_client_call(client, &call, &run), STATUS_FAILED);
    assert_string_equal(call.error.code, "FenceShut");
    assert_int_equal(call.attempts, 1);
    assert_int_equal(script.sent, 1);
}

static void a_run_ends_at_its_deadline_with_every_call_sent_or_not(void **state) {
    (void)state;
    PLAY({-1, NULL, NULL, NULL, 0}, {-1, NULL, NULL, NULL, 0});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1"), call_of("A", "2")};
    int64_t begin_ms = clock_boot_ms();
    const struct aws_run run = {.concurrency = 2, .deadline_boot_ms = begin_ms + SOON_MS};
    aws_client_run(client, calls, 3, &run);
    int64_t took_ms = clock_boot_ms() - begin_ms;
    assert_true(took_ms >= SOON_MS && took_ms < LIMIT_AWS_ATTEMPT_MS);
    assert_int_equal(script.sent, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls[i].status, STATUS_RETRY);
        assert_string_equal(calls[i].error.code, "DeadlineExceeded");
    }
}

static void a_retry_that_would_be_after_the_deadline_is_given_up_at_once(void **state) {
    (void)state;
    PLAY({503, "{\"message\":\"busy\"}", "x-amz-retry-after", "4900", 0});
    struct aws_call call = call_of("A", "{}");
    int64_t begin_ms = clock_boot_ms();
    const struct aws_run run = {.deadline_boot_ms = begin_ms + 4000};
    assert_int_equal(aws_client_call(client, &call, &run), STATUS_RETRY);
    assert_true(clock_boot_ms() - begin_ms < 4000);
    assert_contains(call.error.message, "HTTP 503: busy");
    aws_call_deinit(&call);
}

static void a_run_without_an_answer_ends_after_its_patience_time(void **state) {
    (void)state;
    PLAY({0, NULL, NULL, NULL, 0}, {-1, NULL, NULL, NULL, 0}, {-1, NULL, NULL, NULL, 0});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1")};
    struct pulse pulse = {0};
    const struct aws_run run = {.concurrency = 1, .patience_ms = SOON_MS, .pulse = &pulse};
    int64_t begin_ms = clock_boot_ms();
    aws_client_run(client, calls, 2, &run);
    int64_t took_ms = clock_boot_ms() - begin_ms;
    assert_true(took_ms >= SOON_MS && took_ms < LIMIT_AWS_ATTEMPT_MS);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(calls[i].status, STATUS_RETRY);
        assert_string_equal(calls[i].error.code, "DeadlineExceeded");
    }
    assert_contains(calls[0].error.message,
                    "before that: NoAnswer: as scripted"); /* the earlier failure is reported */
    assert_int_equal(pulse_last_ms(&pulse), 0);
}

static void each_answer_beats_the_pulse_and_restarts_the_patience_time(void **state) {
    (void)state;
    PLAY({200, "{}", NULL, NULL, 600}, {400, "{\"__type\":\"ValidationException\"}", NULL, NULL, 600},
         {200, "{}", NULL, NULL, 600}, {200, "{}", NULL, NULL, 600});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1"), call_of("A", "2"), call_of("A", "3")};
    struct pulse pulse = {0};
    const struct aws_run run = {.concurrency = 1, .patience_ms = 2000, .pulse = &pulse};
    int64_t begin_ms = clock_boot_ms();
    aws_client_run(client, calls, 4, &run);
    assert_true(clock_boot_ms() - begin_ms >= 2400); /* longer than the patience for one answer */
    assert_true(pulse_last_ms(&pulse) >= begin_ms + 2400);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(calls[i].status, i == 1 ? STATUS_INVALID : STATUS_OK);
        aws_call_deinit(&calls[i]);
    }
}

static void an_answer_does_not_move_the_deadline_of_a_run(void **state) {
    (void)state;
    PLAY({200, "{}", NULL, NULL, 30}, {-1, NULL, NULL, NULL, 0});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1")};
    const struct aws_run run = {
        .concurrency = 1, .patience_ms = 60000, .deadline_boot_ms = clock_boot_ms() + 1500};
    aws_client_run(client, calls, 2, &run);
    assert_int_equal(calls[0].status, STATUS_OK);
    assert_string_equal(calls[1].error.code, "DeadlineExceeded");
    aws_call_deinit(&calls[0]);
}

static void throttled_attempts_of_a_call_that_succeeds_are_counted(void **state) {
    (void)state;
    PLAY({400, "{\"__type\":\"ThrottlingException\"}", "x-amz-retry-after", "0", 0},
         {200, "{}", NULL, NULL, 0}, {500, "{}", NULL, NULL, 0}, {200, "{}", NULL, NULL, 0});
    struct aws_call call = call_of("A", "0");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    assert_int_equal(call.throttles, 1);
    aws_call_deinit(&call);
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    assert_int_equal(call.throttles, 0); /* an error of the server is not a throttle */
    aws_call_deinit(&call);
}

static void *cancel_when_two_are_sent(void *context) {
    (void)context;
    sem_wait(&script.sent_one);
    sem_wait(&script.sent_one);
    aws_client_cancel(client);
    return NULL;
}

static void a_cancel_from_another_thread_ends_current_and_later_calls(void **state) {
    (void)state;
    PLAY({-1, NULL, NULL, NULL, 0}, {0, NULL, NULL, NULL, 60000});
    struct aws_call calls[] = {call_of("A", "0"), call_of("A", "1"), call_of("A", "2")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_two_are_sent, NULL), 0);
    const struct aws_run run = {.concurrency = 2};
    int64_t begin_ms = clock_boot_ms();
    aws_client_run(client, calls, 3, &run);
    assert_true(clock_boot_ms() - begin_ms < 10000);
    pthread_join(thread, NULL);

    struct aws_call late = call_of("A", "3");
    assert_int_equal(aws_client_call(client, &late, NULL), STATUS_FAILED);
    assert_string_equal(late.error.code, "Cancelled");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls[i].status, STATUS_FAILED);
        assert_string_equal(calls[i].error.code, "Cancelled");
    }
    assert_int_equal(script.sent, 2);
}

/* Metrics. */

static void attempts_errors_and_retries_are_counted(void **state) {
    (void)state;
    PLAY({500, "{\"__type\":\"InternalServerError\"}", NULL, NULL, 0}, {502, "", NULL, NULL, 0},
         {0, NULL, NULL, NULL, 0}, {400, "{\"__type\":\"ValidationException\"}", NULL, NULL, 0});
    struct aws_call call = call_of("Counted", "{}");
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_INVALID);
    aws_call_deinit(&call);

    struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    static const char *const lines[] = {
        "winner_view_aws_requests_total{service=\"dynamodb\",operation=\"Counted\"} 4\n",
        "winner_view_aws_errors_total{service=\"dynamodb\",operation=\"Counted\",error="
        "\"InternalServerError\"} 1\n",
        "winner_view_aws_errors_total{service=\"dynamodb\",operation=\"Counted\",error=\"HTTP 502\"} 1\n",
        "winner_view_aws_errors_total{service=\"dynamodb\",operation=\"Counted\",error=\"NoAnswer\"} 1\n",
        "winner_view_aws_errors_total{service=\"dynamodb\",operation=\"Counted\",error="
        "\"ValidationException\"} 1\n",
        "winner_view_aws_retries_total{service=\"dynamodb\",operation=\"Counted\",cause=\"server\"} 2\n",
        "winner_view_aws_retries_total{service=\"dynamodb\",operation=\"Counted\",cause=\"transport\"} 1\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_contains(text.data, lines[i]);
    buffer_deinit(&text);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_signature_is_over_host_target_date_token_and_body),
        TEST(a_message_is_sent_to_the_queues_own_region_and_signed_for_it),
        TEST(without_credentials_nothing_is_sent_and_the_error_lists_where_it_looked),
        TEST(an_invalid_endpoint_is_refused_when_the_client_is_made),
        TEST(an_error_keeps_its_name_message_request_id_and_reply),
        TEST(each_call_of_a_run_has_its_own_result),
        TEST(a_server_error_a_lost_answer_and_a_damaged_one_are_retried),
        TEST(a_throttle_is_retried_after_the_time_that_the_service_asks_for),
        TEST(the_call_or_the_environment_or_the_service_limits_attempts),
        TEST(a_request_that_would_fail_again_is_sent_once),
        TEST(an_outage_causes_no_more_retries_than_the_quota_allows),
        TEST(a_call_that_waits_for_its_retry_does_not_delay_the_others),
        TEST(a_run_has_no_more_calls_at_once_than_its_concurrency),
        TEST(throttled_attempts_are_reported_to_the_caller),
        TEST(a_call_is_not_sent_while_the_fence_is_shut),
        TEST(a_fence_that_shuts_between_attempts_stops_the_retry),
        TEST(a_run_ends_at_its_deadline_with_every_call_sent_or_not),
        TEST(a_retry_that_would_be_after_the_deadline_is_given_up_at_once),
        TEST(a_run_without_an_answer_ends_after_its_patience_time),
        TEST(each_answer_beats_the_pulse_and_restarts_the_patience_time),
        TEST(an_answer_does_not_move_the_deadline_of_a_run),
        TEST(throttled_attempts_of_a_call_that_succeeds_are_counted),
        TEST(a_cancel_from_another_thread_ends_current_and_later_calls),
        TEST(attempts_errors_and_retries_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
