#include "api/api.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/assets.h"
#include "api/cache_key.h"
#include "api/handlers.h"
#include "api/news.h"
#include "api/period_parameter.h"
#include "api/problem.h"
#include "api/role_words.h"
#include "api/view.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

struct api {
    struct view view;
    atomic_bool has_view; /* the view has its store, and the cache loads; never reset */
    struct cache *cache;
    struct sale_feed *sales;
    struct answer *assets[ASSETS];
    atomic_bool reads_fail;         /* the last read from the store failed */
    _Atomic int64_t index_noted_ms; /* when a missing index was logged last; 0: never */
};

/* Loads. */

static bool is_missing_index(enum status status, const struct error *e) {
    return status != STATUS_OK && strcmp(e->code, STORE_ERROR_NO_INDEX) == 0;
}

/* An operator must add it: other reads go on, so it is no trouble of the store. */
static void note_missing_index(struct api *api, const struct error *e) {
    int64_t now_ms = clock_boot_ms(), last_ms = atomic_load(&api->index_noted_ms);
    if ((!last_ms || now_ms - last_ms >= LIMIT_MISSING_INDEX_LOG_MS) &&
        atomic_compare_exchange_strong(&api->index_noted_ms, &last_ms, now_ms))
        log_warn("cannot answer some requests: %s", e->message);
}

/* Logs when the store begins to fail and when it works again, not with every request. */
static void note_outcome(struct api *api, enum status status, const struct error *e) {
    if (is_missing_index(status, e)) {
        note_missing_index(api, e);
    } else if (status != STATUS_OK) {
        if (health_raise_about(api->view.health, "reads", e->message, e->message, e->user_id, clock_real_ms(),
                               clock_boot_ms()))
            log_write(LOG_LEVEL_WARN, LOG_FIELDS(e->user_id[0] ? "userId" : NULL, e->user_id),
                      "cannot read the view: %s", e->message);
        atomic_store(&api->reads_fail, true); /* last: a thread that sees it clears what was raised */
    } else if (atomic_load(&api->reads_fail)) {
        atomic_store(&api->reads_fail, false);
        if (health_clear(api->view.health, "reads"))
            log_info("the view can be read again");
    }
}

static enum status read_answer(const struct view *view, const struct route *route, struct route_load *load,
                               struct answer **answer, struct error *e) {
    json_t *json = NULL;
    int64_t row_as_of_ms = view_as_of(view, false);
    load->as_of_ms = route->from_index ? view_as_of(view, true) : row_as_of_ms;
    load->row_as_of_ms = row_as_of_ms;
    int64_t as_of_ms = load->as_of_ms;
    load->answer_as_of_ms = &as_of_ms;
    bool is_lacking = false;
    load->is_lacking = &is_lacking;
    load->now_ms = view_now(view);
    enum status status = route->load(load, &json, e);
    if (status == STATUS_NOT_FOUND && route->missing) {
        *answer = view_missing(view, route->missing, row_as_of_ms); /* rows are missing, not their index */
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        *answer = view_answer(view, json, as_of_ms);
        (*answer)->value.negative = is_lacking;
        /* A client that reads all pages does not return to each of them. */
        (*answer)->value.refreshable = route->is_refreshable && route->is_refreshable(load);
    }
    return status;
}

static enum status load(void *context, const char *key, size_t key_length, int64_t deadline_ms,
                        struct cache_value **value, struct error *e) {
    struct api *api = context;
    struct answer *answer = NULL;
    struct route_load load = {.view = &api->view, .cache = api->cache, .deadline_ms = deadline_ms};
    cache_key_split(key, key_length, load.parts);
    enum status status = read_answer(&api->view, route_named(load.parts[0]), &load, &answer, e);
    note_outcome(api, status, e);
    if (status == STATUS_OK)
        *value = &answer->value;
    return status;
}

/* How old an answer may be. */

/* An unknown time is older than any limit. Errors are passed on whatever their age. */
static bool is_too_stale(const struct api_call *call, const struct answer *answer) {
    return call->max_lag_ms && answer->has_as_of && answer->status < 500 &&
           view_age_ms(&call->api->view, answer->as_of_ms) > call->max_lag_ms;
}

static struct answer *too_stale(const struct api_call *call, const struct answer *answer) {
    struct problem p;
    int64_t age_ms = view_age_ms(&call->api->view, answer->as_of_ms);
    if (age_ms == INT64_MAX)
        problem_set(&p, PROBLEM_TOO_STALE, "the age of the view is not known yet; maxLag allows %u ms",
                    call->max_lag_ms);
    else
        problem_set(&p, PROBLEM_TOO_STALE, "the answer is %" PRId64 " ms old; maxLag allows %u ms", age_ms,
                    call->max_lag_ms);
    struct answer *instead = problem_answer(&p);
    view_set_as_of(&call->api->view, instead, answer->as_of_ms);
    return instead;
}

/* Requests for the view. */

static bool refuse(struct api_call *call, const struct problem *p) {
    call->answer = problem_answer(p);
    return true;
}

/* Takes over the reference; false if it is replaced, because the client wants nothing that old. */
static bool set_answer(struct api_call *call, struct answer *answer) {
    bool fresh = !is_too_stale(call, answer);
    call->answer = fresh ? answer : too_stale(call, answer);
    if (!fresh)
        answer_unref(answer);
    return fresh;
}

/* Without a load: guesses cost nothing, and all get the same answer. */
static bool answer_missing(struct api_call *call) {
    const struct view *view = &call->api->view;
    set_answer(call, view_missing(view, call->route->missing, view_as_of(view, false)));
    return true;
}

static void answer_from_cache(struct api_call *call, const struct cache_result *result) {
    struct problem p;
    call->state = result->state;
    call->age_ms = result->age_ms;
    if (!result->value) { /* the error names tables and accounts: it is for the log, not for clients */
        problem_set(&p, PROBLEM_STORE_UNAVAILABLE,
                    is_missing_index(STATUS_FAILED, result->error)
                        ? "the store has no index for this request, or is still filling it"
                        : "the store did not answer or refused; try again");
        refuse(call, &p);
        return;
    }
    call->cached = set_answer(call, answer_of(result->value));
}

static void on_loaded(struct cache_waiter *waiter, const struct cache_result *result) {
    struct api_call *call = (struct api_call *)((char *)waiter - offsetof(struct api_call, waiter));
    answer_from_cache(call, result);
    call->done(call);
}

/* A stale value may be too old for this request; the value that the refresh reads may not be. */
static enum cache_lookup look_up(struct api_call *call, const struct cache_key *key, int64_t now_ms,
                                 struct cache_result *result) {
    struct cache *cache = call->api->cache;
    enum cache_lookup outcome = cache_lookup(cache, key->bytes, key->length, now_ms, &call->waiter, result);
    if (outcome != CACHE_HIT || result->state != CACHE_STALE || !is_too_stale(call, answer_of(result->value)))
        return outcome;
    cache_value_unref(result->value);
    return cache_lookup_fresh(cache, key->bytes, key->length, now_ms, &call->waiter, result);
}

static bool handle_loaded(struct api_call *call, const struct request *request, int64_t now_ms) {
    struct cache_key key;
    struct problem p;
    struct cache_result result;
    if (!request_count(request, ROUTE_MAX_LAG, 0, LIMIT_MAX_LAG_MS, &call->max_lag_ms, &p) ||
        !call->route->prepare(&call->api->view, request, &key, &p))
        return refuse(call, &p);
    if (cache_key_is_clear(&key))
        return answer_missing(call);
    call->waiter.ready = on_loaded;
    switch (look_up(call, &key, now_ms, &result)) {
    case CACHE_HIT:
        answer_from_cache(call, &result);
        return true;
    case CACHE_WAIT:
        return false;
    case CACHE_OVERLOADED:
        break;
    }
    problem_set(&p, PROBLEM_OVERLOADED, "too many reads of the store are waiting; try again");
    return refuse(call, &p);
}

/* Dispatch. */

static bool is_options(const struct api_call *call) {
    return strcmp(call->method, "OPTIONS") == 0;
}

static bool answer_options(struct api_call *call) {
    call->answer = answer_new(204, NULL, NULL, 0);
    call->answer->preflight = true;
    call->answer->cache_control = NULL;
    call->answer->allow = ROUTE_ALLOW;
    return true;
}

static bool handle_other_method(struct api_call *call) {
    struct problem p;
    if (is_options(call))
        return answer_options(call);
    problem_set(&p, PROBLEM_METHOD_NOT_ALLOWED, "this path allows only %s", ROUTE_ALLOW);
    p.allow = ROUTE_ALLOW;
    return refuse(call, &p);
}

static bool is_served(const struct route *route, enum api_routes routes) {
    return route && (routes == API_ALL || route->operations == (routes == API_OPERATIONS));
}

static bool handle_live(struct api_call *call, const struct request *request) {
    const char *changes = request_parameter(request, "changes");
    struct problem p;
    if (changes && strcmp(changes, "1") != 0) {
        problem_set_parameter(&p, "changes", changes, "1");
        return refuse(call, &p);
    }
    if (!period_read_under_way(&call->api->view, request, &call->live_kind, &p))
        return refuse(call, &p);
    call->live = true;
    call->live_changes = changes;
    call->answer = answer_new(200, "text/event-stream", NULL, 0);
    return true;
}

static bool handle_get(struct api_call *call, const struct request *request, int64_t now_ms) {
    const struct route *route = call->route;
    struct problem p;
    if (!request_allows(request, route->parameters, &p))
        return refuse(call, &p);
    if ((route->kind == ROUTE_LOADED || route->kind == ROUTE_LIVE) && !atomic_load(&call->api->has_view)) {
        problem_set(&p, PROBLEM_VIEW_NOT_READY, "the store of the view has not been reached yet");
        return refuse(call, &p);
    }
    if (route->kind == ROUTE_LOADED)
        return handle_loaded(call, request, now_ms);
    if (route->kind == ROUTE_LIVE)
        return handle_live(call, request);
    call->answer = route->kind == ROUTE_ASSET ? answer_ref(call->api->assets[route->asset])
                                              : route->answer(&call->api->view);
    return true;
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
        return refuse(call, &p);
    const struct route *route = route_find(&request);
    if (!is_served(route, call->routes)) {
        problem_set(&p, PROBLEM_NOT_FOUND, "this path does not exist; /openapi.yaml lists all paths");
        return refuse(call, &p);
    }
    call->route = route;
    if (strcmp(call->method, "GET") != 0 && strcmp(call->method, "HEAD") != 0)
        return handle_other_method(call);
    return handle_get(call, &request, now_ms);
}

bool api_is_operations(const char *target, size_t length) {
    struct request request;
    struct problem p;
    const struct route *route = request_parse(&request, target, length, &p) ? route_find(&request) : NULL;
    return route && route->operations;
}

/* What changed. */

static void drop_row(struct api *api, const char *template, const char *first, const char *second) {
    struct cache_key key;
    cache_key_make(&key, template, first, second);
    cache_drop(api->cache, key.bytes, key.length);
}

/* The boards whose rows a write changes as a rule: of all time, and of the periods under way. */
struct current {
    char boards[PERIOD_KINDS][BOARD_TEXT_SIZE];
    size_t n;
};

static void find_current(const struct api *api, enum role role, int64_t now_ms, struct current *current) {
    current->n = 0;
    for (enum period_kind kind = PERIOD_ALL_TIME; kind < PERIOD_KINDS; kind++) {
        const struct board board = {role, period_of(kind, now_ms)};
        if (period_is_kept(&api->view, board.period, now_ms))
            board_format(&board, current->boards[current->n++]);
    }
}

static void drop_ranks(struct api *api, enum role role, int64_t now_ms, const char *const user_ids[],
                       size_t n) {
    struct current current;
    find_current(api, role, now_ms, &current);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < current.n; k++)
            drop_row(api, role_rank_template(role), current.boards[k], user_ids[i]);
}

/* Histories and sales are not dropped: they expire. */
void api_rows_changed(struct api *api, const char *const product_ids[], size_t n_products,
                      const char *const user_ids[], size_t n_users) {
    if (cache_is_empty(api->cache))
        return;
    const int64_t now_ms = view_now(&api->view);
    for (size_t i = 0; i < n_products; i++)
        drop_row(api, CONTRIBUTIONS_PRODUCT, product_ids[i], NULL);
    for (size_t i = 0; i < n_users; i++)
        drop_row(api, SCORES_CONTRIBUTOR, user_ids[i], NULL);
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        drop_ranks(api, role, now_ms, user_ids, n_users);
    if (api->view.shape.best_sellers)
        drop_ranks(api, ROLE_PRODUCT, now_ms, product_ids, n_products);
    cache_mark(api->cache);
}

bool api_is_caught_up(const struct api *api, int64_t as_of_ms) {
    return view_is_caught_up(&api->view, as_of_ms);
}

int64_t api_now(const struct api *api) {
    return service_clock_wall(freshness_clock(api->view.freshness));
}

json_t *api_freshness(const struct api *api, int64_t as_of_ms) {
    return news_freshness(&api->view, as_of_ms);
}

json_t *api_progress(const struct api *api, int64_t now_ms) {
    return news_progress(&api->view, now_ms);
}

void api_sold(struct api *api, const struct apply_sales *sales) {
    if (sale_feed_is_open(api->sales) && view_is_caught_up(&api->view, view_as_of(&api->view, false)))
        sale_feed_note(api->sales, sales);
}

void api_follow_sales(struct api *api, bool follows) {
    sale_feed_open(api->sales, follows);
}

json_t *api_take_sale(struct api *api) {
    _cleanup_(sale_deinit) struct sale sale;
    return sale_feed_take(api->sales, &sale) ? news_sale(&api->view, &sale) : NULL;
}

/* Start and end. */

static void set_cache_control(struct view *view, int64_t ttl_ms) {
    if (ttl_ms >= 1000)
        snprintf(view->cache_control, sizeof view->cache_control, "public, max-age=%" PRId64, ttl_ms / 1000);
    else
        snprintf(view->cache_control, sizeof view->cache_control, "no-cache");
}

struct api *api_new(const struct api_options *options, struct freshness *freshness, struct health *health) {
    struct api *api = mem_zalloc(sizeof *api);
    api->view = (struct view){.options = *options, .freshness = freshness, .health = health};
    api->view.product_names = product_names_new();
    api->sales = sale_feed_new();
    freshness_keep_history(freshness, options->index_allowance_ms);
    set_cache_control(&api->view, options->cache.ttl_ms);
    assets_load(api->assets);
    api->cache = cache_new(&options->cache);
    return api;
}

static int64_t index_as_of(void *data) {
    const struct api *api = data;
    return view_as_of(&api->view, true);
}

static bool is_final(void *data, const struct period *period, int64_t as_of_ms) {
    const struct api *api = data;
    return period_is_final(&api->view, *period, as_of_ms);
}

static void start_rank_tables(struct api *api) {
    const struct rank_tables_options options = {
        .units_per_s = api->view.options.rank_units, .as_of = index_as_of, .is_final = is_final, .data = api};
    api->view.rank_tables = rank_tables_new(&options, api->view.store);
    rank_tables_start(api->view.rank_tables);
}

enum status api_attach(struct api *api, struct store *store,
                       const uint8_t identity_key[STORE_IDENTITY_KEY_BYTES], struct error *e) {
    const struct view_shape *shape = store_shape(store);
    api->view.store = store;
    api->view.shape = *shape;
    snprintf(api->view.order, sizeof api->view.order, "%s/%u", store_kind(store), shape->board_partitions);
    api->view.sealer = seal_new(identity_key, e);
    if (!api->view.sealer)
        return STATUS_FAILED;
    start_rank_tables(api);
    if (cache_start(api->cache, load, api, e))
        return STATUS_FAILED; /* api_free frees what was made */
    atomic_store(&api->has_view, true);
    return STATUS_OK;
}

void api_free(struct api *api) {
    if (!api)
        return;
    cache_stop(api->cache);
    cache_free(api->cache);
    rank_tables_free(api->view.rank_tables);
    product_names_free(api->view.product_names);
    sale_feed_free(api->sales);
    seal_free(api->view.sealer);
    assets_unload(api->assets);
    free(api);
}
