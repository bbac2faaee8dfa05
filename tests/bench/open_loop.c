/*
 * open_loop: GETs one path at a constant rate, whatever the server does, and measures each answer from when
 * its request was *meant* to be sent. A client that waits for an answer before it sends the next request
 * (wrk) leaves out just those requests that would have met a pause of the server's ("coordinated omission"),
 * and a p99 of what is left says little. So here a request that finds no idle connection is late, and its
 * lateness counts; `behind` says how late the client itself was at the worst, when a connection was idle: if
 * that is much, the client was the bottleneck.
 *
 *     open_loop PORT PATH REQUESTS_A_SECOND SECONDS CONNECTIONS
 *
 * One thread, epoll, no allocation while it runs. Prints one line of JSON, times in microseconds; exits 1 if
 * an answer was not a 200 or a connection broke. Used by the benchmarks (common.py).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 1024, ANSWER_BYTES = 1 << 16, PATIENCE_S = 10 };

struct connection {
    int fd;
    int64_t meant_ns; /* of the request under way */
    size_t length;
    struct connection *next_idle;
    char answer[ANSWER_BYTES];
};

static char request[1024];
static size_t request_length;
static int epoll_fd;
static struct connection *idle;
static uint32_t *latencies;
static size_t n_latencies, n_errors;
static int64_t behind_ns;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void dial(struct connection *c, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl");
    c->next_idle = idle;
    idle = c;
}

static void send_request(int64_t meant_ns) {
    struct connection *c = idle;
    idle = c->next_idle;
    c->meant_ns = meant_ns;
    c->length = 0;
    if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length)
        fail("send");
}

/* The length of a whole answer, 0 if there is more to come. */
static size_t answer_length(const struct connection *c) {
    const char *end = memmem(c->answer, c->length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *promised = strcasestr(c->answer, "\r\ncontent-length: ");
    return (size_t)(end - c->answer) + 4 + (promised ? strtoul(promised + 18, NULL, 10) : 0);
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->fd, c->answer + c->length, ANSWER_BYTES - 1 - c->length, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("recv");
    c->length += (size_t)n;
    c->answer[c->length] = '\0';
    size_t length = answer_length(c);
    if (!length || c->length < length)
        return;
    latencies[n_latencies++] = (uint32_t)((now_ns() - c->meant_ns) / 1000);
    n_errors += strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0;
    c->next_idle = idle;
    idle = c;
}

static void run(size_t requests, double a_second) {
    struct epoll_event events[256];
    int64_t begun_ns = now_ns();
    for (size_t sent = 0; n_latencies < requests;) {
        int64_t now = now_ns(), next = begun_ns + (int64_t)((double)sent * 1e9 / a_second);
        bool was_idle = idle;
        while (sent < requests && idle && next <= now) {
            if (now - next > behind_ns && was_idle && n_latencies)
                behind_ns = now - next;
            send_request(next);
            next = begun_ns + (int64_t)((double)++sent * 1e9 / a_second);
        }
        int64_t wait = sent == requests || !idle ? PATIENCE_S * INT64_C(1000000000) : next - now_ns();
        struct timespec timeout = {wait > 0 ? wait / 1000000000 : 0, wait > 0 ? wait % 1000000000 : 0};
        int n = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
        if (n < 0 && errno != EINTR)
            fail("epoll_pwait2");
        if (n == 0 && wait == PATIENCE_S * INT64_C(1000000000)) {
            fprintf(stderr, "no answer for %d s\n", PATIENCE_S);
            exit(1);
        }
        for (int i = 0; i < n; i++)
            receive(events[i].data.ptr);
    }
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(double share) {
    size_t i = (size_t)(share * (double)n_latencies);
    return latencies[i < n_latencies ? i : n_latencies - 1];
}

int main(int argc, char *argv[]) {
    if (argc != 6) {
        fprintf(stderr, "usage: open_loop PORT PATH REQUESTS_A_SECOND SECONDS CONNECTIONS\n");
        return 2;
    }
    uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
    double a_second = strtod(argv[3], NULL);
    size_t requests = (size_t)(a_second * strtod(argv[4], NULL)), connections = strtoul(argv[5], NULL, 10);
    if (!requests || !connections || connections > MOST_CONNECTIONS)
        return 2;
    request_length =
        (size_t)snprintf(request, sizeof request, "GET %.900s HTTP/1.1\r\nHost: x\r\n\r\n", argv[2]);
    struct connection *all = calloc(connections, sizeof *all);
    latencies = calloc(requests + connections, sizeof *latencies);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!all || !latencies || epoll_fd < 0)
        fail("setting up");
    for (size_t i = 0; i < connections; i++)
        dial(&all[i], port);
    run(requests, a_second);
    qsort(latencies, n_latencies, sizeof *latencies, compare);
    printf("{\"requests\":%zu,\"errors\":%zu,\"p50\":%u,\"p90\":%u,\"p99\":%u,\"p999\":%u,\"longest\":%u,"
           "\"behind\":%lld}\n",
           n_latencies, n_errors, percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999),
           latencies[n_latencies - 1], (long long)(behind_ns / 1000));
    return n_errors ? 1 : 0;
}
