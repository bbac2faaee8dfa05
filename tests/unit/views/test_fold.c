/* The cases are tests/data/fold.json, which the Python model must also pass
 * (tests/model/test_fold_cases.py).
 */
#include "views/fold.h"

#include "tests/unit/support/contribution.h"
#include "tests/unit/support/test.h"

static enum event_kind kind_of(const char *name) {
    return strcmp(name, "create") == 0  ? EVENT_CREATE
           : strcmp(name, "image") == 0 ? EVENT_IMAGE
                                        : EVENT_PURCHASE;
}

static const char *outcome_name(enum fold_outcome outcome) {
    return outcome == FOLD_APPLIED ? "applied" : outcome == FOLD_DUPLICATE ? "duplicate" : "stale";
}

static void add_credit(json_t *scores, enum role role, const char *user_id) {
    json_t *users = json_object_get(scores, role_name(role));
    json_int_t before = json_integer_value(json_object_get(users, user_id));
    if (user_id)
        json_object_set_new(users, user_id, json_integer(before + 1));
}

static void fold_one(struct contribution *c, const json_t *one, json_t *scores, json_t *outcomes) {
    struct event event = {
        .kind = kind_of(support_text(one, "kind")),
        .id = support_text(one, "id"),
        .product_id = c->product_id,
        .origin = support_text(one, "origin"),
        .time_ms = json_integer_value(json_object_get(one, "time")),
        .name = support_text(one, "name"),
        .brand = support_text(one, "brand"),
        .category = support_text(one, "category"),
        .image = support_text(one, "image"),
    };
    struct fold_credits credits = {{"unset", "unset"}};
    enum fold_outcome outcome = fold_event(c, &event, &credits);
    json_array_append_new(outcomes, json_string(outcome_name(outcome)));
    for (int role = 0; role < PEOPLE_ROLES; role++)
        add_credit(scores, (enum role)role, credits.user_id[role]);
}

static void set_text(json_t *row, const char *name, const char *value) {
    if (value)
        json_object_set_new(row, name, json_string(value));
}

static json_t *row_of(const struct contribution *c) {
    json_t *row =
        json_pack("{s:s,s:I,s:I,s:I,s:I}", "productId", c->product_id, "creatorScore",
                  (json_int_t)c->creator_score, "photographerScore", (json_int_t)c->photographer_score,
                  "created", (json_int_t)c->created_ms, "updated", (json_int_t)c->updated_ms);
    set_text(row, "creator", c->creator);
    set_text(row, "photographer", c->photographer);
    set_text(row, "lastEventId", c->last_event_id);
    set_text(row, "photographerEventId", c->photographer_event_id);
    set_text(row, "createdBy", c->created_by);
    set_text(row, "updatedBy", c->updated_by);
    set_text(row, "name", c->name);
    set_text(row, "brand", c->brand);
    set_text(row, "category", c->category);
    set_text(row, "image", c->image);
    return row;
}

static void assert_json(const char *what, const json_t *actual, const json_t *expected) {
    _cleanup_(mem_freep) char *have = json_dumps(actual, JSON_SORT_KEYS);
    _cleanup_(mem_freep) char *want = json_dumps(expected, JSON_SORT_KEYS);
    if (strcmp(have, want) != 0)
        fail_msg("%s:\nexpected %s\n  actual %s", what, want, have);
}

static void check_case(void **state) {
    json_t *one = *state, *event;
    json_auto_t *scores = json_pack("{s:{},s:{}}", role_name(ROLE_CREATOR), role_name(ROLE_PHOTOGRAPHER));
    json_auto_t *outcomes = json_array();
    _cleanup_(contribution_freep) struct contribution *c = contribution_new("lamp");
    size_t i;
    json_array_foreach(json_object_get(one, "events"), i, event) {
        fold_one(c, event, scores, outcomes);
    }
    json_auto_t *row = row_of(c);
    assert_json("outcomes", outcomes, json_object_get(one, "outcomes"));
    assert_json("row", row, json_object_get(one, "row"));
    assert_json("scores", scores, json_object_get(one, "scores"));
}

static void an_event_counts_when_it_happened_if_it_arrived_within_the_hour_after(void **state) {
    (void)state;
    const int64_t happened = 1795408560000, hour = 3600000;
    const struct {
        int64_t arrived, expected;
    } cases[] = {
        {-1, happened}, /* nobody says when it arrived */
        {happened, happened},
        {happened + hour, happened},
        {happened + hour + 1, happened + hour + 1},
        {happened - 1, happened - 1},
        {0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct event event = {.time_ms = happened, .arrived_ms = cases[i].arrived};
        assert_int_equal(fold_period_time(&event), cases[i].expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_counts_when_it_happened_if_it_arrived_within_the_hour_after)};
    int failed = support_run_cases("tests/data/fold.json", check_case);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
