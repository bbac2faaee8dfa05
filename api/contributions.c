/* contributions: products, and who created and photographed them. See handlers.h. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/listing.h"
#include "api/people.h"
#include "api/products.h"
#include "base/mem.h"
#include "views/store.h"

enum { DEFAULT_LIMIT = 50 };

/* The lists: all products, those of a merchant or photographer, those with some ids. */
#define ALL ""
#define BY_MERCHANT "merchant"
#define BY_PHOTOGRAPHER "photographer"
#define BY_IDS "productIds"

/* The parts of a list's key: which list; its userId or its ids, or "" in the list of all; then the page. */
enum { PART_LIST = 1, PART_OF, PART_PAGE };

/* One product. */

bool contributions_prepare_product(const struct view *view, const struct request *request,
                                   struct cache_key *key, struct problem *p) {
    (void)view;
    const char *product_id = request->segments[1];
    if (!products_check_id(product_id, p))
        return false;
    cache_key_make(key, CONTRIBUTIONS_PRODUCT, product_id, NULL);
    return true;
}

enum status contributions_load_product(const struct route_load *load, json_t **json, struct error *e) {
    _cleanup_(contribution_freep) struct contribution *row = NULL;
    enum status status =
        store_read_contribution(load->view->store, load->parts[1], load->deadline_ms, &row, e);
    if (status == STATUS_OK)
        *json = products_contribution(load->view, row, load->as_of_ms);
    return status;
}

/* All products, and those of a merchant or photographer. */

static void begin_key(struct cache_key *key, const char *list, const char *of) {
    cache_key_begin(key, CONTRIBUTIONS);
    cache_key_add(key, list);
    cache_key_add(key, of);
}

static bool prepare_by_owner(const struct view *view, const struct request *request, const char *list,
                             struct cache_key *key, struct problem *p) {
    const char *id = request_parameter(request, list);
    if (!*id)
        return problem_set_parameter(p, list, id, "the `id` of a contributor");
    _cleanup_(mem_freep) char *user_id = people_user_id(view, id);
    begin_key(key, list, user_id ? user_id : "");
    if (!listing_add_page(view, request, DEFAULT_LIMIT, key, p))
        return false;
    if (!user_id)
        cache_key_clear(key);
    return true;
}

/* A row beyond the limit only shows that there is a next page. */
static json_t *list_json(const struct route_load *load, struct contribution *const rows[], size_t n,
                         size_t limit) {
    json_t *items = json_array(), *json = json_object();
    struct listing_cursor last = {0};
    struct cache_key key;
    for (size_t i = 0; i < n && i < limit; i++)
        json_array_append_new(items, products_contribution(load->view, rows[i], load->as_of_ms));
    const char *after = n > limit ? rows[limit - 1]->product_id : NULL;
    begin_key(&key, load->parts[PART_LIST], load->parts[PART_OF]);
    json_object_set_new(json, "items", items);
    json_object_set_new(json, "next", listing_next(load->view, &key, &last, after));
    json_object_set_new(json, "asOf", view_time(load->view, load->as_of_ms));
    return json;
}

static enum status load_page(const struct route_load *load, json_t **json, struct error *e) {
    const char *list = load->parts[PART_LIST];
    const struct store_owner owner = {strcmp(list, BY_MERCHANT) == 0 ? ROLE_CREATOR : ROLE_PHOTOGRAPHER,
                                      load->parts[PART_OF]};
    struct contribution **rows = NULL;
    struct listing_page page;
    size_t n = 0;
    listing_read_page(load->parts + PART_PAGE, &page);
    enum status status = store_list_contributions(load->view->store, *list ? &owner : NULL,
                                                  page.is_first ? NULL : page.from.after, page.limit + 1,
                                                  load->deadline_ms, &rows, &n, e);
    if (status != STATUS_OK)
        return status;
    *json = list_json(load, rows, n, page.limit);
    while (n)
        contribution_free(rows[--n]);
    free(rows);
    return STATUS_OK;
}

/* Products by their ids. */

/* The key has the ids as request_items leaves them. */
static bool prepare_by_ids(const struct request *request, struct cache_key *key, struct problem *p) {
    char ids[REQUEST_ITEMS_SIZE];
    if (!request_items(request, BY_IDS, LIMIT_BOARD_ITEMS, ids, p))
        return false;
    for (const char *id = ids, *end; *id; id = end + 1) {
        end = strchr(id, REQUEST_ITEM_END);
        if (end - id > LIMIT_PRODUCT_ID_BYTES)
            return problem_set_parameter(p, BY_IDS, request_parameter(request, BY_IDS),
                                         "ids of at most 1024 bytes");
    }
    begin_key(key, BY_IDS, ids);
    return true;
}

/* The ids of a key, and the item of each that the cache has. */
struct picks {
    size_t n;
    char *text; /* which the ids borrow */
    const char *ids[LIMIT_BOARD_ITEMS];
    json_t *items[LIMIT_BOARD_ITEMS]; /* NULL: not in the cache */
};

static void deinit_picks(struct picks *picks) {
    for (size_t i = 0; i < picks->n; i++)
        json_decref(picks->items[i]);
    free(picks->text);
}

static void split_ids(const char *ids, struct picks *picks) {
    picks->text = mem_strdup(ids);
    for (char *id = picks->text, *end; *id; id = end + 1) {
        end = strchr(id, REQUEST_ITEM_END);
        *end = '\0';
        picks->ids[picks->n++] = id;
    }
}

/* `*as_of_ms` becomes that of the oldest. */
static void take_cached(const struct route_load *load, struct picks *picks, int64_t *as_of_ms) {
    for (size_t i = 0; i < picks->n; i++) {
        struct answer *answer = route_peek(load, CONTRIBUTIONS_PRODUCT, picks->ids[i]);
        if (!answer)
            continue;
        picks->items[i] = json_loadb(answer->body->data, answer->body->length, 0, NULL);
        if (answer->as_of_ms < *as_of_ms)
            *as_of_ms = answer->as_of_ms;
        answer_unref(answer);
    }
}

static enum status read_others(const struct route_load *load, const struct picks *picks,
                               struct products *products, struct error *e) {
    const char *ids[LIMIT_BOARD_ITEMS];
    size_t n = 0;
    for (size_t i = 0; i < picks->n; i++)
        if (!picks->items[i])
            ids[n++] = picks->ids[i];
    return products_read(load, ids, n, products, e);
}

static json_t *item_of(const struct route_load *load, const struct picks *picks, size_t i,
                       const struct products *products) {
    if (picks->items[i])
        return json_incref(picks->items[i]);
    const struct contribution *row = products_find(products, picks->ids[i]);
    return row ? products_contribution(load->view, row, load->row_as_of_ms) : json_null();
}

/* A product that is not there may still be in the stream, unless the view has caught up. */
static enum status load_by_ids(const struct route_load *load, json_t **json, struct error *e) {
    _cleanup_(deinit_picks) struct picks picks = {0};
    _cleanup_(products_deinit) struct products products = {0};
    json_auto_t *items = json_array();
    int64_t as_of_ms = load->row_as_of_ms;
    split_ids(load->parts[PART_OF], &picks);
    take_cached(load, &picks, &as_of_ms);
    enum status status = read_others(load, &picks, &products, e);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < picks.n; i++) {
        json_t *item = item_of(load, &picks, i, &products);
        json_array_append_new(items, item);
        if (!json_is_null(item))
            continue;
        if (!view_is_caught_up(load->view, load->row_as_of_ms))
            return error_set(e, STATUS_NOT_FOUND, "the view has not caught up");
        *load->is_lacking = true;
    }
    *load->answer_as_of_ms = as_of_ms;
    *json = json_pack("{s:O,s:n,s:o}", "items", items, "next", "asOf", view_time(load->view, as_of_ms));
    return STATUS_OK;
}

/* Any list. */

bool contributions_prepare_list(const struct view *view, const struct request *request, struct cache_key *key,
                                struct problem *p) {
    static const char *const owners[] = {BY_MERCHANT, BY_PHOTOGRAPHER};
    static const char *const beside_ids[] = {BY_IDS, ROUTE_MAX_LAG, NULL};
    if (request_parameter(request, BY_IDS))
        return request_allows(request, beside_ids, p) && prepare_by_ids(request, key, p);
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        const char *const beside_owner[] = {owners[i], "limit", "cursor", ROUTE_MAX_LAG, NULL};
        if (request_parameter(request, owners[i]))
            return request_allows(request, beside_owner, p) &&
                   prepare_by_owner(view, request, owners[i], key, p);
    }
    begin_key(key, ALL, "");
    return listing_add_page(view, request, DEFAULT_LIMIT, key, p);
}

/* The others expire: what one contributor made, or somebody chose, changes seldom. */
bool contributions_is_refreshable(const struct route_load *load) {
    return strcmp(load->parts[PART_LIST], ALL) == 0 && listing_is_first_page(load->parts + PART_PAGE);
}

enum status contributions_load_list(const struct route_load *load, json_t **json, struct error *e) {
    return strcmp(load->parts[PART_LIST], BY_IDS) == 0 ? load_by_ids(load, json, e)
                                                       : load_page(load, json, e);
}
