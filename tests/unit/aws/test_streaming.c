/* Over the real transport: a service on the loopback interface whose answer the test sends piece by piece. */
#include "aws/streaming.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "aws/settings.h"
#include "base/clock.h"
#include "base/fence.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/eventstream.h"

enum { PATIENCE_MS = 10000, FRAME_BYTES = 4096 };

#define HEAD                                                                                                 \
    "HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 12:00:00 GMT\r\n"                                             \
    "Content-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n\r\n"

static int listener, connection;
static const char *head;
static char request[8192];
static struct aws_settings *settings;
static struct aws_client *client;
static struct aws_stream *stream;
static struct aws_call call;
static struct aws_stream_event event;
static struct error e;

static int set_up(void **state) {
    (void)state;
    char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    signal(SIGPIPE, SIG_IGN);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 4), 0);
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    support_set_environment();
    setenv("AWS_ENDPOINT_URL_KINESIS", url, 1);
    assert_int_equal(aws_settings_load(&settings, &e), STATUS_OK);
    assert_int_equal(aws_client_new(&client, &aws_kinesis, settings, NULL, &e), STATUS_OK);
    connection = -1;
    stream = NULL;
    call = (struct aws_call){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    aws_stream_close(stream);
    aws_call_deinit(&call);
    aws_client_free(client);
    aws_settings_free(settings);
    if (connection >= 0)
        close(connection);
    close(listener);
    unsetenv("AWS_ENDPOINT_URL_KINESIS");
    return 0;
}

/* The service. */

static void put(const void *bytes, size_t length) {
    for (size_t sent = 0; sent < length;) {
        ssize_t n = send(connection, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        sent += (size_t)n;
    }
}

/* Reads the request, which ends with its body's brace, and sends the head. */
static void *accept_one(void *context) {
    (void)context;
    size_t length = 0;
    connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return NULL;
    while (!length || request[length - 1] != '}') {
        ssize_t n = recv(connection, request + length, sizeof request - 1 - length, 0);
        if (n <= 0)
            return NULL;
        length += (size_t)n;
        request[length] = '\0';
    }
    put(head, strlen(head));
    return NULL;
}

static enum status open_stream(const char *with, const struct aws_run *run) {
    pthread_t thread;
    head = with;
    call = (struct aws_call){
        .operation = "SubscribeToShard", .body = "{\"ShardId\":\"s\"}", .length = 15, .max_attempts = 1};
    assert_int_equal(pthread_create(&thread, NULL, accept_one, NULL), 0);
    enum status status = aws_stream_open(&stream, client, &call, run);
    pthread_join(thread, NULL);
    return status;
}

static void put_chunk(const void *bytes, size_t length) {
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", length);
    put(size, strlen(size));
    put(bytes, length);
    put("\r\n", 2);
}

/* The client. */

/* Reads until something is there, or the stream has ended. */
static enum status read_next(void) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    enum status status;
    do
        status = aws_stream_read(stream, until_ms, -1, &event, &e);
    while (!status && event.kind == AWS_STREAM_NOTHING && clock_boot_ms() < until_ms);
    return status;
}

static enum status read_event(void) {
    enum status status = read_next();
    return status || event.kind != AWS_STREAM_BEGUN ? status : read_next();
}

static void assert_event(const char *payload) {
    assert_int_equal(event.kind, AWS_STREAM_EVENT);
    assert_string_equal(event.type, "SubscribeToShardEvent");
    assert_int_equal(event.length, strlen(payload));
    assert_memory_equal(event.payload, payload, event.length);
}

static void events_arrive_as_they_are_sent(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    assert_contains(request, "Kinesis_20131202.SubscribeToShard");
    assert_contains(request, "Authorization: AWS4-HMAC-SHA256 ");
    assert_contains(request, "{\"ShardId\":\"s\"}");
    put_chunk(frame, SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT));
    assert_int_equal(read_next(), STATUS_OK);
    assert_int_equal(event.kind, AWS_STREAM_BEGUN);
    assert_true(event.bytes > 3);
    assert_int_equal(read_next(), STATUS_OK);
    assert_event("one");
    put_chunk(frame, SUPPORT_MESSAGE(frame, "two", SUPPORT_EVENT));
    assert_int_equal(read_event(), STATUS_OK);
    assert_event("two");
}

/* Such a one may be dead, and speaks HTTP/1.1. */
static void a_stream_takes_no_connection_that_was_kept(void **state) {
    (void)state;
    pthread_t thread;
    struct aws_call usual = {.operation = "ListShards", .body = "{}", .length = 2};
    head = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"Shards\":[]}";
    assert_int_equal(pthread_create(&thread, NULL, accept_one, NULL), 0);
    assert_int_equal(aws_client_call(client, &usual, NULL), STATUS_OK);
    pthread_join(thread, NULL);
    aws_call_deinit(&usual);
    int kept = connection;
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    close(kept);
}

static void an_event_in_pieces_is_whole(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    size_t n = SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT);
    for (size_t i = 0; i < n; i++) {
        put_chunk(frame + i, 1);
        if (i < n - 1) {
            int64_t until_ms = clock_boot_ms() + 1;
            assert_int_equal(aws_stream_read(stream, until_ms, -1, &event, &e), STATUS_OK);
            assert_int_not_equal(event.kind, AWS_STREAM_EVENT);
        }
    }
    assert_int_equal(read_event(), STATUS_OK);
    assert_event("one");
}

static void an_initial_response_is_an_event_of_its_own_type(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame,
              SUPPORT_MESSAGE(frame, "{}", ":message-type", "event", ":event-type", "initial-response"));
    assert_int_equal(read_event(), STATUS_OK);
    assert_int_equal(event.kind, AWS_STREAM_EVENT);
    assert_string_equal(event.type, "initial-response");
}

static void read_nothing_for(int64_t ms) {
    int64_t until_ms = clock_boot_ms() + ms;
    while (clock_boot_ms() < until_ms) {
        assert_int_equal(aws_stream_read(stream, until_ms, -1, &event, &e), STATUS_OK);
        assert_int_equal(event.kind, AWS_STREAM_NOTHING);
    }
}

static void an_event_has_the_time_at_which_the_stream_was_empty_before_it(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    size_t n = SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT);
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, n);
    assert_int_equal(read_event(), STATUS_OK); /* it was there before the first read */
    assert_int_equal(event.empty.boot_ms, 0);
    assert_int_equal(event.silent_ms, 0);

    int64_t before_ms = clock_boot_ms();
    read_nothing_for(60);
    put_chunk(frame, n);
    put_chunk(frame, n);
    int64_t after_ms = clock_boot_ms();
    assert_int_equal(read_event(), STATUS_OK);
    assert_in_range(event.empty.boot_ms, before_ms, after_ms + PATIENCE_MS);
    assert_true(event.silent_ms < after_ms - before_ms + PATIENCE_MS);
}

static void an_exception_in_the_stream_is_an_error_with_its_name(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, SUPPORT_MESSAGE(frame, "{\"message\":\"another subscription\"}", ":message-type",
                                     "exception", ":exception-type", "ResourceInUseException"));
    close(connection);
    connection = -1;
    assert_int_equal(read_event(), STATUS_CONFLICT);
    assert_string_equal(e.code, "ResourceInUseException");
    assert_contains(e.message, "another subscription");
    assert_contains(e.message, "SubscribeToShard");
}

static void an_error_in_the_stream_has_its_code_and_message(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, SUPPORT_MESSAGE(frame, "", ":message-type", "error", ":error-code", "InternalFailure",
                                     ":error-message", "it broke"));
    assert_int_equal(read_event(), STATUS_RETRY);
    assert_string_equal(e.code, "InternalFailure");
    assert_contains(e.message, "it broke");
}

static void a_refused_call_is_an_error_and_no_stream(void **state) {
    (void)state;
    assert_int_equal(open_stream("HTTP/1.1 400 Bad\r\nContent-Length: 62\r\n\r\n"
                                 "{\"__type\":\"ResourceNotFoundException\",\"message\":\"no consumer\"}",
                                 NULL),
                     STATUS_NOT_FOUND);
    assert_null(stream);
    assert_contains(call.error.message, "no consumer");
}

static void an_end_in_order_is_told_from_a_lost_connection(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT));
    put("0\r\n\r\n", 5);
    assert_int_equal(read_event(), STATUS_OK);
    assert_event("one");
    assert_int_equal(read_next(), STATUS_RETRY);
    assert_string_equal(e.code, AWS_ERROR_STREAM_ENDED);
    aws_stream_close(stream);
    close(connection);

    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT));
    close(connection);
    connection = -1;
    assert_int_equal(read_event(), STATUS_OK);
    assert_event("one");
    assert_int_equal(read_next(), STATUS_RETRY);
    assert_string_equal(e.code, AWS_ERROR_NO_ANSWER);
}

static void an_end_within_a_message_is_a_lost_connection(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT) - 1);
    put("0\r\n\r\n", 5);
    assert_int_equal(read_event(), STATUS_RETRY);
    assert_string_equal(e.code, AWS_ERROR_NO_ANSWER);
}

static void a_damaged_message_ends_the_stream(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    size_t n = SUPPORT_MESSAGE(frame, "one", SUPPORT_EVENT);
    frame[n - 6] ^= 1;
    put_chunk(frame, n);
    assert_int_equal(read_event(), STATUS_RETRY);
    assert_string_equal(e.code, AWS_ERROR_CHECKSUM);
}

static void a_message_of_no_known_type_ends_the_stream(void **state) {
    (void)state;
    uint8_t frame[FRAME_BYTES];
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    put_chunk(frame, SUPPORT_MESSAGE(frame, "one", ":event-type", "SubscribeToShardEvent"));
    assert_int_equal(read_event(), STATUS_RETRY);
    assert_string_equal(e.code, AWS_ERROR_MALFORMED);
}

enum { BURST = 200, BURST_BYTES = 40000 };

static void *put_burst(void *context) {
    uint8_t *frame = context;
    static char payload[BURST_BYTES];
    for (int i = 0; i < BURST; i++) {
        memset(payload, 'a' + i % 26, sizeof payload);
        put_chunk(frame, support_make_message(frame, (const char *const[]){SUPPORT_EVENT, NULL}, payload,
                                              sizeof payload));
    }
    put("0\r\n\r\n", 5);
    return NULL;
}

/* Far more than is kept here: the service waits. */
static void a_burst_that_is_read_slowly_arrives_whole(void **state) {
    (void)state;
    uint8_t *frame = mem_alloc(BURST_BYTES + FRAME_BYTES);
    pthread_t thread;
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, put_burst, frame), 0);
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(read_event(), STATUS_OK);
        assert_int_equal(event.kind, AWS_STREAM_EVENT);
        assert_int_equal(event.length, BURST_BYTES);
        assert_int_equal(event.payload[0], 'a' + i % 26);
        assert_int_equal(event.payload[BURST_BYTES - 1], 'a' + i % 26);
    }
    assert_int_equal(read_next(), STATUS_RETRY);
    assert_string_equal(e.code, AWS_ERROR_STREAM_ENDED);
    pthread_join(thread, NULL);
    free(frame);
}

static void a_silent_service_ends_the_call_at_its_deadline(void **state) {
    (void)state;
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + 200};
    assert_int_equal(open_stream("", &run), STATUS_RETRY);
    assert_string_equal(call.error.code, AWS_ERROR_DEADLINE);
    assert_null(stream);
}

static void a_shut_fence_sends_nothing(void **state) {
    (void)state;
    struct fence fence = {0};
    const struct aws_run run = {.fence = &fence};
    call = (struct aws_call){.operation = "SubscribeToShard", .body = "{}", .length = 2};
    assert_int_equal(aws_stream_open(&stream, client, &call, &run), STATUS_FAILED);
    assert_string_equal(call.error.code, AWS_ERROR_FENCE_SHUT);
}

static void a_wait_ends_by_the_descriptor_and_by_cancelling(void **state) {
    (void)state;
    int stop = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(open_stream(HEAD, NULL), STATUS_OK);
    int64_t began_ms = clock_boot_ms(), until_ms = began_ms + 60000;
    assert_int_equal(aws_stream_read(stream, until_ms, stop, &event, &e), STATUS_OK);
    assert_int_equal(event.kind, AWS_STREAM_NOTHING);
    aws_client_cancel(client);
    assert_int_equal(aws_stream_read(stream, until_ms, -1, &event, &e), STATUS_FAILED);
    assert_string_equal(e.code, AWS_ERROR_CANCELLED);
    assert_true(clock_boot_ms() < began_ms + 60000);
    close(stop);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(events_arrive_as_they_are_sent),
        TEST(a_stream_takes_no_connection_that_was_kept),
        TEST(an_event_in_pieces_is_whole),
        TEST(an_initial_response_is_an_event_of_its_own_type),
        TEST(an_event_has_the_time_at_which_the_stream_was_empty_before_it),
        TEST(an_exception_in_the_stream_is_an_error_with_its_name),
        TEST(an_error_in_the_stream_has_its_code_and_message),
        TEST(a_refused_call_is_an_error_and_no_stream),
        TEST(an_end_in_order_is_told_from_a_lost_connection),
        TEST(an_end_within_a_message_is_a_lost_connection),
        TEST(a_damaged_message_ends_the_stream),
        TEST(a_message_of_no_known_type_ends_the_stream),
        TEST(a_burst_that_is_read_slowly_arrives_whole),
        TEST(a_silent_service_ends_the_call_at_its_deadline),
        TEST(a_shut_fence_sends_nothing),
        TEST(a_wait_ends_by_the_descriptor_and_by_cancelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
