#include "tests/unit/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/http/acceptor.h"
#include "server/listen.h"

/* A real listening socket on the loopback address. What is taken is kept open until the test closes it. */

enum { LIMIT = 4000, PLENTY_MS = 30000, CLIENTS = 8, QUEUE = 60, HANDFUL = 3 };

static struct acceptor *acceptor;
static unsigned port;
static int taken_fds[LIMIT];
static atomic_uint taken;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: nothing is taken */

static void take(void *context, int fd) {
    (void)context;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    taken_fds[atomic_load(&taken)] = fd; /* one thread takes */
    atomic_fetch_add(&taken, 1);
}

static void relieve(void *context) {
    (void)context;
}

static void start(unsigned limit) {
    struct error e;
    struct acceptor_options options = {listen_open("127.0.0.1:0", &e), limit, take, relieve, NULL};
    atomic_store(&taken, 0);
    port = listen_port(options.fd);
    assert_int_equal(acceptor_start(&acceptor, &options, &e), STATUS_OK);
}

static int teardown(void **state) {
    (void)state;
    acceptor_free(acceptor);
    for (unsigned i = 0; i < taken; i++)
        close(taken_fds[i]);
    return 0;
}

static int64_t soon(void) {
    return clock_boot_ms() + PLENTY_MS;
}

static bool await_taken(unsigned n) {
    for (int64_t until = soon(); atomic_load(&taken) != n && clock_boot_ms() < until;)
        poll(NULL, 0, 1);
    return atomic_load(&taken) == n;
}

/* -1: refused. */
static int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void release_one(unsigned i) {
    close(taken_fds[i]);
    acceptor_release(acceptor);
}

static void accepted_connections_are_handed_over(void **state) {
    (void)state;
    start(LIMIT);
    int fds[HANDFUL];
    for (int i = 0; i < HANDFUL; i++)
        fds[i] = dial();
    assert_true(await_taken(HANDFUL));
    assert_int_equal(acceptor_open(acceptor), HANDFUL);
    for (int i = 0; i < HANDFUL; i++)
        close(fds[i]);
}

static void connections_beyond_the_limit_wait_until_one_is_closed(void **state) {
    (void)state;
    start(2);
    int fds[HANDFUL];
    for (int i = 0; i < HANDFUL; i++)
        fds[i] = dial();
    assert_true(await_taken(2));
    struct pollfd third = {.fd = fds[2], .events = POLLIN};
    assert_int_equal(poll(&third, 1, 100), 0); /* neither refused nor taken */
    assert_int_equal(atomic_load(&taken), 2);
    release_one(0);
    assert_true(await_taken(3));
    assert_int_equal(acceptor_open(acceptor), 2);
    for (int i = 0; i < HANDFUL; i++)
        close(fds[i]);
    taken_fds[0] = taken_fds[2];
    atomic_store(&taken, 2);
}

static void *end_main(void *unused) {
    acceptor_end(acceptor, soon());
    return unused;
}

static void connections_in_the_queue_at_the_end_are_handed_over(void **state) {
    (void)state;
    pthread_t ender;
    start(LIMIT);
    pthread_mutex_lock(&gate);
    int fds[QUEUE];
    for (int i = 0; i < QUEUE; i++)
        assert_true((fds[i] = dial()) >= 0);
    pthread_create(&ender, NULL, end_main, NULL);
    pthread_mutex_unlock(&gate);
    pthread_join(ender, NULL);
    assert_int_equal(atomic_load(&taken), QUEUE);
    assert_int_equal(dial(), -1);
    for (int i = 0; i < QUEUE; i++)
        close(fds[i]);
}

static void an_acceptor_at_its_limit_ends_at_its_deadline(void **state) {
    (void)state;
    start(1);
    int fds[] = {dial(), dial()};
    assert_true(await_taken(1));
    int64_t begun_ms = clock_boot_ms();
    acceptor_end(acceptor, begun_ms + 300);
    assert_true(clock_boot_ms() - begun_ms < 300 + 5000);
    assert_int_equal(atomic_load(&taken), 1);
    close(fds[0]);
    close(fds[1]);
}

struct crowd {
    atomic_uint connected;
    atomic_bool stop;
};

/* Connects until a connection is refused. */
static void *connect_main(void *argument) {
    struct crowd *crowd = argument;
    while (!atomic_load(&crowd->stop)) {
        int fd = dial();
        if (fd < 0)
            atomic_store(&crowd->stop, true);
        else
            atomic_fetch_add(&crowd->connected, 1);
        if (fd >= 0)
            close(fd);
        poll(NULL, 0, 1);
    }
    return NULL;
}

/* Counts the clients whose connect() succeeded. After the first refusal the socket is closed, so none can
 * connect. */
static void every_client_that_connected_before_the_end_is_handed_over(void **state) {
    (void)state;
    struct crowd crowd = {0};
    pthread_t clients[CLIENTS];
    start(LIMIT);
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, connect_main, &crowd);
    while (atomic_load(&crowd.connected) < 100)
        poll(NULL, 0, 1);
    acceptor_end(acceptor, soon());
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    assert_int_equal(atomic_load(&taken), atomic_load(&crowd.connected));
}

/* Begins a connection and does not wait for it. */
static int ask(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    return fd;
}

static void a_listening_socket_that_refuses_new_connections_keeps_its_queue(void **state) {
    (void)state;
    struct error e;
    int listening = listen_open("127.0.0.1:0", &e);
    port = listen_port(listening);
    int before = dial();
    assert_true(listen_refuse(listening));
    int after = ask();
    struct pollfd unanswered = {.fd = after, .events = POLLOUT};
    assert_int_equal(poll(&unanswered, 1, 100), 0);
    int taken_fd = accept(listening, NULL, NULL);
    assert_true(taken_fd >= 0);
    assert_int_equal(write(before, "x", 1), 1);
    char byte;
    assert_int_equal(read(taken_fd, &byte, 1), 1);
    assert_int_equal(accept(listening, NULL, NULL), -1);
    close(listening);
    assert_int_equal(poll(&unanswered, 1, PLENTY_MS), 1); /* the kernel repeats the SYN, which is refused */
    assert_true(unanswered.revents & POLLERR);
    close(before);
    close(after);
    close(taken_fd);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(accepted_connections_are_handed_over),
        TEST(connections_beyond_the_limit_wait_until_one_is_closed),
        TEST(connections_in_the_queue_at_the_end_are_handed_over),
        TEST(an_acceptor_at_its_limit_ends_at_its_deadline),
        TEST(every_client_that_connected_before_the_end_is_handed_over),
        cmocka_unit_test(a_listening_socket_that_refuses_new_connections_keeps_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
