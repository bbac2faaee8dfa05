#include "api/products.h"

#include <string.h>
#include <strings.h>

#include "api/people.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "views/store.h"

json_t *products_text(const char *text) {
    if (!text || text_is_blank(text, strlen(text)))
        return json_null();
    _cleanup_(mem_freep) char *cleaned = text_cleaned(text, strlen(text));
    return json_string(cleaned);
}

/* Browsers take "\" for "/", and ignore blanks before an address and line ends within it (WHATWG URL, "basic
 * URL parser"): with them "//host" could be written in other ways. */
static bool is_relative_path(const char *image) {
    return *image != ' ' && strncmp(image, "//", 2) != 0 && !strchr(image, '\\') &&
           image[strcspn(image, ":/?#")] != ':';
}

static bool is_https(const char *image) {
    return strncasecmp(image, "https://", 8) == 0 && image[8] && image[8] != '/' && !strchr(image, '\\');
}

json_t *products_image(const char *image) {
    if (!image || !(is_https(image) || is_relative_path(image)) || text_is_blank(image, strlen(image)))
        return json_null();
    _cleanup_(mem_freep) char *cleaned = text_cleaned(image, strlen(image));
    return strcmp(cleaned, image) == 0 ? json_string(image) : json_null();
}

void products_set(json_t *object, const char *product_id, const struct contribution *row) {
    json_object_set_new(object, "productId", answer_text(product_id));
    json_object_set_new(object, "name", products_text(row ? row->name : NULL));
}

static json_t *person(const struct view *view, const char *user_id, int64_t score) {
    if (!user_id || contribution_is_unknown(user_id))
        return json_null();
    json_t *json = json_object();
    people_set(view, json, user_id);
    json_object_set_new(json, "score", json_integer(score));
    return json;
}

/* A product whose creation was trimmed from the log is attributed to nobody, not even to a photographer. */
json_t *products_contribution(const struct view *view, const struct contribution *c, int64_t as_of_ms) {
    bool attributed = !contribution_is_unknown(c->creator);
    json_t *json = json_object();
    products_set(json, c->product_id, c);
    json_object_set_new(json, "brand", products_text(c->brand));
    json_object_set_new(json, "category", products_text(c->category));
    json_object_set_new(json, "image", products_image(c->image));
    json_object_set_new(json, "purchases", json_integer(c->creator_score)); /* each one is the creator's */
    json_object_set_new(json, "attributed", json_boolean(attributed));
    json_object_set_new(json, "merchant", person(view, attributed ? c->creator : NULL, c->creator_score));
    json_object_set_new(json, "photographer",
                        person(view, attributed ? c->photographer : NULL, c->photographer_score));
    json_object_set_new(json, "lastEventId", c->last_event_id ? answer_text(c->last_event_id) : json_null());
    json_object_set_new(json, "created", answer_time(c->created_ms));
    json_object_set_new(json, "updated", answer_time(c->updated_ms));
    json_object_set_new(json, "asOf", view_time(view, as_of_ms));
    return json;
}

static bool is_among(const char *id, const char *const ids[], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

enum status products_read(const struct route_load *load, const char *const ids[], size_t n,
                          struct products *products, struct error *e) {
    struct store_context context = {.deadline_boot_ms = load->deadline_ms};
    struct contribution *rows[LIMIT_BOARD_ITEMS];
    const char *unique[LIMIT_BOARD_ITEMS];
    size_t n_unique = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_among(ids[i], unique, n_unique))
            unique[n_unique++] = ids[i];
    enum status status =
        n_unique ? store_read_contributions(load->view->store, unique, n_unique, rows, &context, e)
                 : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < n_unique; i++)
        if (rows[i])
            products->rows[products->n++] = rows[i];
    return status;
}

/* Takes the known names; leaves the ids of the others at the front of `ids`, and returns their number. */
static size_t take_names(const struct route_load *load, const char *ids[], size_t n,
                         struct products *products) {
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        _cleanup_(mem_freep) char *name = NULL;
        if (!product_names_find(load->view->product_names, ids[i], &name)) {
            ids[left++] = ids[i];
            continue;
        }
        const char *const texts[CONTRIBUTION_TEXTS] = {
            [CONTRIBUTION_PRODUCT_ID] = ids[i], [CONTRIBUTION_NAME] = name};
        products->rows[products->n++] = contribution_from(texts);
    }
    return left;
}

enum status products_read_names(const struct route_load *load, const char *const ids[], size_t n,
                                struct products *products, struct error *e) {
    const char *others[LIMIT_BOARD_ITEMS];
    memcpy(others, ids, n * sizeof *ids);
    size_t left = take_names(load, others, n, products), known = products->n;
    enum status status = products_read(load, others, left, products, e);
    for (size_t i = known; status == STATUS_OK && i < products->n; i++)
        product_names_add(load->view->product_names, products->rows[i]->product_id, products->rows[i]->name);
    return status;
}

const struct contribution *products_find(const struct products *products, const char *id) {
    for (size_t i = 0; i < products->n; i++)
        if (strcmp(products->rows[i]->product_id, id) == 0)
            return products->rows[i];
    return NULL;
}

void products_deinit(struct products *products) {
    while (products->n)
        contribution_free(products->rows[--products->n]);
}

bool products_check_id(const char *product_id, struct problem *p) {
    return strlen(product_id) <= LIMIT_PRODUCT_ID_BYTES ||
           problem_set_parameter(p, "productId", product_id, "at most 1024 bytes");
}
