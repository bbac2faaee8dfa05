/*
 * answer: what a handler answers, before HTTP: a status, a body, and what the headers depend on.
 *
 * Reference-counted, and immutable once it is shared, so that one answer serves many requests at once; the
 * cache keeps answers. The body is a reference-counted object of its own, because the connection that sends
 * it may outlive the answer.
 *
 * An answer with an ETag is a representation: a client that holds it already need not get it again, and it
 * can be sent compressed. What is new on every request (probes, metrics) and problems have none.
 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "views/cache/cache.h"

#define ANSWER_JSON "application/json"
#define ANSWER_PROBLEM "application/problem+json"
#define ANSWER_NO_STORE "no-store"
#define ANSWER_ETAG_SIZE 32
#define ANSWER_ATTACHED 3
#define ANSWER_ATTACHED_BYTES 1536 /* of one attached object, about */

struct body {
    atomic_uint references;
    size_t length;
    char *data;
};

/* A body with one reference. It owns `data` (malloc'ed, `length` bytes) from now on. */
struct body *body_new(char *data, size_t length);
struct body *body_ref(struct body *body);
void body_unref(struct body *body); /* NULL is fine */

struct answer {
    struct cache_value value; /* first: an answer is a cache value */
    unsigned status;          /* HTTP's */
    struct body *body;
    const char *content_type;    /* NULL: no body. This and the next three are static strings */
    const char *cache_control;   /* NULL: none */
    const char *allow;           /* NULL: none */
    const char *policy;          /* Content-Security-Policy; NULL: none */
    unsigned retry_after_s;      /* 0: none */
    bool has_as_of;              /* the body is about the view */
    char as_of[CLOCK_TEXT_SIZE]; /* "": unknown */
    int64_t as_of_ms;            /* the same by the service clock */
    bool preflight;              /* answers OPTIONS */
    char etag[ANSWER_ETAG_SIZE]; /* with its quotes; "": none */

    pthread_mutex_t gzip_lock; /* a leaf */
    struct body *gzip;         /* NULL: not requested yet */

    /* Of the HTTP side: finished responses live as long as the answer. */
    pthread_mutex_t attached_lock; /* a leaf */
    void *attached[ANSWER_ATTACHED];
    void (*free_attached)(void *attached); /* also of NULL */
};

/* Owns `data` (malloc'ed, `length` bytes) from now on. No cache may keep the answer unless the caller sets
 * its `cache_control`. */
struct answer *answer_new(unsigned status, const char *content_type, char *data, size_t length);

/* Compact; members in the order in which they were set. Takes the reference to `json`. */
struct answer *answer_json(unsigned status, json_t *json);

/* Sets up to when the view that was read is complete: by the service clock, and as clients get it.
 * FRESHNESS_UNKNOWN: null. */
void answer_set_as_of(struct answer *answer, int64_t as_of_ms, int64_t reported_ms);

/* Sets a weak ETag: a hash of the body without the value of any "asOf" and "rankAsOf", so that a board that
 * did not change keeps its ETag. The same in every process. Once, before the answer is shared. */
void answer_set_etag(struct answer *answer);

/* The body as gzip: compressed for the first caller (some 0.3 ms; other callers wait), then shared. Borrowed
 * from the answer. Thread-safe. */
struct body *answer_gzip(struct answer *answer);

struct answer *answer_ref(struct answer *answer);
void answer_unref(struct answer *answer); /* NULL is fine */
struct answer *answer_of(struct cache_value *value);

/* JSON values: RFC 3339 or null (FRESHNESS_UNKNOWN); the string, or U+FFFD if it is not UTF-8. */
json_t *answer_time(int64_t real_ms);
json_t *answer_text(const char *text);

#endif
