#include "api/live/changes.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

static json_t *parse(const struct body *body) {
    json_t *board = json_loadb(body->data, body->length, 0, NULL);
    assert(board); /* of this program */
    return board;
}

/* A cursor stays valid; what counts is whether there are more rows. */
static bool is_member_same(const char *name, const json_t *before, const json_t *now) {
    if (strcmp(name, "items") == 0 || strcmp(name, "asOf") == 0)
        return true;
    if (strcmp(name, "next") == 0)
        return json_is_null(before) == json_is_null(now);
    return json_equal(before, now);
}

static bool is_same_board(const json_t *before, json_t *now) {
    const char *name;
    json_t *value;
    json_object_foreach(now, name,
                        value) if (!is_member_same(name, json_object_get(before, name), value)) return false;
    return true;
}

static const char *id_of(const json_t *items, size_t i) {
    return json_string_value(json_object_get(json_array_get(items, i), "id"));
}

/* Its place; the number of items: it has none. */
static size_t place_of(const json_t *items, const char *id) {
    size_t i = 0, n = json_array_size(items);
    while (i < n && strcmp(id_of(items, i), id) != 0)
        i++;
    return i;
}

static void set_changed_members(json_t *row, const json_t *before, json_t *now) {
    const char *name;
    json_t *value;
    json_object_foreach(now, name, value) if (strcmp(name, "updated") != 0 &&
                                              !json_equal(json_object_get(before, name), value))
        json_object_set(row, name, value);
}

/* NULL: the row is as it was. */
static json_t *row_json(const json_t *before, json_t *now, size_t at) {
    const size_t was = place_of(before, id_of(now, at));
    json_t *item = json_array_get(now, at), *row = json_object();
    json_object_set_new(row, "at", json_integer((json_int_t)at));
    if (was == json_array_size(before)) {
        json_object_update(row, item);
        return row;
    }
    if (was != at)
        json_object_set_new(row, "was", json_integer((json_int_t)was));
    set_changed_members(row, json_array_get(before, was), item);
    if (json_object_size(row) > 1)
        return row;
    json_decref(row);
    return NULL;
}

static json_t *rows_json(const json_t *before, json_t *now) {
    json_t *rows = json_array(), *row;
    for (size_t at = 0; at < json_array_size(now); at++)
        if ((row = row_json(before, now, at)))
            json_array_append_new(rows, row);
    return rows;
}

static json_t *left_json(const json_t *before, const json_t *now) {
    json_t *left = json_array();
    for (size_t i = 0; i < json_array_size(before); i++)
        if (place_of(now, id_of(before, i)) == json_array_size(now))
            json_array_append_new(left, json_string(id_of(before, i)));
    return left;
}

static json_t *changes_json(const json_t *before, const json_t *now) {
    const json_t *old_items = json_object_get(before, "items");
    json_t *json = json_object(), *items = json_object_get(now, "items");
    json_t *period = json_object_get(json_object_get(now, "period"), "id");
    json_object_set(json, "role", json_object_get(now, "role"));
    json_object_set_new(json, "period", period ? json_incref(period) : json_null());
    json_object_set(json, "asOf", json_object_get(now, "asOf"));
    json_object_set_new(json, "rows", rows_json(old_items, items));
    json_object_set_new(json, "left", left_json(old_items, items));
    return json;
}

static bool is_empty(const json_t *changes) {
    return json_array_size(json_object_get(changes, "rows")) == 0 &&
           json_array_size(json_object_get(changes, "left")) == 0;
}

enum changes changes_find(const struct body *before, const struct body *now, struct body **data) {
    json_auto_t *old_board = parse(before), *board = parse(now);
    if (!is_same_board(old_board, board))
        return CHANGES_WHOLE;
    json_auto_t *changes = changes_json(old_board, board);
    if (is_empty(changes))
        return CHANGES_NONE;
    char *text = json_dumps(changes, JSON_COMPACT);
    if (!text)
        mem_exhausted();
    struct body *found = body_new(text, strlen(text));
    if (found->length < now->length) {
        *data = found;
        return CHANGES_ROWS;
    }
    body_unref(found);
    return CHANGES_WHOLE;
}
