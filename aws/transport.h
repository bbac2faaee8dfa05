/*
 * aws/transport: sends a request to a service and receives its answer.
 *
 * A transport is one function, `send`, which starts an exchange and returns at once. The real one uses
 * libcurl: aws_session_send. A test may answer instead (aws_exchange_answer or aws_exchange_fail, then
 * aws_session_finish, at once or after a delay); or set the exchange's `filter` and call aws_session_send, to
 * count, change or lose an answer that took effect before the client reads it.
 *
 * With a session one thread runs several exchanges at once: a libcurl multi handle with its kept-alive
 * connections. Only that thread uses it, but for aws_session_wake. libcurl is set up not to change signals
 * (NOSIGNAL), so the program must ignore SIGPIPE.
 */
#ifndef AWS_TRANSPORT_H
#define AWS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"

struct aws_session;
struct aws_trust; /* aws/trust.h */

enum aws_exchange_result {
    AWS_EXCHANGE_PENDING,
    AWS_EXCHANGE_ANSWERED,  /* a whole answer: `http_status` and the rest */
    AWS_EXCHANGE_NO_ANSWER, /* none, or a part: `problem`. The request may have taken effect. */
    AWS_EXCHANGE_TOO_LARGE, /* more than `reply.max`: LIMIT_AWS_REPLY_BYTES; of a fetch LIMIT_FETCH_BYTES */
    AWS_EXCHANGE_DROPPED,   /* `arrived` ended it */
};

struct aws_exchange {
    /* The request, borrowed until the exchange is finished or abandoned. */
    const char *operation; /* "UpdateItem"; NULL: none of a service */
    const char *method;    /* NULL: POST */
    const char *url;
    const char *const
        *lines;       /* header lines, NULL after the last; NULL: none; "Name:" removes one of libcurl's */
    const char *body; /* NULL: none */
    size_t length;
    struct aws_trust *trust; /* of its connection; NULL: the system's, as libcurl reads it */
    bool direct;             /* without a proxy, even if the environment names one: for metadata addresses */
    int connect_ms;
    int attempt_ms; /* all of it, connecting included */
    int slow_s;     /* it ends after so long below LIMIT_AWS_SLOW_BYTES a second; 0: never */

    /* Its answer, if a success, is a stream: aws_session_wait returns the exchange once the head is there,
     * and aws_session_read brings the rest into `reply`. It has a connection of its own, HTTP/2 if the
     * service has that, and no bound in time. */
    bool streams;

    /* Called (unless NULL) by the session's thread as the answer's body arrives, with the bytes so far. False
     * ends the exchange. */
    bool (*arrived)(void *receiver, size_t bytes);
    void *receiver;

    /* The answer. */
    enum aws_exchange_result result;
    long http_status; /* 0 if there was no answer */
    bool connected;   /* there was a connection: without an answer, silence rather than absence */
    struct buffer reply;
    char request_id[80];
    char error_type[128]; /* x-amzn-ErrorType, unchanged */
    bool has_crc32;       /* x-amz-crc32 */
    uint32_t crc32;
    int64_t retry_after_ms;      /* x-amz-retry-after; -1: none */
    int64_t http_retry_after_ms; /* Retry-After, in seconds there; -1: none */
    int64_t retry_at_ms;         /* Retry-After, a date; -1: none */
    int64_t date_ms;             /* Date; -1: none */
    bool has_age;                /* there is an Age: it is from a cache */
    char problem[256];

    /* Of a stream: the last moment at which nothing of it had arrived at this machine that was not in `reply`
     * before. Zeros: never. */
    struct clock_reading empty;

    /* Called (unless NULL) by the session's thread before the client reads the answer. */
    void (*filter)(struct aws_exchange *x, void *context);
    void *filter_context;

    /* private to the client, and to the session */
    bool headers_ended, dropped, begun, paused;
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

/* libcurl: HTTP/1.1 but for streams, certificates verified, proxies as libcurl's variables say (https_proxy,
 * no_proxy, ...). If the service had closed a kept-alive connection, the request is sent on another. */
extern const struct aws_transport aws_transport_curl;

/* Where the system keeps the certificates of authorities, as libcurl was built: static, NULL: nowhere. */
void aws_transport_system_trust(const char **file, const char **folder);

/* Neither request nor answer. aws_exchange_deinit when it is no longer under way. */
void aws_exchange_init(struct aws_exchange *x);
void aws_exchange_deinit(struct aws_exchange *x);

/* Replaces the answer. `reply` is copied, and arrives at once. */
void aws_exchange_answer(struct aws_exchange *x, long http_status, const char *reply);
void aws_exchange_fail(struct aws_exchange *x, const char *problem);

/* Reads a header of the answer, if it is one of those above. */
void aws_exchange_header(struct aws_exchange *x, const char *name, const char *value);

/* Another answer begins: forgets the headers of the one before. */
void aws_exchange_forget_headers(struct aws_exchange *x);

/* Forgets the whole answer: the exchange is to be sent again. */
void aws_exchange_forget_answer(struct aws_exchange *x);

/* How long the service asks to wait; -1: it does not. x-amz-retry-after precedes Retry-After (RFC 9110
 * section 10.2.3). A date there is compared with the Date of the answer, or with our clock (`now_ms`) if
 * there is none. */
int64_t aws_exchange_retry_after_ms(const struct aws_exchange *x, int64_t now_ms);

struct aws_session *aws_session_new(void);
void aws_session_free(struct aws_session *session); /* nothing may be under way */

/* Starts the exchange over libcurl. */
void aws_session_send(struct aws_session *session, struct aws_exchange *x);

/* The exchange is finished: aws_session_wait returns it after `delay_ms`. */
void aws_session_finish(struct aws_session *session, struct aws_exchange *x, int64_t delay_ms);

/* Blocks until an exchange is finished, or a stream begins, and returns it; NULL after `timeout_ms`, when
 * woken, when the descriptor (-1: none) is readable, or earlier. */
struct aws_exchange *aws_session_wait(struct aws_session *session, int64_t timeout_ms, int stop_fd);

/* Reads on a stream that has begun, the session's only exchange, whose `reply` the caller has emptied. Blocks
 * as aws_session_wait does. At most LIMIT_AWS_STREAM_BYTES arrive at once, and none between two calls: then
 * the service has to wait. False: the stream has ended, and nothing follows what is in `reply` now; `result`
 * says how. */
bool aws_session_read(struct aws_session *session, struct aws_exchange *x, int64_t timeout_ms, int stop_fd);

/* Any thread. The present wait, or else the next one, returns at once. */
void aws_session_wake(struct aws_session *session);

/* Ends the exchange and closes its connection, if it has one. */
void aws_session_abandon(struct aws_session *session, struct aws_exchange *x);

#endif
