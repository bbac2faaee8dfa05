/*
 * aws/transport: how the bytes of a signed request get to a service, and the answer back.
 *
 * The seam is one function, `send`, which starts one exchange and returns at once. The real one is libcurl:
 * aws_session_send. A test may answer by itself (aws_exchange_answer or aws_exchange_fail, then
 * aws_session_finish, at once or after a delay), or wrap the real one: set the exchange's `filter`, call
 * aws_session_send, and have the answer in hand before the client sees it: to count it, change it, or lose it
 * after it took effect.
 *
 * A session is what one thread needs to have several exchanges under way: a libcurl multi handle with its
 * kept-alive connections. Only its thread uses it, but for aws_session_wake. libcurl does not raise signals
 * here (NOSIGNAL), so the program must ignore SIGPIPE.
 */
#ifndef AWS_TRANSPORT_H
#define AWS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct aws_session;

enum aws_exchange_result {
    AWS_EXCHANGE_PENDING,
    AWS_EXCHANGE_ANSWERED,  /* a whole answer: `http_status` and what follows it */
    AWS_EXCHANGE_NO_ANSWER, /* none, or not a whole one: `problem`. It may have taken effect all the same. */
    AWS_EXCHANGE_TOO_LARGE, /* more than LIMIT_AWS_REPLY_BYTES */
};

struct aws_exchange {
    /* The request, borrowed until the exchange is finished or abandoned. */
    const char *operation; /* "UpdateItem": for tests */
    const char *method;    /* NULL: POST */
    const char *url;
    const char *const
        *lines;       /* header lines, NULL after the last; NULL: none; "Name:" removes one of libcurl's */
    const char *body; /* NULL: none */
    size_t length;
    const char *ca_bundle; /* NULL: the system's */
    bool direct;           /* through no proxy, whatever the environment says: metadata addresses */
    int connect_ms;
    int attempt_ms; /* all of it, connecting included */

    /* The answer. */
    enum aws_exchange_result result;
    long http_status; /* 0 if there was no answer */
    bool connected;   /* there was a connection, which tells silence from absence when there was no answer */
    struct buffer reply;
    char request_id[80];
    char error_type[128]; /* x-amzn-ErrorType, as it came */
    bool has_crc32;       /* x-amz-crc32 */
    uint32_t crc32;
    int64_t retry_after_ms;      /* x-amz-retry-after; -1: none */
    int64_t http_retry_after_ms; /* Retry-After, in seconds there; -1: none */
    int64_t retry_at_ms;         /* Retry-After, a date; -1: none */
    int64_t date_ms;             /* Date; -1: none */
    bool has_age;                /* there is an Age: it comes out of a cache */
    char problem[256];

    /* Called, unless NULL, in the session's thread just before the client sees the answer. */
    void (*filter)(struct aws_exchange *x, void *context);
    void *filter_context;

    /* private to the client, and to the session */
    bool headers_ended;
    void *owner;
    void *easy, *list;
    int64_t due_ms;
    struct aws_exchange *next;
};

struct aws_transport {
    void (*send)(const struct aws_transport *transport, struct aws_session *session, struct aws_exchange *x);
    void *context;  /* the transport's own */
    int connect_ms; /* 0: LIMIT_AWS_CONNECT_MS */
    int attempt_ms; /* 0: LIMIT_AWS_ATTEMPT_MS */
};

/* libcurl: HTTP/1.1, certificates verified, proxies as libcurl's variables say (https_proxy, no_proxy, ...).
 * A kept-alive connection that the service had closed meanwhile is noticed and the request sent on another.
 */
extern const struct aws_transport aws_transport_curl;

/* A zeroed answer for a request yet to be filled in; aws_exchange_deinit when it is neither under way nor
 * needed. */
void aws_exchange_init(struct aws_exchange *x);
void aws_exchange_deinit(struct aws_exchange *x);

/* Forgets whatever answer there is and makes it this one. `reply` is copied. */
void aws_exchange_answer(struct aws_exchange *x, long http_status, const char *reply);
void aws_exchange_fail(struct aws_exchange *x, const char *problem);

/* Takes note of a header of the answer if it is one of those above; the rest is ignored. */
void aws_exchange_header(struct aws_exchange *x, const char *name, const char *value);

/* Another answer begins: forgets the headers of the one before. */
void aws_exchange_forget_headers(struct aws_exchange *x);

/* Forgets the whole answer: the exchange is to be sent again. */
void aws_exchange_forget_answer(struct aws_exchange *x);

/* For how long the service asks not to be bothered; -1: it does not. x-amz-retry-after goes before HTTP's own
 * Retry-After (RFC 9110 section 10.2.3), whose date is taken by the clock of whoever sent it, if there is a
 * Date, else by ours (`now_ms`). */
int64_t aws_exchange_retry_after_ms(const struct aws_exchange *x, int64_t now_ms);

struct aws_session *aws_session_new(void);
void aws_session_free(struct aws_session *session); /* nothing may be under way */

/* Starts the exchange over libcurl. */
void aws_session_send(struct aws_session *session, struct aws_exchange *x);

/* Has its answer: aws_session_wait returns it when `delay_ms` have passed. */
void aws_session_finish(struct aws_session *session, struct aws_exchange *x, int64_t delay_ms);

/* Blocks until an exchange is finished, and returns it; NULL after `timeout_ms`, when woken, when `stop_fd`
 * (-1: none) is readable, or earlier. */
struct aws_exchange *aws_session_wait(struct aws_session *session, int64_t timeout_ms, int stop_fd);

/* Any thread: the wait that is going on, or else the next one, returns at once. */
void aws_session_wake(struct aws_session *session);

/* The exchange is no longer under way; its connection, if it has one, is closed. */
void aws_session_abandon(struct aws_session *session, struct aws_exchange *x);

#endif
