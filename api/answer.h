/*
 * answer: what a handler says, before HTTP: a status, a body, and what headers follow from. Reference-counted
 * and immutable once it is given away, so that one answer serves many requests at once; it is what the cache
 * keeps.
 *
 * The body is a reference-counted object of its own, because whoever sends it may outlive the answer.
 *
 * An answer that has an ETag is a representation: whoever holds it already need not be sent it, and it can be
 * had compressed. What changes with every look (probes, metrics) and what went wrong has none.
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
#define ANSWER_ATTACHED_BYTES 1536 /* what one of them takes, about */

struct body {
    atomic_uint references;
    size_t length;
    char *data;
};

/* `data` (malloc'ed, `length` bytes) goes to the body, which is made with one reference. */
struct body *body_new(char *data, size_t length);
struct body *body_ref(struct body *body);
void body_unref(struct body *body);

struct answer {
    struct cache_value value; /* first: an answer is a cache value */
    unsigned status;          /* HTTP's */
    struct body *body;
    const char *content_type;    /* NULL: no body. Borrowed for ever, as the next three */
    const char *cache_control;   /* NULL: none */
    const char *allow;           /* NULL: none */
    const char *policy;          /* NULL: no page. Its Content-Security-Policy */
    unsigned retry_after_s;      /* 0: none */
    bool has_as_of;              /* it speaks of the view */
    char as_of[CLOCK_TEXT_SIZE]; /* "": not known */
    int64_t as_of_ms;            /* the same */
    bool preflight;              /* answers OPTIONS */
    char etag[ANSWER_ETAG_SIZE]; /* as the header has it; "": none */

    pthread_mutex_t gzip_lock; /* a leaf */
    struct body *gzip;         /* NULL: nobody has asked for it */

    /* The HTTP side's own, so that finished responses live as long as the answer. */
    pthread_mutex_t attached_lock; /* a leaf */
    void *attached[ANSWER_ATTACHED];
    void (*free_attached)(void *attached); /* also of NULL */
};

/* `data` (malloc'ed, `length` bytes) goes to the answer. */
struct answer *answer_new(unsigned status, const char *content_type, char *data, size_t length);

/* Compact, in the order in which members were set. Takes the reference to `json`. */
struct answer *answer_json(unsigned status, json_t *json);

/* Notes up to when the view was read (FRESHNESS_UNKNOWN: null). */
void answer_set_as_of(struct answer *answer, int64_t as_of_ms);

/* Gives it its ETag: weak, of the body without what any "asOf" in it says, so that a board on which nothing
 * moved keeps it; the same in every process. Once, before the answer is given away. */
void answer_set_etag(struct answer *answer);

/* The body as gzip: made for the first who asks (some 0.3 ms, others who ask meanwhile wait for it), then
 * shared. Borrowed from the answer. Thread-safe. */
struct body *answer_gzip(struct answer *answer);

struct answer *answer_ref(struct answer *answer);
void answer_unref(struct answer *answer); /* NULL is fine */
struct answer *answer_of(struct cache_value *value);

/* JSON values: RFC 3339 or null (FRESHNESS_UNKNOWN); a string, with U+FFFD for one that is not UTF-8. */
json_t *answer_time(int64_t real_ms);
json_t *answer_text(const char *text);

#endif
