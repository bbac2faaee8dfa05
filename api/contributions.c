/* contributions: products, and who created and photographed them. See handlers.h. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/listing.h"
#include "api/people.h"
#include "base/mem.h"
#include "views/store.h"

enum { DEFAULT_LIMIT = 50, PART_PAGE = 1 };

static json_t *person(const struct view *view, const char *user_id, int64_t score) {
    if (!user_id || contribution_is_unknown(user_id))
        return json_null();
    json_t *json = json_object();
    people_set(view, json, user_id);
    json_object_set_new(json, "score", json_integer(score));
    return json;
}

/* A product whose creation was trimmed from the log is attributed to nobody, not even to a photographer. */
static json_t *contribution_json(const struct route_load *load, const struct contribution *c) {
    bool attributed = !contribution_is_unknown(c->creator);
    json_t *json = json_object();
    json_object_set_new(json, "productId", answer_text(c->product_id));
    json_object_set_new(json, "purchases", json_integer(c->creator_score)); /* each one is the creator's */
    json_object_set_new(json, "attributed", json_boolean(attributed));
    json_object_set_new(json, "merchant",
                        person(load->view, attributed ? c->creator : NULL, c->creator_score));
    json_object_set_new(json, "photographer",
                        person(load->view, attributed ? c->photographer : NULL, c->photographer_score));
    json_object_set_new(json, "lastEventId", c->last_event_id ? answer_text(c->last_event_id) : json_null());
    json_object_set_new(json, "created", answer_time(c->created_ms));
    json_object_set_new(json, "updated", answer_time(c->updated_ms));
    json_object_set_new(json, "asOf", view_time(load->view, load->as_of_ms));
    return json;
}

bool contributions_prepare_product(const struct view *view, const struct request *request,
                                   struct cache_key *key, struct problem *p) {
    (void)view;
    const char *product_id = request->segments[1];
    if (strlen(product_id) > LIMIT_KEY_BYTES)
        return problem_set_parameter(p, "productId", product_id, "at most 2048 bytes");
    cache_key_make(key, CONTRIBUTIONS_PRODUCT, product_id, NULL);
    return true;
}

enum status contributions_load_product(const struct route_load *load, json_t **json, struct error *e) {
    _cleanup_(contribution_freep) struct contribution *row = NULL;
    enum status status =
        store_read_contribution(load->view->store, load->parts[1], load->deadline_ms, &row, e);
    if (status == STATUS_OK)
        *json = contribution_json(load, row);
    return status;
}

bool contributions_prepare_list(const struct view *view, const struct request *request, struct cache_key *key,
                                struct problem *p) {
    cache_key_begin(key, CONTRIBUTIONS);
    return listing_add_page(view, request, DEFAULT_LIMIT, key, p);
}

bool contributions_is_refreshable(const struct route_load *load) {
    return listing_is_first_page(load->parts + PART_PAGE);
}

/* A row beyond the limit only shows that there is a next page. */
static json_t *list_json(const struct route_load *load, struct contribution *const rows[], size_t n,
                         size_t limit) {
    json_t *items = json_array(), *json = json_object();
    for (size_t i = 0; i < n && i < limit; i++)
        json_array_append_new(items, contribution_json(load, rows[i]));
    struct listing_cursor last = {0};
    struct cache_key key;
    const char *after = n > limit ? rows[limit - 1]->product_id : NULL;
    json_object_set_new(json, "items", items);
    cache_key_begin(&key, CONTRIBUTIONS);
    json_object_set_new(json, "next", listing_next(load->view, &key, &last, after));
    return json;
}

enum status contributions_load_list(const struct route_load *load, json_t **json, struct error *e) {
    struct contribution **rows = NULL;
    struct listing_page page;
    size_t n = 0;
    listing_read_page(load->parts + PART_PAGE, &page);
    enum status status =
        store_list_contributions(load->view->store, NULL, page.is_first ? NULL : page.from.after,
                                 page.limit + 1, load->deadline_ms, &rows, &n, e);
    if (status != STATUS_OK)
        return status;
    *json = list_json(load, rows, n, page.limit);
    while (n)
        contribution_free(rows[--n]);
    free(rows);
    return STATUS_OK;
}
