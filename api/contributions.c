/* contributions: who made a product what it is. See resources.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cursor.h"
#include "api/internal.h"
#include "api/resources.h"
#include "base/mem.h"
#include "views/store.h"

enum { DEFAULT_LIMIT = 50 };

static json_t *person(const struct api *api, const char *user_id, int64_t score) {
    if (!user_id || contribution_is_unknown(user_id))
        return json_null();
    json_t *json = json_object();
    api_set_person(api, json, user_id);
    json_object_set_new(json, "score", json_integer(score));
    return json;
}

/* A product whose creation was trimmed from the log is attributed to nobody, not even to a photographer. */
static json_t *contribution_json(const struct api *api, const struct contribution *c, int64_t as_of_ms) {
    bool attributed = !contribution_is_unknown(c->creator);
    json_t *json = json_object();
    json_object_set_new(json, "productId", answer_text(c->product_id));
    json_object_set_new(json, "purchases", json_integer(c->creator_score)); /* each one is the creator's */
    json_object_set_new(json, "attributed", json_boolean(attributed));
    json_object_set_new(json, "merchant", person(api, attributed ? c->creator : NULL, c->creator_score));
    json_object_set_new(json, "photographer",
                        person(api, attributed ? c->photographer : NULL, c->photographer_score));
    json_object_set_new(json, "lastEventId", c->last_event_id ? answer_text(c->last_event_id) : json_null());
    json_object_set_new(json, "created", answer_time(c->created_ms));
    json_object_set_new(json, "updated", answer_time(c->updated_ms));
    json_object_set_new(json, "asOf", answer_time(as_of_ms));
    return json;
}

void contributions_product_key(struct key *key, const char *product_id) {
    key_begin(key, CONTRIBUTIONS_PRODUCT);
    key_add(key, product_id);
}

bool contributions_prepare_product(struct api *api, const struct request *request, struct key *key,
                                   struct problem *p) {
    (void)api;
    const char *product_id = request->segments[1];
    if (strlen(product_id) > LIMIT_KEY_BYTES) {
        problem_set_parameter(p, "productId", product_id, "at most 2048 bytes");
        return false;
    }
    contributions_product_key(key, product_id);
    return true;
}

enum status contributions_load_product(struct api *api, const char *key, size_t key_length,
                                       int64_t deadline_ms, struct answer **answer, struct error *e) {
    _cleanup_(contribution_freep) struct contribution *row = NULL;
    int64_t as_of_ms = api_as_of(api, false);
    enum status status =
        store_read_contribution(api->store, key_part(key, key_length, 1), deadline_ms, &row, e);
    if (status == STATUS_NOT_FOUND) {
        *answer = api_missing(api, as_of_ms, "product");
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        *answer = api_view_answer(api, contribution_json(api, row, as_of_ms), as_of_ms);
    return status;
}

/* The key: template, limit, cursor if there is one. */
bool contributions_prepare_list(struct api *api, const struct request *request, struct key *key,
                                struct problem *p) {
    unsigned limit;
    char text[16];
    if (!request_count(request, "limit", DEFAULT_LIMIT, LIMIT_BOARD_ITEMS, &limit, p))
        return false;
    snprintf(text, sizeof text, "%u", limit);
    key_begin(key, "/contributions");
    key_add(key, text);
    return cursor_prepare(api->sealer, CURSOR_CONTRIBUTIONS, request, key, p);
}

/* Rows beyond the limit only say that there is a next page. */
static json_t *list_json(const struct api *api, struct contribution *const rows[], size_t n, size_t limit,
                         int64_t as_of_ms) {
    json_t *items = json_array(), *json = json_object();
    _cleanup_(mem_freep) char *next = NULL;
    for (size_t i = 0; i < n && i < limit; i++)
        json_array_append_new(items, contribution_json(api, rows[i], as_of_ms));
    if (n > limit) {
        struct cursor at = {0};
        snprintf(at.after, sizeof at.after, "%s", rows[limit - 1]->product_id);
        next = cursor_seal(api->sealer, CURSOR_CONTRIBUTIONS, &at);
    }
    json_object_set_new(json, "items", items);
    json_object_set_new(json, "next", next ? json_string(next) : json_null());
    return json;
}

enum status contributions_load_list(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                                    struct answer **answer, struct error *e) {
    struct contribution **rows = NULL;
    struct cursor from;
    size_t n = 0, limit = strtoul(key_part(key, key_length, 1), NULL, 10);
    bool is_first = !cursor_from_key(key, key_length, 2, &from);
    int64_t as_of_ms = api_as_of(api, true);
    enum status status = store_list_contributions(api->store, is_first ? NULL : from.after, limit + 1,
                                                  deadline_ms, &rows, &n, e);
    if (status != STATUS_OK)
        return status;
    *answer = api_view_answer(api, list_json(api, rows, n, limit, as_of_ms), as_of_ms);
    (*answer)->kept.refreshable = is_first; /* as with boards */
    while (n)
        contribution_free(rows[--n]);
    free(rows);
    return STATUS_OK;
}
