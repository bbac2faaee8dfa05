#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/live/changes.h"
#include "base/mem.h"

/* Boards are written short: "ann 3, ben 2": a merchant for each, with ranks as on a board. */

enum { LONG = 200 }; /* the length of an id: changes that name none are shorter than boards */

static json_t *item_json(const char *name, int64_t score, size_t rank) {
    char id[LONG + 16];
    snprintf(id, sizeof id, "%s%0*d", name, LONG, 0);
    return json_pack("{s:I, s:b, s:s, s:s, s:s, s:I, s:s}", "rank", (json_int_t)rank, "tied", 0, "id", id,
                     "userId", name, "name", name, "score", (json_int_t)score, "updated",
                     score % 2 ? "2026-11-30T01:00:00.000Z" : "2026-11-30T02:00:00.000Z");
}

static json_t *items_json(const char *rows) {
    json_t *items = json_array();
    char name[16];
    long long score;
    int length;
    for (; sscanf(rows, "%15s %lld%n", name, &score, &length) == 2; rows += length)
        json_array_append_new(items, item_json(name, score, json_array_size(items) + 1));
    return items;
}

static struct body *body_of(json_t *board) {
    char *text = json_dumps(board, JSON_COMPACT);
    json_decref(board);
    return body_new(text, strlen(text));
}

static json_t *board_json(const char *rows) {
    return json_pack("{s:s, s:o, s:n, s:n, s:s}", "role", "merchant", "items", items_json(rows), "next",
                     "period", "asOf", "2026-11-30T03:00:00.000Z");
}

static struct body *board(const char *rows) {
    return body_of(board_json(rows));
}

/* Takes both references. */
static enum changes find(struct body *before, struct body *now, json_t **json) {
    struct body *data = NULL;
    enum changes found = changes_find(before, now, &data);
    *json = data ? json_loadb(data->data, data->length, 0, NULL) : NULL;
    assert_int_equal(found == CHANGES_ROWS, *json != NULL);
    body_unref(data);
    body_unref(before);
    body_unref(now);
    return found;
}

static json_t *rows_between(const char *before, const char *now) {
    json_t *json;
    assert_int_equal(find(board(before), board(now), &json), CHANGES_ROWS);
    return json;
}

static void assert_member(json_t *json, const char *name, const char *expected) {
    json_auto_t *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    if (!json_equal(json_object_get(json, name), wanted)) {
        char *text = json_dumps(json, JSON_COMPACT);
        print_error("%s: expected %s in %s\n", name, expected, text);
        free(text);
        fail();
    }
}

static void a_row_has_its_place_and_the_members_that_changed(void **state) {
    (void)state;
    json_auto_t *json = rows_between("ann 5 ben 3 cid 2", "ann 5 ben 4 cid 2");
    assert_member(json, "rows", "[{\"at\": 1, \"score\": 4}]");
    assert_member(json, "left", "[]");
    assert_string_equal(json_string_value(json_object_get(json, "role")), "merchant");
    assert_true(json_is_null(json_object_get(json, "period")));
    assert_string_equal(json_string_value(json_object_get(json, "asOf")), "2026-11-30T03:00:00.000Z");
}

static void a_row_that_moved_has_its_place_before(void **state) {
    (void)state;
    json_auto_t *json = rows_between("ann 5 ben 3 cid 2", "ben 6 ann 5 cid 2");
    assert_member(
        json, "rows",
        "[{\"at\": 0, \"was\": 1, \"rank\": 1, \"score\": 6}, {\"at\": 1, \"was\": 0, \"rank\": 2}]");
}

static void a_new_row_is_whole_and_who_left_is_named(void **state) {
    (void)state;
    json_auto_t *json = rows_between("ann 5 ben 3 cid 2 dan 1", "ann 5 ben 3 cid 2 eve 2");
    const json_t *rows = json_object_get(json, "rows"), *row = json_array_get(rows, 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_int_equal(json_object_size(row), 1 + 7);
    assert_string_equal(json_string_value(json_object_get(row, "name")), "eve");
    const json_t *left = json_object_get(json, "left");
    assert_int_equal(json_array_size(left), 1);
    assert_memory_equal(json_string_value(json_array_get(left, 0)), "dan0", 4);
}

static void an_as_of_alone_is_no_change(void **state) {
    (void)state;
    json_t *json, *later = board_json("ann 5 ben 3");
    json_object_set_new(later, "asOf", json_string("2026-11-30T03:00:09.000Z"));
    assert_int_equal(find(board("ann 5 ben 3"), body_of(later), &json), CHANGES_NONE);
}

static void another_cursor_is_no_change_but_whether_there_is_one(void **state) {
    (void)state;
    json_t *json, *first = board_json("ann 5 ben 3"), *second = board_json("ann 5 ben 3");
    json_object_set_new(first, "next", json_string("x"));
    json_object_set_new(second, "next", json_string("y"));
    assert_int_equal(find(body_of(json_incref(first)), body_of(second), &json), CHANGES_NONE);
    assert_int_equal(find(board("ann 5 ben 3"), body_of(first), &json), CHANGES_WHOLE);
}

static void a_board_of_another_period_is_whole(void **state) {
    (void)state;
    json_t *json, *first = board_json("ann 5 ben 3 cid 2"), *second = board_json("ann 6 ben 3 cid 2");
    json_object_set_new(first, "period", json_pack("{s:s}", "id", "2026-11-29"));
    json_object_set_new(second, "period", json_pack("{s:s}", "id", "2026-11-30"));
    assert_int_equal(find(body_of(first), body_of(second), &json), CHANGES_WHOLE);
}

static void a_change_that_is_longer_than_the_board_is_whole(void **state) {
    (void)state;
    json_t *json;
    assert_int_equal(find(board("ann 5 ben 3"), board("cid 9 dan 8"), &json), CHANGES_WHOLE);
    assert_int_equal(find(board("ann 5 ben 3"), board(""), &json), CHANGES_WHOLE);
}

/* What a client does (openapi.yaml, BoardRows). */
static json_t *apply(json_t *items, const json_t *changes) {
    const json_t *rows = json_object_get(changes, "rows");
    size_t n = json_array_size(items) - json_array_size(json_object_get(changes, "left")), i;
    json_t *row;
    json_array_foreach(rows, i, row) n += json_object_get(row, "id") != NULL;
    json_t *result = json_array();
    for (i = 0; i < n; i++) {
        json_t *old = json_array_get(items, i);
        json_array_append_new(result, old ? json_deep_copy(old) : json_object());
    }
    json_array_foreach(rows, i, row) {
        json_t *at = json_object_get(row, "at"), *was = json_object_get(row, "was");
        json_t *item =
            json_object_get(row, "id")
                ? json_object()
                : json_deep_copy(json_array_get(items, (size_t)json_integer_value(was ? was : at)));
        json_object_update(item, row);
        json_object_del(item, "at");
        json_object_del(item, "was");
        json_array_set_new(result, (size_t)json_integer_value(at), item);
    }
    return result;
}

static void remove_updated(json_t *items) {
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) json_object_del(item, "updated");
}

static char *random_rows(unsigned *seed) {
    char *rows = mem_strdup("");
    unsigned used = 0;
    for (int64_t score = 60; score > 0; score -= 1 + rand_r(seed) % 12) {
        unsigned who = (unsigned)rand_r(seed) % 12;
        if (used & 1U << who)
            continue;
        used |= 1U << who;
        char *more = mem_printf("%s %c %d", rows, 'a' + (int)who, (int)score);
        free(rows);
        rows = more;
    }
    return rows;
}

static void a_client_that_applies_random_changes_has_the_board(void **state) {
    (void)state;
    unsigned seed = 17;
    int applied = 0;
    for (int i = 0; i < 2000; i++) {
        char *before = random_rows(&seed), *now = random_rows(&seed);
        json_t *changes;
        if (find(board(before), board(now), &changes) == CHANGES_ROWS) {
            json_auto_t *items = items_json(before), *wanted = items_json(now);
            json_auto_t *got = apply(items, changes);
            remove_updated(got);
            remove_updated(wanted);
            if (!json_equal(got, wanted))
                fail_msg("from '%s' to '%s'", before, now);
            json_decref(changes);
            applied++;
        }
        free(before);
        free(now);
    }
    assert_true(applied > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_its_place_and_the_members_that_changed),
        cmocka_unit_test(a_row_that_moved_has_its_place_before),
        cmocka_unit_test(a_new_row_is_whole_and_who_left_is_named),
        cmocka_unit_test(an_as_of_alone_is_no_change),
        cmocka_unit_test(another_cursor_is_no_change_but_whether_there_is_one),
        cmocka_unit_test(a_board_of_another_period_is_whole),
        cmocka_unit_test(a_change_that_is_longer_than_the_board_is_whole),
        cmocka_unit_test(a_client_that_applies_random_changes_has_the_board),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
