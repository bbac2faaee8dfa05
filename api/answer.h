/*
 * answer: what a handler says, before HTTP: a status, a body, and what headers follow from. Reference-counted
 * and immutable once it is given away, so that one answer serves many requests at once; it is what the cache
 * keeps.
 *
 * The body is a reference-counted object of its own, because whoever sends it may outlive the answer.
 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/clock.h"
#include "views/cache.h"

#define ANSWER_JSON "application/json"
#define ANSWER_PROBLEM "application/problem+json"
#define ANSWER_NO_STORE "no-store"

struct body {
    atomic_uint references;
    size_t length;
    char *data;
};

struct body *body_ref(struct body *body);
void body_unref(struct body *body);

struct answer {
    struct cache_value kept; /* first: an answer is a cache value */
    unsigned status;         /* HTTP's */
    struct body *body;
    const char *content_type;    /* NULL: no body. Borrowed for ever, as the next two */
    const char *cache_control;   /* NULL: none */
    const char *allow;           /* NULL: none */
    unsigned retry_after_s;      /* 0: none */
    bool has_as_of;              /* it speaks of the view */
    char as_of[CLOCK_TEXT_SIZE]; /* "": not known */
    bool preflight;              /* answers OPTIONS */

    /* The HTTP side's own, so that a finished response lives as long as the answer. */
    pthread_mutex_t attached_lock; /* a leaf */
    void *attached;
    void (*free_attached)(void *attached);
};

/* `data` (malloc'ed, `length` bytes) goes to the answer. */
struct answer *answer_new(unsigned status, const char *content_type, char *data, size_t length);

/* Compact, in the order in which members were set. Takes the reference to `json`. */
struct answer *answer_json(unsigned status, json_t *json);

/* Notes up to when the view was read (FRESHNESS_UNKNOWN: null). */
void answer_set_as_of(struct answer *answer, int64_t as_of_ms);

struct answer *answer_ref(struct answer *answer);
void answer_unref(struct answer *answer); /* NULL is fine */
struct answer *answer_of(struct cache_value *value);

/* JSON values: RFC 3339 or null (FRESHNESS_UNKNOWN); a string, with U+FFFD for one that is not UTF-8. */
json_t *answer_time(int64_t real_ms);
json_t *answer_text(const char *text);

#endif
