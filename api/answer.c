#include "api/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/gzip.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/freshness.h"

struct body *body_ref(struct body *body) {
    atomic_fetch_add_explicit(&body->references, 1, memory_order_relaxed);
    return body;
}

void body_unref(struct body *body) {
    if (!body || atomic_fetch_sub_explicit(&body->references, 1, memory_order_acq_rel) != 1)
        return;
    free(body->data);
    free(body);
}

struct body *body_new(char *data, size_t length) {
    struct body *body = mem_alloc(sizeof *body);
    atomic_init(&body->references, 1);
    body->data = data;
    body->length = length;
    return body;
}

static void answer_free(struct cache_value *value) {
    struct answer *answer = answer_of(value);
    for (size_t i = 0; answer->free_attached && i < ANSWER_ATTACHED; i++)
        answer->free_attached(answer->attached[i]);
    pthread_mutex_destroy(&answer->attached_lock);
    pthread_mutex_destroy(&answer->gzip_lock);
    body_unref(answer->gzip);
    body_unref(answer->body);
    free(answer);
}

struct answer *answer_new(unsigned status, const char *content_type, char *data, size_t length) {
    struct answer *answer = mem_zalloc(sizeof *answer);
    cache_value_init(&answer->value, answer_free);
    answer->value.bytes = sizeof *answer + sizeof(struct body) + length;
    pthread_mutex_init(&answer->gzip_lock, NULL);
    pthread_mutex_init(&answer->attached_lock, NULL);
    answer->status = status;
    answer->content_type = content_type;
    answer->cache_control = ANSWER_NO_STORE;
    answer->body = body_new(data, length);
    return answer;
}

/* Of a number that is not whole; with 17, 33.33 would read 33.329999999999998. */
enum { REAL_DIGITS = 15 };

struct answer *answer_json(unsigned status, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) : NULL;
    if (!text) /* the JSON is valid: only memory can be short */
        mem_exhausted();
    json_decref(json);
    return answer_new(status, ANSWER_JSON, text, strlen(text));
}

void answer_set_as_of(struct answer *answer, int64_t as_of_ms, int64_t reported_ms) {
    answer->has_as_of = true;
    answer->as_of_ms = as_of_ms;
    if (reported_ms != FRESHNESS_UNKNOWN)
        clock_format(reported_ms, answer->as_of);
}

/* Whether the name that ends before `end` is "asOf" or "rankAsOf". */
static bool is_as_of(const char *text, const char *end) {
    static const char *const names[] = {"\"asOf\":", "\"rankAsOf\":"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if ((size_t)(end - text) >= length && memcmp(end - length, names[i], length) == 0)
            return true;
    }
    return false;
}

/* Copies the text without the value of any "asOf" and "rankAsOf"; returns the length. The text is compact
 * JSON of this program. Inside a string the quotes of the name would be escaped, so the name cannot be found
 * there. The value is null or a time; neither has a comma or a brace. */
static size_t copy_without_as_of(char *out, const char *text, size_t length) {
    static const char ending[] = "sOf\":";
    const char *start = text, *end = text + length, *found;
    char *to = out;
    while ((found = memmem(text, (size_t)(end - text), ending, sizeof ending - 1))) {
        found += sizeof ending - 1;
        to = mempcpy(to, text, (size_t)(found - text));
        text = found;
        while (is_as_of(start, found) && text < end && *text != ',' && *text != '}')
            text++;
    }
    to = mempcpy(to, text, (size_t)(end - text));
    return (size_t)(to - out);
}

/* 128 bits of SHA-256: a client that holds one body must not keep it when another has the same ETag. */
void answer_set_etag(struct answer *answer) {
    enum { ETAG_BYTES = 16 };
    const struct body *body = answer->body;
    uint8_t digest[DIGEST_BYTES];
    if (strcmp(answer->content_type, ANSWER_JSON) == 0) {
        _cleanup_(mem_freep) char *content = mem_alloc(body->length);
        digest_sha256(content, copy_without_as_of(content, body->data, body->length), digest);
    } else {
        digest_sha256(body->data, body->length, digest);
    }
    _cleanup_(mem_freep) char *text = base64_url_encode(digest, ETAG_BYTES);
    snprintf(answer->etag, sizeof answer->etag, "W/\"%s\"", text);
    if (body->length > LIMIT_PLAIN_BYTES)
        answer->value.bytes += body->length / 2;                            /* what gzip may add later */
    answer->value.bytes += (size_t)ANSWER_ATTACHED * ANSWER_ATTACHED_BYTES; /* and finished responses */
}

struct body *answer_gzip(struct answer *answer) {
    pthread_mutex_lock(&answer->gzip_lock);
    if (!answer->gzip) {
        size_t length;
        char *data = gzip_compress(answer->body->data, answer->body->length, &length);
        answer->gzip = body_new(data, length);
    }
    struct body *gzip = answer->gzip;
    pthread_mutex_unlock(&answer->gzip_lock);
    return gzip;
}

struct answer *answer_of(struct cache_value *value) {
    return (struct answer *)value;
}

struct answer *answer_ref(struct answer *answer) {
    return answer_of(cache_value_ref(&answer->value));
}

void answer_unref(struct answer *answer) {
    cache_value_unref(answer ? &answer->value : NULL);
}

json_t *answer_time(int64_t real_ms) {
    char text[CLOCK_TEXT_SIZE];
    return real_ms == FRESHNESS_UNKNOWN ? json_null() : json_string(clock_format(real_ms, text));
}

json_t *answer_text(const char *text) {
    json_t *json = json_string(text);
    return json ? json : json_string("\xef\xbf\xbd");
}
