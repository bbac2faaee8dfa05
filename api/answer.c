#include "api/answer.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
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

static struct body *body_new(char *data, size_t length) {
    struct body *body = mem_alloc(sizeof *body);
    atomic_init(&body->references, 1);
    body->data = data;
    body->length = length;
    return body;
}

static void answer_free(struct cache_value *value) {
    struct answer *answer = answer_of(value);
    if (answer->free_attached)
        answer->free_attached(answer->attached);
    pthread_mutex_destroy(&answer->attached_lock);
    body_unref(answer->body);
    free(answer);
}

struct answer *answer_new(unsigned status, const char *content_type, char *data, size_t length) {
    struct answer *answer = mem_zalloc(sizeof *answer);
    cache_value_init(&answer->kept, answer_free);
    answer->kept.bytes = sizeof *answer + sizeof(struct body) + length;
    pthread_mutex_init(&answer->attached_lock, NULL);
    answer->status = status;
    answer->content_type = content_type;
    answer->body = body_new(data, length);
    return answer;
}

struct answer *answer_json(unsigned status, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (!text) /* what we build is valid: only memory can be short */
        mem_exhausted();
    json_decref(json);
    return answer_new(status, ANSWER_JSON, text, strlen(text));
}

void answer_set_as_of(struct answer *answer, int64_t as_of_ms) {
    answer->has_as_of = true;
    if (as_of_ms != FRESHNESS_UNKNOWN)
        clock_format(as_of_ms, answer->as_of);
}

struct answer *answer_of(struct cache_value *value) {
    return (struct answer *)value;
}

struct answer *answer_ref(struct answer *answer) {
    return answer_of(cache_value_ref(&answer->kept));
}

void answer_unref(struct answer *answer) {
    cache_value_unref(answer ? &answer->kept : NULL);
}

json_t *answer_time(int64_t real_ms) {
    char text[CLOCK_TEXT_SIZE];
    return real_ms == FRESHNESS_UNKNOWN ? json_null() : json_string(clock_format(real_ms, text));
}

json_t *answer_text(const char *text) {
    json_t *json = json_string(text);
    return json ? json : json_string("\xef\xbf\xbd");
}
