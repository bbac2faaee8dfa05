/* For the tests of http: a real server on the loopback address over a scripted store, and clients that see
 * every byte. */
#ifndef TESTS_UNIT_SUPPORT_HTTP_H
#define TESTS_UNIT_SUPPORT_HTTP_H

#include "tests/unit/support/api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "server/http/http.h"

static struct fixture f;
static struct http *http;

static inline void start(unsigned connections, enum api_routes routes) {
    struct api_options options = support_options();
    struct http_options http_options = {"127.0.0.1:0", connections, HTTP_ACCESS_LOG_NONE, routes, 4};
    struct error e;
    support_init(&f, &options, false);
    support_set_as_of(&f, support_now());
    scripted_store_set_score(f.store, ROLE_CREATOR, "widget/merchant/100000001/Ann", 42);
    scripted_store_set_contribution(f.store, "a/b", "widget/merchant/100000001/Ann", NULL, 1);
    http = http_new(&http_options, f.api, &e);
    assert_non_null(http);
}

static inline int setup(void **state) {
    (void)state;
    start(1024, API_ALL);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    scripted_store_release(f.store);
    http_free(http);
    support_deinit(&f);
    return 0;
}

/* A client. */

struct reply {
    unsigned status; /* 0: the connection was closed instead */
    char head[8192];
    char *body; /* of the promised length; NULL if none was read */
    size_t length;
};

static inline int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(http))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline void send_all(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the test sees it by the missing reply */
        text += n;
        length -= (size_t)n;
    }
}

static inline void send_text(int fd, const char *text) {
    send_all(fd, text, strlen(text));
}

static inline void send_get(int fd, const char *target) {
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    send_text(fd, text);
}

/* The value of a header, NULL if there is none; valid until the next call. */
static inline const char *header(const struct reply *r, const char *name) {
    static char value[512];
    size_t length = strlen(name);
    for (const char *line = r->head; (line = strstr(line, "\r\n"));) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + length + 2, "\r"), line + length + 2);
            return value;
        }
    }
    return NULL;
}

static inline bool read_head(int fd, struct reply *r) {
    size_t length = 0;
    while (length < 4 || memcmp(r->head + length - 4, "\r\n\r\n", 4) != 0) {
        assert_true(length + 1 < sizeof r->head);
        if (read(fd, r->head + length, 1) != 1)
            return false;
        r->head[++length] = '\0';
    }
    return sscanf(r->head, "HTTP/1.1 %u", &r->status) == 1 || sscanf(r->head, "HTTP/1.0 %u", &r->status) == 1;
}

static inline struct reply receive(int fd, bool with_body) {
    struct reply r = {0};
    if (!read_head(fd, &r))
        return (struct reply){0};
    const char *promised = header(&r, "Content-Length");
    r.length = promised ? strtoul(promised, NULL, 10) : 0;
    if (with_body) {
        r.body = mem_zalloc(r.length + 1);
        for (size_t got = 0; got < r.length;) {
            ssize_t n = read(fd, r.body + got, r.length - got);
            assert_true(n > 0);
            got += (size_t)n;
        }
    }
    return r;
}

static inline struct reply exchange(int fd, const char *target) {
    send_get(fd, target);
    return receive(fd, true);
}

static inline bool is_closed(int fd) {
    char byte;
    return read(fd, &byte, 1) <= 0;
}

static inline bool is_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static inline void assert_header(const struct reply *r, const char *name, const char *expected) {
    const char *value = header(r, name);
    if (!value)
        fail_msg("no %s in %s", name, r->head);
    assert_string_equal(value, expected);
}

static inline void assert_problem(const struct reply *r, unsigned status, const char *code) {
    assert_int_equal(r->status, status);
    assert_header(r, "Content-Type", "application/problem+json");
    json_t *json = json_loads(r->body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "code")), code);
    json_decref(json);
}

/* One request on a connection of its own; only the status matters. */
static inline unsigned status_of(const char *target) {
    int fd = dial();
    struct reply r = exchange(fd, target);
    free(r.body);
    close(fd);
    return r.status;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
