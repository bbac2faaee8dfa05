/* history: one contributor's score, or the shop's sales, period by period. See handlers.h. */
#include <string.h>

#include "api/handlers.h"
#include "api/listing.h"
#include "api/period_parameter.h"
#include "api/role_words.h"
#include "base/mem.h"

enum { DEFAULT_LIMIT = 30 };

/* The parts of a key: template, role, kind, limit, the period with which the page begins, userId ("" for the
 * shop). What is listed: all but the limit and the period. */
enum { PART_ROLE = 1, PART_KIND, PART_LIMIT, PART_FROM, PART_USER_ID };

struct history {
    const char *template;
    enum role role;
    enum period_kind kind;
    const char *user_id; /* "": the shop's */
};

static void begin_scope(struct cache_key *scope, const struct history *h) {
    cache_key_make(scope, h->template, role_name(h->role), period_kind_name(h->kind));
    cache_key_add(scope, h->user_id);
}

/* The first page begins with the period under way, so its key changes with the period. */
static bool prepare(const struct view *view, const struct request *request, struct history *h,
                    struct cache_key *key, struct problem *p) {
    struct cache_key scope;
    struct listing_cursor cursor;
    char text[PERIOD_TEXT_SIZE];
    if (!period_read_kind(view, request, &h->kind, p))
        return false;
    begin_scope(&scope, h);
    cache_key_make(key, h->template, role_name(h->role), period_kind_name(h->kind));
    if (!listing_add_limit(request, DEFAULT_LIMIT, key, p) ||
        !listing_read_cursor(view, request, &scope, &cursor, p))
        return false;
    cache_key_add(key,
                  *cursor.after ? cursor.after : period_format(period_of(h->kind, view_now(view)), text));
    cache_key_add(key, h->user_id);
    return period_check_kind(view, request, h->kind, p);
}

static bool prepare_contributor(const struct view *view, const struct request *request, enum role role,
                                const char *template, struct cache_key *key, struct problem *p) {
    _cleanup_(mem_freep) char *user_id = role_user_id(view, role, request->segments[2]);
    struct history h = {.template = template, .role = role, .user_id = user_id ? user_id : ""};
    if (!prepare(view, request, &h, key, p))
        return false;
    if (!user_id)
        cache_key_clear(key);
    return true;
}

bool history_prepare_people(const struct view *view, const struct request *request, struct cache_key *key,
                            struct problem *p) {
    enum role role;
    return role_parse_people(request->segments[1], &role, p) &&
           prepare_contributor(view, request, role, SCORES_HISTORY, key, p);
}

bool history_prepare_product(const struct view *view, const struct request *request, struct cache_key *key,
                             struct problem *p) {
    return prepare_contributor(view, request, ROLE_PRODUCT, SCORES_PRODUCT_HISTORY, key, p) &&
           role_check_products(view, p);
}

bool history_prepare_sales(const struct view *view, const struct request *request, struct cache_key *key,
                           struct problem *p) {
    struct history h = {.template = SALES_HISTORY, .role = ROLE_SHOP, .user_id = ""};
    return prepare(view, request, &h, key, p);
}

/* Pages. */

static void history_of_key(const struct route_load *load, struct history *h, struct period *from) {
    h->template = load->parts[0];
    role_from_name(load->parts[PART_ROLE], &h->role); /* the key has all of them */
    period_kind_from_name(load->parts[PART_KIND], &h->kind);
    h->user_id = load->parts[PART_USER_ID];
    period_parse(load->parts[PART_FROM], from);
}

/* DynamoDB deletes rows up to days after they have expired. */
static void drop_expired(const struct route_load *load, struct store_history *rows) {
    while (rows->n && !period_is_kept(load->view, rows->items[rows->n - 1].period, load->now_ms))
        rows->n--;
}

/* One period more than the page has shows whether there is a next page. */
static enum status read_rows(const struct route_load *load, const struct history *h, struct period from,
                             size_t limit, struct store_history *rows, struct error *e) {
    const struct period before = period_next(from);
    enum status status = store_read_history(load->view->store, *h->user_id ? h->user_id : NULL, h->role,
                                            h->kind, &before, limit + 1, load->deadline_ms, rows, e);
    drop_expired(load, rows);
    return status;
}

/* A contributor may have no row of this kind any more; NOT_FOUND: none of all time either. */
static enum status check_contributor(const struct route_load *load, const struct history *h,
                                     struct error *e) {
    struct store_score score = {0};
    enum status status = store_read_scores(load->view->store, h->user_id, &board_all_time[h->role], 1,
                                           load->deadline_ms, &score, e);
    store_score_deinit(&score);
    return status;
}

static json_t *item_json(const struct route_load *load, const struct history *h, struct period period,
                         int64_t count) {
    json_t *json = json_object();
    json_object_set_new(json, "period", period_json(load, period));
    json_object_set_new(json, h->role == ROLE_SHOP ? "sales" : "score", json_integer(count));
    return json;
}

/* Every period from `from` back to the first that has a row; `from` is moved to where the next page begins.
 */
static size_t add_items(const struct route_load *load, const struct history *h,
                        const struct store_history *rows, size_t limit, struct period *from, json_t *items) {
    size_t shown = 0;
    for (size_t n = 0; n < limit && shown < rows->n; n++) {
        bool has_row = rows->items[shown].period.start_ms == from->start_ms;
        json_array_append_new(items, item_json(load, h, *from, has_row ? rows->items[shown].count : 0));
        shown += has_row;
        *from = period_previous(*from);
    }
    return shown;
}

static json_t *next_json(const struct route_load *load, const struct history *h, struct period from) {
    struct cache_key scope;
    struct listing_cursor cursor = {0};
    char text[PERIOD_TEXT_SIZE];
    begin_scope(&scope, h);
    return listing_next(load->view, &scope, &cursor, period_format(from, text));
}

enum status history_load(const struct route_load *load, json_t **json, struct error *e) {
    _cleanup_(store_history_deinit) struct store_history rows = {0};
    const size_t limit = listing_limit(load->parts + PART_LIMIT);
    struct history h;
    struct period from;
    history_of_key(load, &h, &from);
    enum status status = read_rows(load, &h, from, limit, &rows, e);
    if (status == STATUS_OK && rows.n == 0 && *h.user_id)
        status = check_contributor(load, &h, e);
    if (status != STATUS_OK)
        return status;
    json_t *items = json_array();
    size_t shown = add_items(load, &h, &rows, limit, &from, items);
    *json = json_object();
    json_object_set_new(*json, "items", items);
    json_object_set_new(*json, "next", shown < rows.n ? next_json(load, &h, from) : json_null());
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}
