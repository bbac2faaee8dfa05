/* Runs of calls whose credentials arrive late or never, and runs that end while calls are being started. */
#include <poll.h>

#include "aws/client.h"
#include "aws/credentials/chain.h"
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/aws_credentials.h"
#include "tests/unit/support/scripted_http.h"

enum { CALLS = 20 };

static struct {
    struct aws_transport transport;
    struct aws_client *cancelled; /* when the first call is sent; NULL: none */
    int64_t until_ms;             /* sending takes until then */
    int sent;
} script;

static struct aws_settings *settings;
static struct aws_client *client;
static struct aws_call calls[CALLS];

static void send_scripted(const struct aws_transport *transport, struct aws_session *session,
                          struct aws_exchange *x) {
    (void)transport;
    script.sent++;
    if (script.cancelled)
        aws_client_cancel(script.cancelled);
    while (clock_boot_ms() < script.until_ms)
        poll(NULL, 0, 1);
    aws_exchange_answer(x, 200, "{}");
    aws_session_finish(session, x, 0);
}

static void start_client(void) {
    memset(&script, 0, sizeof script);
    script.transport.send = send_scripted;
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(aws_client_new(&client, &aws_dynamodb, settings, &script.transport, NULL), STATUS_OK);
    for (int i = 0; i < CALLS; i++)
        calls[i] = (struct aws_call){.operation = "GetItem", .body = "{}", .length = 2};
}

/* A client whose credentials are from `container`. */
static void start_client_of(struct scripted_http *container) {
    support_clear_environment();
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(container, "/"), 1);
    start_client();
}

static void stop_client(void) {
    for (int i = 0; i < CALLS; i++)
        aws_call_deinit(&calls[i]);
    aws_client_free(client);
    aws_settings_free(settings);
}

static void assert_all(int from, const char *code) {
    for (int i = from; i < CALLS; i++)
        assert_string_equal(calls[i].error.code, code);
}

static void a_run_waits_for_credentials_only_until_its_deadline(void **state) {
    (void)state;
    static const struct scripted_answer silence[] = {{SCRIPTED_HTTP_SILENCE, NULL, NULL}};
    struct scripted_http *container = scripted_http_start(silence, 1);
    start_client_of(container);
    int64_t began_ms = clock_boot_ms();
    const struct aws_run run = {.deadline_boot_ms = began_ms + 200};
    aws_client_run(client, calls, CALLS, &run);
    assert_in_range(clock_boot_ms() - began_ms, 200, LIMIT_METADATA_TRY_MS - 1);
    assert_int_equal(calls[0].status, STATUS_RETRY);
    assert_contains(calls[0].error.message, "no credentials in the time given");
    assert_all(0, "DeadlineExceeded");
    assert_int_equal(script.sent, 0);
    stop_client();
    scripted_http_stop(container);
}

static void a_run_waits_for_credentials_only_for_its_patience_time(void **state) {
    (void)state;
    static const struct scripted_answer silence[] = {{SCRIPTED_HTTP_SILENCE, NULL, NULL}};
    struct scripted_http *container = scripted_http_start(silence, 1);
    start_client_of(container);
    int64_t began_ms = clock_boot_ms();
    const struct aws_run run = {.patience_ms = 200};
    aws_client_run(client, calls, CALLS, &run);
    assert_in_range(clock_boot_ms() - began_ms, 200, LIMIT_METADATA_TRY_MS - 1);
    assert_all(0, "DeadlineExceeded");
    stop_client();
    scripted_http_stop(container);
}

static void the_calls_of_a_run_share_one_failed_fetch_of_credentials(void **state) {
    (void)state;
    static const struct scripted_answer outage[] = {{500, "{}", NULL}};
    struct scripted_http *container = scripted_http_start(outage, 1);
    start_client_of(container);
    aws_client_run(client, calls, CALLS, NULL);
    assert_int_equal(scripted_http_count(container), LIMIT_METADATA_TRIES);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].status, STATUS_RETRY);
        assert_contains(calls[i].error.message, "HTTP 500");
    }
    stop_client();
    scripted_http_stop(container);
}

/* A service that accepts one key. */
static const char *known_key;

static void send_to_gate(const struct aws_transport *transport, struct aws_session *session,
                         struct aws_exchange *x) {
    (void)transport;
    script.sent++;
    bool is_known = false;
    for (size_t i = 0; x->lines[i]; i++)
        is_known = is_known || strstr(x->lines[i], known_key);
    aws_exchange_answer(x, is_known ? 200 : 400, is_known ? "{}" : "{\"__type\":\"ExpiredTokenException\"}");
    aws_session_finish(session, x, 0);
}

static int64_t a_minute_later(void) {
    return clock_boot_ms() + 60000;
}

static int64_t unknown_clock(struct service_clock *clock) {
    (void)clock;
    return INT64_MAX;
}

static void refused_calls_are_sent_once_more_with_the_credentials_of_one_fetch(void **state) {
    (void)state;
    static const struct scripted_answer keys[] = {{200, ENDPOINT_ANSWER("OLD"), NULL},
                                                  {200, ENDPOINT_ANSWER("NEW"), NULL},
                                                  {200, ENDPOINT_ANSWER("NEWER"), NULL}};
    struct scripted_http *container = scripted_http_start(keys, 3);
    struct aws_credentials *c;
    start_client_of(container);
    script.transport.send = send_to_gate;
    assert_int_equal(aws_credentials_chain_get(settings->credentials, 0, &c, NULL), STATUS_OK);
    aws_credentials_unref(c);
    aws_credentials_chain_measure_with(settings->credentials, a_minute_later, unknown_clock);
    known_key = "=NEW/";
    aws_client_run(client, calls, CALLS, NULL);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(calls[i].status, STATUS_OK);
    assert_int_equal(scripted_http_count(container), 2);

    aws_call_deinit(&calls[0]);
    known_key = "=NONE/";
    script.sent = 0;
    aws_client_run(client, calls, 1, NULL); /* within 5 s of that fetch */
    assert_int_equal(calls[0].status, STATUS_RETRY);
    assert_string_equal(calls[0].error.code, "ExpiredTokenException");
    assert_int_equal(script.sent, 1);
    assert_int_equal(scripted_http_count(container), 2);
    stop_client();
    scripted_http_stop(container);
}

static void no_call_is_started_after_the_client_is_cancelled(void **state) {
    (void)state;
    support_set_environment();
    start_client();
    script.cancelled = client;
    aws_client_run(client, calls, CALLS, NULL);
    assert_int_equal(script.sent, 1);
    assert_all(1, "Cancelled");
    stop_client();
}

static void no_call_is_started_after_the_deadline(void **state) {
    (void)state;
    support_set_environment();
    start_client();
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + 1000}; /* the first is sent by then */
    script.until_ms = run.deadline_boot_ms;
    aws_client_run(client, calls, CALLS, &run);
    assert_int_equal(script.sent, 1);
    assert_all(1, "DeadlineExceeded");
    stop_client();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_waits_for_credentials_only_until_its_deadline),
        cmocka_unit_test(a_run_waits_for_credentials_only_for_its_patience_time),
        cmocka_unit_test(the_calls_of_a_run_share_one_failed_fetch_of_credentials),
        cmocka_unit_test(refused_calls_are_sent_once_more_with_the_credentials_of_one_fetch),
        cmocka_unit_test(no_call_is_started_after_the_client_is_cancelled),
        cmocka_unit_test(no_call_is_started_after_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
