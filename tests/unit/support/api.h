/* For the tests of api/: an api over a scripted store, and a request that waits for its answer. */
#ifndef TESTS_UNIT_SUPPORT_API_H
#define TESTS_UNIT_SUPPORT_API_H

/* cmocka.h needs these headers before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/seal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/scripted_store.h"

struct fixture {
    struct service_clock *clock; /* its own; NULL: support_clock */
    struct scripted_store *store;
    struct freshness *freshness;
    struct health *health;
    struct api *api;
};

static inline struct api_options support_options(void) {
    return (struct api_options){
        .index_allowance_ms = 1000,
        .cache = {.max_bytes = 8 << 20, .ttl_ms = 60000, .stale_ms = 60000, .stale_if_error_ms = 300000},
    };
}

/* Nothing is kept: each answer reads the store. */
static inline struct api_options support_options_without_cache(void) {
    struct api_options options = support_options();
    options.cache.ttl_ms = options.cache.stale_ms = options.cache.stale_if_error_ms = 0;
    return options;
}

/* Sets the as-of time of the view. If it was unknown, it also gets one for an hour ago: a second less. */
static inline void support_set_as_of(struct fixture *f, int64_t as_of_ms) {
    struct freshness_shard shard = {"shardId-000000000000", as_of_ms - 1000};
    freshness_set_shards(f->freshness, &shard, 1, clock_boot_ms() - 3600000);
    freshness_advance(f->freshness, shard.shard_id, as_of_ms, clock_boot_ms());
}

static inline void support_init_on(struct fixture *f, const struct api_options *options, bool index_late,
                                   struct service_clock *clock) {
    f->clock = clock;
    f->store = scripted_store_new(index_late);
    f->freshness = freshness_new(clock ? clock : support_clock());
    f->health = health_new();
    health_set_phase(f->health, HEALTH_SERVING);
    f->api = api_new(options, f->freshness, f->health);
}

/* An api without a view; support_attach adds it. */
static inline void support_init_without_view(struct fixture *f, const struct api_options *options,
                                             bool index_late) {
    support_init_on(f, options, index_late, NULL);
}

/* From now on the fixture's clock says that it is this time, to a second or two. It only goes forward. */
static inline void support_set_time(struct fixture *f, const char *text) {
    const struct clock_reading now = clock_read();
    int64_t time_ms;
    assert_true(clock_parse(text, strlen(text), &time_ms));
    service_clock_teach(f->clock, time_ms, &now, &now);
}

static const uint8_t support_key[STORE_IDENTITY_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static inline void support_attach(struct fixture *f) {
    struct error e;
    assert_int_equal(api_attach(f->api, scripted_store_as_store(f->store), support_key, &e), STATUS_OK);
}

/* An api whose service says that it is `time` (RFC 3339), over a view of this shape, complete since then. */
static inline void support_init_at(struct fixture *f, const struct api_options *options, const char *time,
                                   const struct view_shape *shape) {
    int64_t time_ms;
    support_init_on(f, options, false, service_clock_new(true));
    support_set_time(f, time);
    scripted_store_set_shape(f->store, shape);
    support_attach(f);
    assert_true(clock_parse(time, strlen(time), &time_ms));
    support_set_as_of(f, time_ms);
}

static inline void support_init(struct fixture *f, const struct api_options *options, bool index_late) {
    support_init_without_view(f, options, index_late);
    support_attach(f);
}

static inline void support_deinit(struct fixture *f) {
    scripted_store_release(f->store);
    api_free(f->api);
    health_free(f->health);
    freshness_free(f->freshness);
    service_clock_free(f->clock);
    scripted_store_free(f->store);
}

/* A call, and what a test needs to wait for it. */
struct waiting_call {
    struct api_call call; /* first */
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    char target[LIMIT_URI_BYTES];
};

static inline void support_on_done(struct api_call *call) {
    struct waiting_call *w = (struct waiting_call *)call;
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

/* Copies a target, with the sealed id in the place of a "{userId}". */
static inline void support_seal_target(const char *target, char out[LIMIT_URI_BYTES]) {
    const char *from = strchr(target, '{'), *to = strchr(target, '}');
    struct error e;
    if (!from || !to) {
        snprintf(out, LIMIT_URI_BYTES, "%s", target);
        return;
    }
    struct sealer *sealer = seal_new(support_key, &e);
    char *id = seal_make(sealer, SEAL_ID, from + 1, (size_t)(to - from) - 1);
    snprintf(out, LIMIT_URI_BYTES, "%.*s%s%s", (int)(from - target), target, id, to + 1);
    free(id);
    seal_free(sealer);
}

static inline void support_begin(struct fixture *f, struct waiting_call *w, const char *method,
                                 const char *target) {
    memset(w, 0, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->done, NULL);
    w->call.method = method;
    support_seal_target(target, w->target);
    w->call.target = w->target;
    w->call.target_length = strlen(w->target);
    w->call.done = support_on_done;
    if (api_handle(f->api, &w->call, clock_boot_ms()))
        support_on_done(&w->call);
}

static inline void support_finish(struct waiting_call *w) {
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
}

/* An answer: its body as JSON (NULL if it is not JSON), and more. */
struct got {
    unsigned status;
    json_t *json;
    char as_of[CLOCK_TEXT_SIZE];
    enum cache_state state;
};

static inline struct got support_get(struct fixture *f, const char *target) {
    struct waiting_call w;
    support_begin(f, &w, "GET", target);
    support_finish(&w);
    const struct answer *answer = w.call.answer;
    struct got got = {.status = answer->status, .state = w.call.state};
    got.json = json_loadb(answer->body->data, answer->body->length, 0, NULL);
    memcpy(got.as_of, answer->as_of, sizeof got.as_of);
    answer_unref(w.call.answer);
    return got;
}

static inline void support_assert_json(json_t *got, const char *expected) {
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (!json_equal(got, wanted)) {
        char *text = json_dumps(got, JSON_ENCODE_ANY);
        print_error("got      %s\nexpected %s\n", text, expected);
        free(text);
        fail();
    }
    json_decref(wanted);
}

/* The body of a 200. */
static inline json_t *support_get_json(struct fixture *f, const char *target) {
    struct got got = support_get(f, target);
    if (got.status != 200)
        fail_msg("%s: %u", target, got.status);
    assert_non_null(got.json);
    return got.json;
}

static inline void support_assert_problem(struct fixture *f, const char *target, unsigned status,
                                          const char *code) {
    struct got got = support_get(f, target);
    const char *found = json_string_value(json_object_get(got.json, "code"));
    if (got.status != status || !found || strcmp(found, code) != 0)
        fail_msg("%s: %u %s", target, got.status, found ? found : "no problem");
    json_decref(got.json);
}

/* Sets a row on the board with this text (views/board.h). */
static inline void support_set_row(struct fixture *f, const char *board_text, const char *user_id,
                                   int64_t score) {
    struct board board;
    assert_true(board_parse(board_text, &board));
    scripted_store_set_board_score(f->store, &board, user_id, score);
}

#endif
