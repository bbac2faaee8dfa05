/* scripted_http: a server on the loopback interface that gives scripted answers, one a connection, and
 * keeps the requests. For endpoints that hand out credentials. */
#ifndef TESTS_UNIT_SUPPORT_SCRIPTED_HTTP_H
#define TESTS_UNIT_SUPPORT_SCRIPTED_HTTP_H

#include <stddef.h>
#include <stdint.h>

struct scripted_http;

enum { SCRIPTED_HTTP_SILENCE = 0 }; /* as a status: reads the request and sends no answer */

struct scripted_answer {
    int status;
    const char *body;
    const char *header; /* one line more, or NULL */
};

/* `answers` is borrowed; the first request gets the first one, and so on; the last one is given for ever. */
struct scripted_http *scripted_http_start(const struct scripted_answer *answers, size_t n);
void scripted_http_stop(struct scripted_http *s); /* NULL is fine */

uint16_t scripted_http_port(const struct scripted_http *s);
/* "http://127.0.0.1:PORT" followed by `path`; valid until the next call. */
const char *scripted_http_url(struct scripted_http *s, const char *path);

size_t scripted_http_count(struct scripted_http *s); /* of requests so far */

/* Blocks until `n` requests have arrived; fails the test after 10 s. */
void scripted_http_await(struct scripted_http *s, size_t count);

/* The request of that number, from 0: head and body, unchanged. Valid until the stop. */
const char *scripted_http_request(struct scripted_http *s, size_t i);

#endif
