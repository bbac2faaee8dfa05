/* Boards around a contributor, and the pages above and below: api/board_window.c through api/boards.c. */
#include "tests/unit/support/api.h"

static struct fixture f;

/* "A" to "J" with scores of 100, 90, ... 10; nothing is served from the cache. */
static void set_up(bool index_late) {
    struct api_options options = support_options_without_cache();
    options.full_identities = true;
    support_init(&f, &options, index_late);
    support_set_as_of(&f, support_now());
    for (char name[] = "A"; *name <= 'J'; ++*name)
        scripted_store_set_score(f.store, ROLE_CREATOR, name, 100 - 10 * (*name - 'A'));
}

static int setup(void **state) {
    (void)state;
    set_up(false);
    return 0;
}

static int setup_late(void **state) {
    (void)state;
    set_up(true);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

/* "4D 5E 6F=": the rank, the userId, and whether it is tied. */
static void describe(const json_t *page, char *out, size_t size) {
    json_t *item;
    size_t i, length = strlen(out);
    json_array_foreach(json_object_get(page, "items"), i, item) {
        json_t *rank = json_object_get(item, "rank");
        char text[24] = "?";
        if (json_is_integer(rank))
            snprintf(text, sizeof text, "%d", (int)json_integer_value(rank));
        length += (size_t)snprintf(out + length, size - length, "%s%s%s%s", length ? " " : "", text,
                                   json_string_value(json_object_get(item, "userId")),
                                   json_is_true(json_object_get(item, "tied")) ? "=" : "");
    }
}

static json_t *assert_rows(const char *target, const char *expected) {
    char text[4096] = "";
    json_t *page = support_get_json(&f, target);
    describe(page, text, sizeof text);
    assert_string_equal(text, expected);
    return page;
}

/* "p" and "n" for the cursors that the page has. */
static void assert_around(const char *query, const char *expected, const char *cursors) {
    char target[256], has[3] = "";
    snprintf(target, sizeof target, "/scores/merchant?%s", query);
    json_t *page = assert_rows(target, expected);
    if (json_is_string(json_object_get(page, "previous")))
        strcat(has, "p");
    if (json_is_string(json_object_get(page, "next")))
        strcat(has, "n");
    assert_string_equal(has, cursors);
    assert_int_equal(json_object_size(page), 6);
    json_decref(page);
}

static void the_row_of_a_contributor_is_in_the_middle(void **state) {
    (void)state;
    assert_around("around=E&limit=3", "4D 5E 6F", "pn");
    assert_around("around=E&limit=1", "5E", "pn");
    assert_around("around=E&limit=4", "4D 5E 6F 7G", "pn");
    assert_around("around=F", "1A 2B 3C 4D 5E 6F 7G 8H 9I 10J", "");
}

static void a_board_around_a_contributor_is_cut_at_its_ends_and_not_shifted(void **state) {
    (void)state;
    assert_around("around=A&limit=5", "1A 2B 3C", "n");
    assert_around("around=B&limit=5", "1A 2B 3C 4D", "n");
    assert_around("around=C&limit=5", "1A 2B 3C 4D 5E", "n");
    assert_around("around=D&limit=5", "2B 3C 4D 5E 6F", "pn");
    assert_around("around=H&limit=5", "6F 7G 8H 9I 10J", "p");
    assert_around("around=J&limit=5", "8H 9I 10J", "p");
}

static void ranks_around_a_contributor_are_those_of_the_whole_board(void **state) {
    (void)state;
    for (const char *name = "CDE"; *name; name++)
        scripted_store_set_score(f.store, ROLE_CREATOR, (char[]){*name, '\0'}, 70);
    assert_around("around=D&limit=3", "3C= 3D= 3E=", "pn");
    assert_around("around=D&limit=1", "3D=", "pn");
    assert_around("around=E&limit=5", "3C= 3D= 3E= 6F 7G", "pn");
    assert_around("around=F&limit=3", "3E= 6F 7G", "pn");
    assert_around("around=A&limit=7", "1A 2B 3C= 3D=", "n");
}

static void the_contributor_unknown_is_not_among_the_rows_around_somebody(void **state) {
    (void)state;
    scripted_store_set_score(f.store, ROLE_CREATOR, CONTRIBUTION_UNKNOWN, 65);
    assert_around("around=D&limit=3", "3C 4D 5E", "pn");
    assert_around("around=E&limit=3", "4D 5E 6F", "pn");
    scripted_store_set_score(f.store, ROLE_CREATOR, CONTRIBUTION_UNKNOWN, 1000);
    assert_around("around=A&limit=3", "1A 2B", "n");
    scripted_store_set_score(f.store, ROLE_CREATOR, CONTRIBUTION_UNKNOWN, 1);
    assert_around("around=J&limit=3", "9I 10J", "p");
    support_assert_problem(&f, "/scores/merchant?around=UNKNOWN", 404, "not-found");
}

static void a_contributor_who_is_not_on_the_board_is_not_found(void **state) {
    (void)state;
    support_assert_problem(&f, "/scores/merchant?around=Z", 404, "not-found");
    support_assert_problem(&f, "/scores/photographer?around=A", 404, "not-found");
}

static void around_and_cursor_exclude_each_other(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    json_t *page = support_get_json(&f, "/scores/merchant?limit=2");
    snprintf(target, sizeof target, "/scores/merchant?around=E&cursor=%s",
             json_string_value(json_object_get(page, "next")));
    support_assert_problem(&f, target, 400, "invalid-parameter");
    json_decref(page);
    support_assert_problem(&f, "/scores/merchant?around=E&limit=101", 400, "invalid-parameter");
    support_assert_problem(&f, "/scores/merchant?around=", 400, "invalid-parameter");
    support_assert_problem(&f, "/scores?around=E", 400, "invalid-parameter");
}

/* The pages of the cursor `name`, each put before or after what was there. */
static void follow(const char *target, const char *name, unsigned limit, char *out, size_t size) {
    char next[LIMIT_URI_BYTES];
    snprintf(next, sizeof next, "%s", target);
    for (unsigned pages = 0; *next; pages++) {
        char text[4096] = "", before[4096];
        assert_true(pages < 20);
        json_t *page = support_get_json(&f, next);
        const char *cursor = json_string_value(json_object_get(page, name));
        describe(page, text, sizeof text);
        assert_true(*text); /* no cursor leads to an empty page */
        snprintf(before, sizeof before, "%s", out);
        bool up = strcmp(name, "previous") == 0;
        snprintf(out, size, "%s%s%s", up ? text : before, *out ? " " : "", up ? before : text);
        snprintf(next, sizeof next, cursor ? "/scores/merchant?limit=%u&cursor=%s" : "", limit, cursor);
        json_decref(page);
    }
}

static void the_cursors_of_a_board_around_somebody_lead_to_all_of_the_board(void **state) {
    (void)state;
    static const char all[] = "1A 2B 3C= 3D= 3E= 6F 7G 8H 9I 10J";
    scripted_store_set_score(f.store, ROLE_CREATOR, "C", 70);
    scripted_store_set_score(f.store, ROLE_CREATOR, "E", 70);
    for (char name[] = "A"; *name <= 'J'; ++*name)
        for (unsigned around = 1; around <= 5; around++)
            for (unsigned limit = 1; limit <= 4; limit++) {
                char target[64], text[4096] = "", down[4096] = "";
                snprintf(target, sizeof target, "/scores/merchant?around=%s&limit=%u", name, around);
                follow(target, "previous", limit, text, sizeof text);
                follow(target, "next", limit, down, sizeof down);
                json_t *page = support_get_json(&f, target);
                char shared[4096] = "";
                describe(page, shared, sizeof shared);
                json_decref(page);
                strcat(text, down + strlen(shared)); /* the first page is in both */
                assert_string_equal(text, all);
            }
}

static void a_page_above_has_cursors_in_both_directions(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    json_t *page = support_get_json(&f, "/scores/merchant?around=G&limit=3");
    snprintf(target, sizeof target, "/scores/merchant?limit=2&cursor=%s",
             json_string_value(json_object_get(page, "previous")));
    json_decref(page);
    page = assert_rows(target, "4D 5E");
    snprintf(target, sizeof target, "/scores/merchant?limit=2&cursor=%s",
             json_string_value(json_object_get(page, "next")));
    assert_true(json_is_string(json_object_get(page, "previous")));
    json_decref(page);
    page = assert_rows(target, "6F 7G");
    assert_null(json_object_get(page, "previous")); /* an ordinary page */
    json_decref(page);
}

/* An index that is late. */

static void a_contributor_stands_once_and_where_the_late_index_has_the_entry(void **state) {
    (void)state;
    scripted_store_stop_index(f.store);
    scripted_store_set_score(f.store, ROLE_CREATOR, "E", 62); /* one purchase */
    assert_around("around=E&limit=3", "4D 5E 6F", "pn");
    scripted_store_set_score(f.store, ROLE_CREATOR, "E", 95); /* above others */
    assert_around("around=E&limit=3", "4D 5E 6F", "pn");
    scripted_store_set_score(f.store, ROLE_CREATOR, "J", 1000); /* far from the entry */
    assert_around("around=J&limit=3", "9I 10J", "p");
}

static void a_contributor_whom_the_late_index_does_not_have_stands_by_the_row(void **state) {
    (void)state;
    scripted_store_stop_index(f.store);
    scripted_store_set_score(f.store, ROLE_CREATOR, "N", 65);
    assert_around("around=N&limit=3", "4D 5N 6E", "pn");
}

static void a_contributor_beyond_the_counted_ranks_has_none_without_a_table(void **state) {
    (void)state;
    char name[16];
    for (int i = 0; i < LIMIT_RANKED - 5; i++) {
        snprintf(name, sizeof name, "a%04d", i);
        scripted_store_set_score(f.store, ROLE_CREATOR, name, 5000 + i);
    }
    assert_around("around=D&limit=3", "998C 999D 1000E", "pn");
    size_t reads = scripted_store_reads(f.store);
    assert_around("around=H&limit=5", "?F ?G ?H ?I ?J", "p");
    assert_int_equal(scripted_store_reads(f.store), reads + 4); /* the row, two pages, and one count */
    assert_around("around=G&limit=5", "1000E 1001F 1002G 1003H 1004I", "pn"); /* counted from E on */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_LATE(name) cmocka_unit_test_setup_teardown(name, setup_late, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_row_of_a_contributor_is_in_the_middle),
        TEST(a_board_around_a_contributor_is_cut_at_its_ends_and_not_shifted),
        TEST(ranks_around_a_contributor_are_those_of_the_whole_board),
        TEST(the_contributor_unknown_is_not_among_the_rows_around_somebody),
        TEST(a_contributor_who_is_not_on_the_board_is_not_found),
        TEST(around_and_cursor_exclude_each_other),
        TEST(the_cursors_of_a_board_around_somebody_lead_to_all_of_the_board),
        TEST(a_page_above_has_cursors_in_both_directions),
        TEST_LATE(a_contributor_stands_once_and_where_the_late_index_has_the_entry),
        TEST_LATE(a_contributor_whom_the_late_index_does_not_have_stands_by_the_row),
        TEST(a_contributor_beyond_the_counted_ranks_has_none_without_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
