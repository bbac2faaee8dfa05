/* The client and a service with another clock: each answer of the script has a Date. */
#include <time.h>

#include "aws/client.h"
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/service_clock.h"
#include "tests/unit/support/aws.h"

#define MINUTE INT64_C(60000)
#define EXPIRED "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired\"}"

struct step {
    bool refuse;      /* the signature */
    int64_t ahead_ms; /* how far the service's clock is ahead of ours */
    bool cached;      /* there is an Age */
};

static struct {
    struct aws_transport transport;
    const struct step *steps; /* beyond the last one: a success without Date */
    size_t count, sent;
    int64_t signed_ahead_ms; /* how far ahead of our clock the last attempt was signed */
} script;

static struct aws_service service;
static struct aws_settings *settings;
static struct aws_client *client;

/* How far X-Amz-Date ("20261123T043600Z") is ahead of our clock. */
static int64_t signed_ahead(const struct aws_exchange *x) {
    for (size_t i = 0; x->lines[i]; i++) {
        char text[32];
        const char *d = x->lines[i] + strlen("X-Amz-Date: ");
        int64_t time_ms;
        if (strncmp(x->lines[i], "X-Amz-Date: ", 12) != 0)
            continue;
        snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", d, d + 4, d + 6, d + 9, d + 11, d + 13);
        assert_true(clock_parse(text, strlen(text), &time_ms));
        return time_ms - clock_real_ms();
    }
    fail_msg("no X-Amz-Date");
    return 0;
}

static void put_date(struct aws_exchange *x, int64_t time_ms) {
    time_t seconds = (time_t)(time_ms / 1000);
    char text[64];
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    aws_exchange_header(x, "Date", text);
}

static void send_scripted(const struct aws_transport *transport, struct aws_session *session,
                          struct aws_exchange *x) {
    (void)transport;
    const struct step *step = script.sent < script.count ? &script.steps[script.sent] : NULL;
    script.sent++;
    script.signed_ahead_ms = signed_ahead(x);
    aws_exchange_answer(x, step && step->refuse ? 403 : 200, step && step->refuse ? EXPIRED : "{}");
    if (step)
        put_date(x, clock_real_ms() + step->ahead_ms);
    if (step && step->cached)
        aws_exchange_header(x, "Age", "1");
    aws_session_finish(session, x, 0);
}

static void start_client(void) {
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(aws_client_new(&client, &service, settings, &script.transport, NULL), STATUS_OK);
}

static int set_up(void **state) {
    (void)state;
    support_set_environment();
    memset(&script, 0, sizeof script);
    script.transport.send = send_scripted;
    service = aws_dynamodb;
    service.backoff_base_ms = 1;
    start_client();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    aws_client_free(client);
    aws_settings_free(settings);
    return 0;
}

#define PLAY(...)                                                                                            \
    static const struct step steps[] = {__VA_ARGS__};                                                        \
    script.steps = steps;                                                                                    \
    script.count = sizeof steps / sizeof *steps

static void assert_call(struct aws_client *to, enum status status, int attempts) {
    struct aws_call call = {.operation = "GetItem", .body = "{}", .length = 2};
    assert_int_equal(aws_client_call(to, &call, NULL), status);
    assert_int_equal(call.attempts, attempts);
    aws_call_deinit(&call);
}

/* To the second, and a few more for a machine that is busy. */
static void assert_signed_ahead(int64_t expected_ms) {
    assert_in_range(script.signed_ahead_ms - expected_ms + 30000, 0, 60000);
}

static void note_skew(void *context, const char *name, int64_t correction_ms) {
    int64_t rounded_ms = correction_ms + (correction_ms < 0 ? -MINUTE / 2 : MINUTE / 2);
    buffer_printf(context, "%s %+d min\n", name, (int)(rounded_ms / MINUTE));
}

static void a_wrong_clock_is_corrected_and_reported_once(void **state) {
    (void)state;
    PLAY({true, 10 * MINUTE, false}, {false, 10 * MINUTE, false}, {false, 10 * MINUTE, false});
    _cleanup_(buffer_deinit) struct buffer noted;
    buffer_init(&noted, 1024);
    settings->on_skew = note_skew;
    settings->skew_context = &noted;
    assert_call(client, STATUS_OK, 2);
    assert_signed_ahead(10 * MINUTE);
    assert_call(client, STATUS_OK, 1);
    assert_signed_ahead(10 * MINUTE);
    assert_string_equal(noted.data, "dynamodb +10 min\n");
}

static void a_clock_correction_ends_when_the_clock_is_set_right(void **state) {
    (void)state;
    PLAY({false, -60 * MINUTE, false}, {true, 0, false}, {false, 0, false});
    _cleanup_(buffer_deinit) struct buffer noted;
    buffer_init(&noted, 1024);
    settings->on_skew = note_skew;
    settings->skew_context = &noted;
    assert_call(client, STATUS_OK, 1);
    assert_signed_ahead(0);
    assert_call(client, STATUS_OK, 2);
    assert_signed_ahead(0);
    assert_string_equal(noted.data, "dynamodb -60 min\ndynamodb +0 min\n");
}

static void a_clock_offset_near_the_threshold_is_reported_once(void **state) {
    (void)state;
    PLAY({false, 245000, false}, {false, 230000, false}, {false, 245000, false}, {false, 230000, false});
    _cleanup_(buffer_deinit) struct buffer noted;
    buffer_init(&noted, 1024);
    settings->on_skew = note_skew;
    settings->skew_context = &noted;
    for (int i = 0; i < 4; i++)
        assert_call(client, STATUS_OK, 1);
    assert_string_equal(noted.data, "dynamodb +4 min\n");
}

static void a_request_with_a_bad_signature_and_a_right_clock_is_sent_once(void **state) {
    (void)state;
    PLAY({true, 3 * MINUTE, false}, {true, 0, false});
    assert_call(client, STATUS_FAILED, 1);
    assert_call(client, STATUS_FAILED, 1);
}

static void a_request_with_a_wrong_clock_is_sent_again_once(void **state) {
    (void)state;
    PLAY({true, 10 * MINUTE, false}, {true, -10 * MINUTE, false}, {true, 10 * MINUTE, false});
    assert_call(client, STATUS_FAILED, 2);
}

static void a_clock_correction_that_did_not_help_is_not_repeated(void **state) {
    (void)state;
    PLAY({true, 10 * MINUTE, false}, {true, 10 * MINUTE, false}, {true, 10 * MINUTE, false});
    assert_call(client, STATUS_FAILED, 2);
    assert_call(client, STATUS_FAILED, 1);
}

static void a_cached_answer_does_not_change_the_clock_correction(void **state) {
    (void)state;
    PLAY({true, 10 * MINUTE, true});
    assert_call(client, STATUS_FAILED, 1);
    assert_call(client, STATUS_OK, 1);
    assert_signed_ahead(0);
}

static void clock_corrections_can_be_switched_off(void **state) {
    (void)state;
    PLAY({true, 10 * MINUTE, false});
    setenv("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "true", 1);
    tear_down(state);
    start_client();
    assert_call(client, STATUS_FAILED, 1);
    assert_call(client, STATUS_OK, 1);
    assert_signed_ahead(0);
}

static void each_client_corrects_the_clock_for_its_own_endpoint_only(void **state) {
    (void)state;
    PLAY({false, 10 * MINUTE, false});
    struct aws_client *other;
    assert_int_equal(aws_client_new(&other, &aws_kinesis, settings, &script.transport, NULL), STATUS_OK);
    assert_call(client, STATUS_OK, 1);
    assert_call(other, STATUS_OK, 1);
    assert_signed_ahead(0);
    assert_call(client, STATUS_OK, 1);
    assert_signed_ahead(10 * MINUTE);
    aws_client_free(other);
}

static void the_clock_offset_and_the_retry_are_in_the_metrics(void **state) {
    (void)state;
    PLAY({true, 60 * MINUTE, false}, {false, -60 * MINUTE, false});
    service.name = "skewed";
    assert_call(client, STATUS_OK, 2);
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    static const char series[] = "winner_view_aws_clock_skew_seconds{service=\"skewed\"} ";
    const char *line = strstr(text.data, series);
    assert_non_null(line);
    assert_in_range((int64_t)strtod(line + strlen(series), NULL) + 3605, 0, 35);
    assert_contains(
        text.data,
        "winner_view_aws_retries_total{service=\"skewed\",operation=\"GetItem\",cause=\"skew\"} 1");
}

/* When the call's last attempt was sent, less our wall clock. */
static int64_t call_sent_ahead(struct aws_client *to, enum status status) {
    struct aws_call call = {.operation = "GetItem", .body = "{}", .length = 2};
    assert_int_equal(aws_client_call(to, &call, NULL), status);
    aws_call_deinit(&call);
    return call.sent_ms < 0 ? -1 : call.sent_ms - clock_real_ms();
}

/* An error or a cached answer may have another machine's Date. */
static void only_successes_of_the_teacher_teach_the_service_clock(void **state) {
    (void)state;
    PLAY({true, 60 * MINUTE, false}, {true, 60 * MINUTE, false}, {false, 60 * MINUTE, true},
         {false, -60 * MINUTE, false}, {false, 0, false});
    settings->clock = service_clock_new(true);
    settings->teacher = &service;
    call_sent_ahead(client, STATUS_FAILED);
    assert_int_equal(call_sent_ahead(client, STATUS_OK), -1);
    assert_in_range(call_sent_ahead(client, STATUS_OK), -60 * MINUTE - 60000, -60 * MINUTE);
    settings->teacher = &aws_kinesis;
    assert_int_equal(call_sent_ahead(client, STATUS_OK), -1);
    assert_in_range(service_clock_now(settings->clock), 0, clock_real_ms() - 59 * MINUTE);
    service_clock_free(settings->clock);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_clock_is_corrected_and_reported_once),
        TEST(a_clock_correction_ends_when_the_clock_is_set_right),
        TEST(a_clock_offset_near_the_threshold_is_reported_once),
        TEST(a_request_with_a_bad_signature_and_a_right_clock_is_sent_once),
        TEST(a_request_with_a_wrong_clock_is_sent_again_once),
        TEST(a_clock_correction_that_did_not_help_is_not_repeated),
        TEST(a_cached_answer_does_not_change_the_clock_correction),
        TEST(clock_corrections_can_be_switched_off),
        TEST(each_client_corrects_the_clock_for_its_own_endpoint_only),
        TEST(the_clock_offset_and_the_retry_are_in_the_metrics),
        TEST(only_successes_of_the_teacher_teach_the_service_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
