/* The real transport, libcurl, against a server on the loopback interface that misbehaves as the test sets.
 */
#include "aws/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "aws/client.h"
#include "aws/settings.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/aws.h"

enum behaviour {
    ANSWER,
    ANSWER_AND_CLOSE, /* without `Connection: close`: a stale kept-alive connection */
    CONTINUE_FIRST,   /* 100 Continue, with headers that are not the answer's */
    ANSWER_IN_CHUNKS,
    TRAILERS,             /* chunks, and a header behind them */
    CUT,                  /* closes in the middle of the body */
    CUT_CHUNKS,           /* closes before the last chunk */
    CUT_HEAD,             /* closes in the middle of the headers */
    CUT_CONTINUE,         /* closes after 100 Continue */
    REFUSE_FOR_THE_CLOCK, /* refuses the signing time; its Date is more than an hour ahead of ours */
    RESET,                /* resets the connection */
    SILENCE,              /* reads the request and sends nothing */
    STALL,                /* sends half of the body */
    FLOOD,                /* a body that is too large */
};

enum { CONNECTIONS = 32 };

struct connection {
    int fd;
    struct buffer input;
};

static struct server {
    int listener;
    uint16_t port;
    int stop[2];
    pthread_t thread;
    const enum behaviour *script; /* for one request each; beyond its end: ANSWER */
    size_t script_length;
    struct connection connections[CONNECTIONS];
    atomic_int accepted, requests;
    sem_t got_one;
    pthread_mutex_t lock; /* guards `last` */
    struct buffer last;   /* the last whole request */
} server;

static void send_all(int fd, const char *data, size_t length) {
    for (ssize_t n; length > 0; data += n, length -= (size_t)n)
        if ((n = send(fd, data, length, MSG_NOSIGNAL)) <= 0)
            return;
}

static void send_text(int fd, const char *text) {
    send_all(fd, text, strlen(text));
}

static void hang_up(struct connection *c, bool reset) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(c->fd);
    c->fd = -1;
    buffer_deinit(&c->input);
}

static void flood(int fd) {
    static char block[1 << 16];
    memset(block, ' ', sizeof block);
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    for (size_t sent = 0; sent <= LIMIT_AWS_REPLY_BYTES + sizeof block; sent += sizeof block)
        send_all(fd, block, sizeof block);
}

static void refuse_for_the_clock(int fd) {
    time_t then = time(NULL) + 3600;
    char answer[256];
    struct tm tm;
    gmtime_r(&then, &tm);
    strftime(answer, sizeof answer,
             "HTTP/1.1 403 Forbidden\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\nContent-Length: 38\r\n\r\n"
             "{\"__type\":\"InvalidSignatureException\"}",
             &tm);
    send_text(fd, answer);
}

#define OK_WITH_CRC                                                                                          \
    "HTTP/1.1 200 OK\r\nx-amzn-RequestId: R-1\r\nx-amz-crc32: 2745614147\r\nContent-Length: 2\r\n\r\n{}"

static void behave(struct connection *c, enum behaviour behaviour) {
    switch (behaviour) {
    case ANSWER:
        send_text(c->fd, OK_WITH_CRC);
        break;
    case ANSWER_AND_CLOSE:
        send_text(c->fd, OK_WITH_CRC);
        hang_up(c, false);
        break;
    case CONTINUE_FIRST:
        send_text(c->fd, "HTTP/1.1 100 Continue\r\nx-amz-crc32: 1\r\n\r\n"
                         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        break;
    case ANSWER_IN_CHUNKS:
        send_text(c->fd, "HTTP/1.1 400 Bad\r\nX-AMZN-REQUESTID:R-2\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "10\r\n{\"__type\":\"a#Val\r\n12\r\nidationException\"}\r\n0\r\n\r\n");
        break;
    case CUT:
        send_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"half\":");
        hang_up(c, false);
        break;
    case CUT_CHUNKS:
        send_text(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
        hang_up(c, false);
        break;
    case CUT_HEAD:
        send_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Le");
        hang_up(c, false);
        break;
    case CUT_CONTINUE:
        send_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n");
        hang_up(c, false);
        break;
    case TRAILERS:
        send_text(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n"
                         "2\r\n{}\r\n0\r\nx-t: 1\r\n\r\n");
        break;
    case REFUSE_FOR_THE_CLOCK:
        refuse_for_the_clock(c->fd);
        break;
    case RESET:
        hang_up(c, true);
        break;
    case FLOOD:
        flood(c->fd);
        break;
    case STALL:
        send_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"half\":");
        break;
    case SILENCE:
        break;
    }
}

/* The length of the whole request at the start of the input; 0 if a part of it is missing. */
static size_t whole_request(const struct buffer *input) {
    const char *end = input->data ? strstr(input->data, "\r\n\r\n") : NULL;
    const char *field = input->data ? strcasestr(input->data, "\r\ncontent-length:") : NULL;
    if (!end || !field)
        return 0;
    size_t length =
        (size_t)(end + 4 - input->data) + strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
    return input->length >= length ? length : 0;
}

static void serve(struct connection *c) {
    char data[65536];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n <= 0) {
        hang_up(c, false);
        return;
    }
    buffer_append(&c->input, data, (size_t)n);
    size_t length = whole_request(&c->input);
    if (length == 0)
        return;

    pthread_mutex_lock(&server.lock);
    buffer_clear(&server.last);
    buffer_append(&server.last, c->input.data, length);
    pthread_mutex_unlock(&server.lock);
    buffer_clear(&c->input);
    size_t i = (size_t)atomic_fetch_add(&server.requests, 1);
    behave(c, i < server.script_length ? server.script[i] : ANSWER);
    sem_post(&server.got_one);
}

static void accept_one(void) {
    struct connection *c = server.connections;
    while (c->fd >= 0)
        c++;
    c->fd = accept(server.listener, NULL, NULL);
    buffer_init(&c->input, 8 << 20);
    atomic_fetch_add(&server.accepted, 1);
}

static void *run_server(void *context) {
    (void)context;
    for (;;) {
        struct pollfd fds[CONNECTIONS + 2] = {{server.stop[0], POLLIN, 0}, {server.listener, POLLIN, 0}};
        for (size_t i = 0; i < CONNECTIONS; i++)
            fds[i + 2] = (struct pollfd){server.connections[i].fd, POLLIN, 0};
        poll(fds, CONNECTIONS + 2, -1);
        if (fds[0].revents)
            return NULL;
        for (size_t i = 0; i < CONNECTIONS; i++)
            if (fds[i + 2].fd >= 0 && fds[i + 2].revents)
                serve(&server.connections[i]);
        if (fds[1].revents)
            accept_one();
    }
}

static void start_server(void) {
    memset(&server, 0, sizeof server);
    for (size_t i = 0; i < CONNECTIONS; i++)
        server.connections[i].fd = -1;
    buffer_init(&server.last, 8 << 20);
    pthread_mutex_init(&server.lock, NULL);
    sem_init(&server.got_one, 0, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server.listener, 64), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pipe(server.stop), 0);
    assert_int_equal(pthread_create(&server.thread, NULL, run_server, NULL), 0);
}

static void stop_server(void) {
    assert_int_equal(write(server.stop[1], "x", 1), 1);
    pthread_join(server.thread, NULL);
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (server.connections[i].fd >= 0)
            hang_up(&server.connections[i], false);
    close(server.listener);
    close(server.stop[0]);
    close(server.stop[1]);
    buffer_deinit(&server.last);
    pthread_mutex_destroy(&server.lock);
    sem_destroy(&server.got_one);
}

/* The client of this server. */

static struct aws_service service;
static struct aws_settings *settings;
static struct aws_client *client;
static struct aws_transport transport;

static int set_up(void **state) {
    (void)state;
    start_server();
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    support_set_environment();
    setenv("AWS_ENDPOINT_URL_DYNAMODB", url, 1);
    service = aws_dynamodb;
    service.backoff_base_ms = 1;
    transport = aws_transport_curl;
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(aws_client_new(&client, &service, settings, &transport, NULL), STATUS_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    aws_client_free(client);
    aws_settings_free(settings);
    stop_server();
    return 0;
}

#define BEHAVE(...)                                                                                          \
    static const enum behaviour behaviours[] = {__VA_ARGS__};                                                \
    server.script = behaviours;                                                                              \
    server.script_length = sizeof behaviours / sizeof *behaviours

static struct aws_call call_once(const char *body, size_t length, int attempts) {
    struct aws_call call = {.operation = "GetItem", .body = body, .length = length, .max_attempts = attempts};
    aws_client_call(client, &call, NULL);
    return call;
}

static void assert_ok(struct aws_call call, int attempts) {
    assert_string_equal(call.error.message, "");
    assert_int_equal(call.status, STATUS_OK);
    assert_int_equal(call.attempts, attempts);
    assert_true(json_is_object(call.reply));
    aws_call_deinit(&call);
}

static void assert_no_answer(struct aws_call call, const char *part) {
    assert_int_equal(call.status, STATUS_RETRY);
    assert_string_equal(call.error.code, "NoAnswer");
    assert_contains(call.error.message, part);
    aws_call_deinit(&call);
}

static void sequential_calls_use_one_connection(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_ok(call_once("{}", 2, 1), 1);
    assert_int_equal(atomic_load(&server.requests), 10);
    assert_int_equal(atomic_load(&server.accepted), 1);
}

static void simultaneous_calls_use_a_connection_each_and_keep_them(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct aws_call calls[40];
        for (size_t i = 0; i < 40; i++)
            calls[i] = (struct aws_call){.operation = "GetItem", .body = "{}", .length = 2};
        const struct aws_run run = {.concurrency = 4};
        aws_client_run(client, calls, 40, &run);
        for (size_t i = 0; i < 40; i++)
            assert_ok(calls[i], 1);
    }
    assert_int_equal(atomic_load(&server.requests), 120);
    assert_in_range(atomic_load(&server.accepted), 1, 4);
}

static void a_large_body_is_sent_whole_without_a_100_continue(void **state) {
    (void)state;
    size_t length = 2 << 20;
    char *body = malloc(length);
    for (size_t i = 0; i < length; i++)
        body[i] = (char)('a' + i % 26);
    assert_ok(call_once(body, length, 1), 1);

    char host[64];
    snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%d\r\n", server.port);
    pthread_mutex_lock(&server.lock);
    const char *request = server.last.data;
    assert_int_equal(strncmp(request, "POST / HTTP/1.1\r\n", 17), 0);
    assert_contains(request, host);
    assert_contains(request, "\r\nContent-Type: application/x-amz-json-1.0\r\n");
    assert_contains(request, "\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n");
    assert_null(strcasestr(request, "\r\nExpect:"));
    assert_null(strcasestr(request, "\r\nAccept-Encoding:"));
    assert_null(strstr(strstr(request, "\r\nHost:") + 2, "\r\nHost:"));
    assert_memory_equal(request + server.last.length - length, body, length);
    pthread_mutex_unlock(&server.lock);
    free(body);
}

static void a_request_on_a_stale_connection_is_sent_again_on_another_one(void **state) {
    (void)state;
    BEHAVE(ANSWER_AND_CLOSE, ANSWER, ANSWER_AND_CLOSE);
    for (int i = 0; i < 4; i++)
        assert_ok(call_once("{}", 2, 1), 1);
    assert_int_equal(atomic_load(&server.accepted), 3);
}

static void headers_of_an_interim_answer_are_ignored(void **state) {
    (void)state;
    BEHAVE(CONTINUE_FIRST);
    assert_ok(call_once("{}", 2, 1), 1);
}

static void an_error_in_chunks_is_read_whole(void **state) {
    (void)state;
    BEHAVE(ANSWER_IN_CHUNKS);
    struct aws_call call = call_once("{}", 2, 1);
    assert_int_equal(call.status, STATUS_INVALID);
    assert_string_equal(call.error.code, "ValidationException");
    assert_string_equal(call.error.request_id, "R-2");
    aws_call_deinit(&call);
}

static void an_answer_with_trailers_is_read_whole(void **state) {
    (void)state;
    BEHAVE(TRAILERS);
    assert_ok(call_once("{}", 2, 1), 1);
}

static void a_call_whose_answer_is_cut_anywhere_is_retried(void **state) {
    (void)state;
    BEHAVE(CUT, CUT, ANSWER, CUT_CHUNKS, CUT_CHUNKS, ANSWER, CUT_HEAD, CUT_HEAD, ANSWER, CUT_CONTINUE,
           CUT_CONTINUE, ANSWER);
    for (int i = 0; i < 4; i++) {
        assert_no_answer(call_once("{}", 2, 1), "NoAnswer: ");
        assert_ok(call_once("{}", 2, 0), 2);
    }
}

static void the_date_of_an_answer_corrects_the_clock(void **state) {
    (void)state;
    BEHAVE(REFUSE_FOR_THE_CLOCK);
    assert_ok(call_once("{}", 2, 0), 2);
}

static void a_call_whose_connection_is_reset_is_retried(void **state) {
    (void)state;
    BEHAVE(RESET, RESET, ANSWER);
    assert_no_answer(call_once("{}", 2, 1), "NoAnswer: ");
    assert_ok(call_once("{}", 2, 0), 2);
}

static void a_call_whose_answer_is_late_is_retried(void **state) {
    (void)state;
    BEHAVE(SILENCE, SILENCE, ANSWER);
    transport.attempt_ms =
        1000; /* long enough to send the request and, the third time, to receive the answer */
    int64_t begin_ms = clock_boot_ms();
    assert_no_answer(call_once("{}", 2, 1), "timed out");
    assert_in_range(clock_boot_ms() - begin_ms, 990, LIMIT_AWS_ATTEMPT_MS - 1);
    assert_ok(call_once("{}", 2, 0), 2);
}

/* No server here is slow: it is silent at once, or after a part. */
static void a_call_without_progress_ends_before_the_time_of_an_attempt(void **state) {
    (void)state;
    BEHAVE(SILENCE, STALL);
    const struct aws_run run = {.attempt_ms = 10 * LIMIT_AWS_ATTEMPT_MS, .slow_s = 1};
    for (int i = 0; i < 2; i++) {
        struct aws_call call = {.operation = "GetItem", .body = "{}", .length = 2, .max_attempts = 1};
        int64_t begin_ms = clock_boot_ms();
        aws_client_call(client, &call, &run);
        assert_in_range(clock_boot_ms() - begin_ms, 900, LIMIT_AWS_ATTEMPT_MS);
        assert_no_answer(call, "too slow");
    }
}

struct receiver {
    size_t allowed, seen;
};

static bool take_up_to(void *data, size_t bytes) {
    struct receiver *r = data;
    assert_true(bytes > r->seen);
    r->seen = bytes;
    return bytes <= r->allowed;
}

static void a_receiver_gets_the_bytes_as_they_arrive_and_can_end_the_call(void **state) {
    (void)state;
    BEHAVE(ANSWER, FLOOD);
    struct receiver receiver = {.allowed = 1 << 20};
    const struct aws_run run = {.arrived = take_up_to, .receiver = &receiver};
    struct aws_call call = {.operation = "GetItem", .body = "{}", .length = 2};
    aws_client_call(client, &call, &run);
    assert_ok(call, 1);
    assert_int_equal(receiver.seen, 2);

    aws_client_call(client, &call, &run);
    assert_int_equal(call.status, STATUS_RETRY);
    assert_string_equal(call.error.code, "ReplyDropped");
    assert_int_equal(call.attempts, 1);
    assert_in_range(receiver.seen, (1 << 20) + 1, LIMIT_AWS_REPLY_BYTES);
    aws_call_deinit(&call);
    assert_ok(call_once("{}", 2, 1), 1);
}

static void a_reply_that_is_too_large_is_neither_read_to_its_end_nor_retried(void **state) {
    (void)state;
    BEHAVE(FLOOD);
    struct aws_call call = call_once("{}", 2, 0);
    assert_int_equal(call.status, STATUS_FAILED);
    assert_string_equal(call.error.code, "ReplyTooLarge");
    assert_int_equal(call.attempts, 1);
    aws_call_deinit(&call);
    assert_ok(call_once("{}", 2, 1), 1);
}

static void a_call_to_a_service_that_does_not_listen_has_no_answer(void **state) {
    (void)state;
    shutdown(server.listener, SHUT_RDWR);
    assert_no_answer(call_once("{}", 2, 1), "connect");
}

/* Wraps the real transport: the first answer is lost after the request took effect. */
static void lose_answer(struct aws_exchange *x, void *context) {
    atomic_int *lost = context;
    if (atomic_fetch_add(lost, 1) == 0)
        aws_exchange_fail(x, "lost on purpose");
}

static void send_losing(const struct aws_transport *t, struct aws_session *session, struct aws_exchange *x) {
    x->filter = lose_answer;
    x->filter_context = t->context;
    aws_session_send(session, x);
}

static void a_wrapped_transport_can_lose_the_answer_of_a_request_that_took_effect(void **state) {
    (void)state;
    atomic_int lost = 0;
    transport.send = send_losing;
    transport.context = &lost;
    assert_ok(call_once("{}", 2, 0), 2);
    assert_int_equal(atomic_load(&server.requests), 2);
}

static void *cancel_when_asked(void *context) {
    (void)context;
    sem_wait(&server.got_one);
    aws_client_cancel(client);
    return NULL;
}

static void a_cancel_ends_a_call_whose_service_does_not_answer(void **state) {
    (void)state;
    BEHAVE(SILENCE);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_asked, NULL), 0);
    int64_t begin_ms = clock_boot_ms();
    struct aws_call call = call_once("{}", 2, 0);
    assert_true(clock_boot_ms() - begin_ms < LIMIT_AWS_ATTEMPT_MS);
    pthread_join(thread, NULL);
    assert_int_equal(call.status, STATUS_FAILED);
    assert_string_equal(call.error.code, "Cancelled");
}

static void *call_often(void *context) {
    (void)context;
    for (int i = 0; i < 50; i++) {
        struct aws_call call = call_once("{}", 2, 1);
        bool ok = call.status == STATUS_OK;
        aws_call_deinit(&call);
        if (!ok)
            return client;
    }
    return NULL;
}

static void threads_that_share_a_client_use_a_connection_each(void **state) {
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(atomic_load(&server.requests), 200);
    assert_in_range(atomic_load(&server.accepted), 1, 4);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(sequential_calls_use_one_connection),
        TEST(simultaneous_calls_use_a_connection_each_and_keep_them),
        TEST(a_large_body_is_sent_whole_without_a_100_continue),
        TEST(a_request_on_a_stale_connection_is_sent_again_on_another_one),
        TEST(headers_of_an_interim_answer_are_ignored),
        TEST(an_error_in_chunks_is_read_whole),
        TEST(an_answer_with_trailers_is_read_whole),
        TEST(a_call_whose_answer_is_cut_anywhere_is_retried),
        TEST(the_date_of_an_answer_corrects_the_clock),
        TEST(a_call_whose_connection_is_reset_is_retried),
        TEST(a_call_whose_answer_is_late_is_retried),
        TEST(a_call_without_progress_ends_before_the_time_of_an_attempt),
        TEST(a_receiver_gets_the_bytes_as_they_arrive_and_can_end_the_call),
        TEST(a_reply_that_is_too_large_is_neither_read_to_its_end_nor_retried),
        TEST(a_call_to_a_service_that_does_not_listen_has_no_answer),
        TEST(a_wrapped_transport_can_lose_the_answer_of_a_request_that_took_effect),
        TEST(a_cancel_ends_a_call_whose_service_does_not_answer),
        TEST(threads_that_share_a_client_use_a_connection_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
