#include "api/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/people.h"
#include "api/resources.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define MAX_LAG "maxLag"

/* ---- what handlers share ------------------------------------------------------------------------------ */

int64_t api_as_of(const struct api *api, bool from_index) {
    if (!from_index || !store_is_index_late(api->store))
        return freshness_as_of(api->freshness);
    return freshness_as_of_at(api->freshness, clock_boot_ms() - api->options.index_allowance_ms);
}

bool api_is_caught_up(const struct api *api, int64_t as_of_ms) {
    return as_of_ms != FRESHNESS_UNKNOWN && clock_real_ms() - as_of_ms <= api->options.caught_up_ms;
}

struct answer *api_missing(const struct api *api, int64_t as_of_ms, const char *what) {
    struct problem p;
    bool caught_up = api_is_caught_up(api, as_of_ms);
    if (caught_up)
        problem_set(&p, PROBLEM_NOT_FOUND, "there is no such %s", what);
    else
        problem_set(&p, PROBLEM_VIEW_NOT_READY, "no such %s yet; the view still catches up with its stream",
                    what);
    struct answer *answer = problem_answer(&p);
    answer_set_as_of(answer, as_of_ms);
    answer->kept.keep = caught_up;
    answer->kept.negative = true;
    return answer;
}

struct answer *api_view_answer(const struct api *api, json_t *json, int64_t as_of_ms) {
    struct answer *answer = answer_json(200, json);
    answer_set_as_of(answer, as_of_ms);
    answer->cache_control = api->cache_control;
    answer_set_etag(answer);
    answer->kept.keep = true;
    return answer;
}

char *api_shown_user_id(const struct api *api, const char *user_id) {
    return api->options.full_identities ? mem_strdup(user_id) : people_masked(user_id);
}

void api_set_person(const struct api *api, json_t *object, const char *user_id) {
    _cleanup_(mem_freep) char *id = seal_make(api->sealer, SEAL_ID, user_id, strlen(user_id));
    _cleanup_(mem_freep) char *shown = api_shown_user_id(api, user_id);
    _cleanup_(mem_freep) char *name = people_name(user_id);
    json_object_set_new(object, "id", json_string(id));
    json_object_set_new(object, "userId", answer_text(shown));
    json_object_set_new(object, "name", answer_text(name));
}

char *api_user_id(const struct api *api, const char *id, struct problem *p) {
    char *user_id = seal_open(api->sealer, SEAL_ID, id, NULL);
    if (user_id)
        return user_id;
    if (strlen(id) <= LIMIT_KEY_BYTES)
        return mem_strdup(id);
    problem_set_parameter(p, "id", id, "an id, or a userId of at most 2048 bytes");
    return NULL;
}

/* ---- loading ------------------------------------------------------------------------------------------ */

/* Said once when the store begins to fail and once when it no longer does, not with every request. */
static void note_outcome(struct api *api, enum status status, const struct error *e) {
    if (status != STATUS_OK) {
        if (health_raise(api->health, "reads", e->message))
            log_warn("cannot read the view: %s", e->message);
        atomic_store(&api->reads_fail, true); /* after it: whoever sees this clears what was raised */
    } else if (atomic_load(&api->reads_fail)) {
        atomic_store(&api->reads_fail, false);
        if (health_clear(api->health, "reads"))
            log_info("the view can be read again");
    }
}

static enum status load(void *context, const char *key, size_t key_length, int64_t deadline_ms,
                        struct cache_value **value, struct error *e) {
    struct api *api = context;
    struct answer *answer = NULL;
    const struct route *route = route_named(key_part(key, key_length, 0));
    enum status status = route->load(api, key, key_length, deadline_ms, &answer, e);
    note_outcome(api, status, e);
    if (status == STATUS_OK)
        *value = &answer->kept;
    return status;
}

static struct answer *failure(enum status status) {
    struct problem p;
    problem_from_status(&p, status);
    return problem_answer(&p);
}

/* ---- how old an answer may be ------------------------------------------------------------------------- */

/* What is not known is older than anything. What went wrong anyway is not judged. */
static bool is_too_stale(const struct api_call *call, const struct answer *answer) {
    return call->max_lag_ms && answer->has_as_of && answer->status < 500 &&
           (answer->as_of_ms == FRESHNESS_UNKNOWN || clock_real_ms() - answer->as_of_ms > call->max_lag_ms);
}

static struct answer *too_stale(const struct api_call *call, const struct answer *answer) {
    struct problem p;
    if (answer->as_of_ms == FRESHNESS_UNKNOWN)
        problem_set(&p, PROBLEM_TOO_STALE,
                    "up to when the view is true is not known yet; maxLag allows %" PRId64 " ms",
                    call->max_lag_ms);
    else
        problem_set(&p, PROBLEM_TOO_STALE, "the answer is %" PRId64 " ms old; maxLag allows %" PRId64 " ms",
                    clock_real_ms() - answer->as_of_ms, call->max_lag_ms);
    struct answer *instead = problem_answer(&p);
    answer_set_as_of(instead, answer->as_of_ms);
    return instead;
}

static void judge(struct api_call *call) {
    struct answer *answer = call->answer;
    if (!is_too_stale(call, answer))
        return;
    call->answer = too_stale(call, answer);
    call->cached = false;
    answer_unref(answer);
}

/* ---- from the cache ----------------------------------------------------------------------------------- */

static void fill(struct api_call *call, const struct cache_result *result) {
    call->cached = result->value;
    call->answer = result->value ? answer_of(result->value) : failure(result->error->status);
    call->state = result->state;
    call->age_ms = result->age_ms;
    judge(call);
}

static void ready(struct cache_waiter *waiter, const struct cache_result *result) {
    struct api_call *call = (struct api_call *)((char *)waiter - offsetof(struct api_call, waiter));
    fill(call, result);
    call->done(call);
}

/* ---- dispatch ----------------------------------------------------------------------------------------- */

static bool answer_with_problem(struct api_call *call, const struct problem *p) {
    call->answer = problem_answer(p);
    return true;
}

/* A stale value may be too old for this request; the one that is being read in its place need not be. */
static enum cache_lookup look_up(struct api_call *call, const struct key *key, int64_t now_ms,
                                 struct cache_result *result) {
    struct cache *cache = call->api->cache;
    enum cache_lookup outcome = cache_lookup(cache, key->bytes, key->length, now_ms, &call->waiter, result);
    if (outcome != CACHE_HIT || result->state != CACHE_STALE || !is_too_stale(call, answer_of(result->value)))
        return outcome;
    cache_value_unref(result->value);
    return cache_lookup_fresh(cache, key->bytes, key->length, now_ms, &call->waiter, result);
}

static bool read_max_lag(struct api_call *call, const struct request *request, struct problem *p) {
    unsigned max_lag_ms;
    if (!request_count(request, MAX_LAG, 0, LIMIT_MAX_LAG_MS, &max_lag_ms, p))
        return false;
    call->max_lag_ms = max_lag_ms;
    return true;
}

static bool handle_loaded(struct api_call *call, const struct request *request, int64_t now_ms) {
    struct api *api = call->api;
    struct key key;
    struct problem p;
    struct cache_result result;
    if (!read_max_lag(call, request, &p) || !call->route->prepare(api, request, &key, &p))
        return answer_with_problem(call, &p);
    call->waiter.ready = ready;
    switch (look_up(call, &key, now_ms, &result)) {
    case CACHE_HIT:
        fill(call, &result);
        return true;
    case CACHE_WAIT:
        return false;
    case CACHE_OVERLOADED:
        break;
    }
    problem_set(&p, PROBLEM_OVERLOADED, "too many reads are waiting for the store; try again");
    return answer_with_problem(call, &p);
}

/* Until the store was reached once. */
static bool handle_without_view(struct api_call *call) {
    struct problem p;
    problem_set(&p, PROBLEM_VIEW_NOT_READY, "the store of the view has not been reached yet");
    return answer_with_problem(call, &p);
}

static bool is_options(const struct api_call *call) {
    return strcmp(call->method, "OPTIONS") == 0;
}

static bool answer_options(struct api_call *call) {
    call->answer = answer_new(204, NULL, NULL, 0);
    call->answer->preflight = true;
    call->answer->allow = ROUTE_ALLOW;
    return true;
}

static bool handle_method(struct api_call *call) {
    struct problem p;
    if (is_options(call))
        return answer_options(call);
    problem_set(&p, PROBLEM_METHOD_NOT_ALLOWED, "only %s are allowed here", ROUTE_ALLOW);
    p.allow = ROUTE_ALLOW;
    return answer_with_problem(call, &p);
}

/* Every answer from the view may be asked to be no older than so much. */
static bool allows(const struct route *route, const struct request *request, struct problem *p) {
    const char *names[ROUTE_PARAMETERS + 2] = {0};
    size_t n = 0;
    while (n < ROUTE_PARAMETERS && route->parameters[n]) {
        names[n] = route->parameters[n];
        n++;
    }
    if (route->kind == ROUTE_LOADED)
        names[n] = MAX_LAG;
    return request_allows(request, names, p);
}

static bool is_of_view(const struct route *route) {
    return route->kind == ROUTE_LOADED || route->kind == ROUTE_LIVE;
}

static bool is_served(const struct route *route, enum api_routes routes) {
    return route && (routes == API_ALL || route->operations == (routes == API_OPERATIONS));
}

bool api_handle(struct api *api, struct api_call *call, int64_t now_ms) {
    struct request request;
    struct problem p;
    call->api = api;
    call->route = NULL;
    call->cached = false;
    call->live = false;
    call->max_lag_ms = 0;
    if (is_options(call) && call->target_length == 1 && *call->target == '*')
        return answer_options(call); /* of the server as a whole (RFC 9110, section 9.3.7) */
    if (!request_parse(&request, call->target, call->target_length, &p))
        return answer_with_problem(call, &p);
    const struct route *route = route_find(&request);
    if (!is_served(route, call->routes)) {
        problem_set(&p, PROBLEM_NOT_FOUND,
                    "there is nothing at this path; /openapi.yaml lists what there is");
        return answer_with_problem(call, &p);
    }
    call->route = route;
    if (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0)
        return handle_method(call);
    if (!allows(route, &request, &p))
        return answer_with_problem(call, &p);
    if (is_of_view(route) && !atomic_load(&api->has_view))
        return handle_without_view(call);
    if (route->kind == ROUTE_LOADED)
        return handle_loaded(call, &request, now_ms);
    call->live = route->kind == ROUTE_LIVE;
    call->answer = route->answer(api);
    return true;
}

bool api_is_operations(const char *target, size_t length) {
    struct request request;
    struct problem p;
    const struct route *route = request_parse(&request, target, length, &p) ? route_find(&request) : NULL;
    return route && route->operations;
}

void api_rows_changed(struct api *api, const char *const product_ids[], size_t n_products,
                      const char *const user_ids[], size_t n_users) {
    struct key key;
    for (size_t i = 0; i < n_products; i++) {
        contributions_product_key(&key, product_ids[i]);
        cache_drop(api->cache, key.bytes, key.length);
    }
    for (size_t i = 0; i < n_users; i++) {
        scores_contributor_key(&key, user_ids[i]);
        cache_drop(api->cache, key.bytes, key.length);
        for (enum role role = 0; role < ROLES; role++) {
            scores_rank_key(&key, role, user_ids[i]);
            cache_drop(api->cache, key.bytes, key.length);
        }
    }
    cache_mark(api->cache);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static void set_cache_control(struct api *api) {
    int64_t seconds = api->options.cache.ttl_ms / 1000;
    if (seconds)
        snprintf(api->cache_control, sizeof api->cache_control, "public, max-age=%" PRId64, seconds);
    else
        snprintf(api->cache_control, sizeof api->cache_control, "no-cache");
}

struct api *api_new(const struct api_options *options, struct freshness *freshness, struct health *health) {
    struct api *api = mem_zalloc(sizeof *api);
    api->options = *options;
    api->freshness = freshness;
    api->health = health;
    freshness_keep_history(freshness, options->index_allowance_ms);
    set_cache_control(api);
    assets_load(api);
    api->cache = cache_new(&options->cache);
    return api;
}

enum status api_attach(struct api *api, struct store *store,
                       const uint8_t identity_key[STORE_IDENTITY_KEY_BYTES], struct error *e) {
    api->store = store;
    api->sealer = seal_new(identity_key, e);
    if (!api->sealer || cache_start(api->cache, load, api, e))
        return STATUS_FAILED; /* what was made is api_free's */
    atomic_store(&api->has_view, true);
    return STATUS_OK;
}

void api_free(struct api *api) {
    if (!api)
        return;
    cache_stop(api->cache);
    cache_free(api->cache);
    seal_free(api->sealer);
    assets_unload(api);
    free(api);
}
