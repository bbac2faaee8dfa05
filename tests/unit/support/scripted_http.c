#include "tests/unit/support/scripted_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "tests/unit/support/test.h"

enum { REQUESTS = 64, REQUEST_BYTES = 1 << 20 };

struct scripted_http {
    const struct scripted_answer *answers;
    size_t n_answers;
    int listener, stop;
    uint16_t port;
    char url[256];
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t asked;
    size_t count;
    char *requests[REQUESTS];
    int connections[REQUESTS]; /* kept open until the stop */
};

/* Whether the request is all there. */
static bool is_whole(const struct buffer *input) {
    const char *end = input->data ? strstr(input->data, "\r\n\r\n") : NULL;
    if (!end)
        return false;
    const char *field = strcasestr(input->data, "\r\ncontent-length:");
    size_t length = field && field < end ? strtoul(field + strlen("\r\ncontent-length:"), NULL, 10) : 0;
    return input->length >= (size_t)(end + 4 - input->data) + length;
}

static void answer(int fd, const struct scripted_answer *a) {
    const char *body = a->body ? a->body : "";
    _cleanup_(mem_freep) char *text =
        mem_printf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s%s\r\n%s", a->status,
                   strlen(body), a->header ? a->header : "", a->header ? "\r\n" : "", body);
    for (size_t sent = 0; sent < strlen(text);) {
        ssize_t n = send(fd, text + sent, strlen(text) - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        sent += (size_t)n;
    }
}

/* Waits until the descriptor has something; false: we are to stop. */
static bool readable(const struct scripted_http *s, int fd) {
    struct pollfd fds[] = {{.fd = s->stop, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    return poll(fds, 2, -1) > 0 && !fds[0].revents;
}

static void serve(struct scripted_http *s, int fd) {
    struct buffer input;
    buffer_init(&input, REQUEST_BYTES);
    char data[4096];
    ssize_t n;
    while (!is_whole(&input)) {
        if (!readable(s, fd) || (n = recv(fd, data, sizeof data, 0)) <= 0) {
            close(fd);
            buffer_deinit(&input);
            return;
        }
        buffer_append(&input, data, (size_t)n);
    }
    pthread_mutex_lock(&s->lock);
    size_t i = s->count;
    if (i == REQUESTS)
        abort(); /* a test that asks so often is broken */
    s->requests[i] = buffer_detach(&input);
    s->connections[i] = fd;
    s->count++;
    pthread_cond_broadcast(&s->asked);
    pthread_mutex_unlock(&s->lock);

    const struct scripted_answer *a = &s->answers[i < s->n_answers ? i : s->n_answers - 1];
    if (a->status != SCRIPTED_HTTP_SILENCE) {
        answer(fd, a);
        shutdown(fd, SHUT_WR);
    }
}

static void *run(void *context) {
    struct scripted_http *s = context;
    while (readable(s, s->listener))
        serve(s, accept4(s->listener, NULL, NULL, SOCK_CLOEXEC));
    return NULL;
}

struct scripted_http *scripted_http_start(const struct scripted_answer *answers, size_t n) {
    struct scripted_http *s = mem_zalloc(sizeof *s);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    s->answers = answers;
    s->n_answers = n;
    s->stop = eventfd(0, EFD_CLOEXEC);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->asked, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
    return s;
}

void scripted_http_stop(struct scripted_http *s) {
    uint64_t one = 1;
    if (!s)
        return;
    assert_int_equal(write(s->stop, &one, sizeof one), sizeof one);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->count; i++) {
        close(s->connections[i]);
        free(s->requests[i]);
    }
    close(s->listener);
    close(s->stop);
    pthread_cond_destroy(&s->asked);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint16_t scripted_http_port(const struct scripted_http *s) {
    return s->port;
}

const char *scripted_http_url(struct scripted_http *s, const char *path) {
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u%s", s->port, path);
    return s->url;
}

size_t scripted_http_count(struct scripted_http *s) {
    pthread_mutex_lock(&s->lock);
    size_t count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

void scripted_http_await(struct scripted_http *s, size_t count) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    int late = 0;
    pthread_mutex_lock(&s->lock);
    while (s->count < count && !late)
        late = pthread_cond_timedwait(&s->asked, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    assert_int_equal(late, 0);
}

const char *scripted_http_request(struct scripted_http *s, size_t i) {
    assert_true(i < scripted_http_count(s));
    pthread_mutex_lock(&s->lock);
    const char *request = s->requests[i];
    pthread_mutex_unlock(&s->lock);
    return request;
}
