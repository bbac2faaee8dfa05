#include "tests/unit/support/api.h"

#include <stdio.h>

#include "api/seal.h"

#define ANN "widget/merchant/100000001/Ann"
#define BOB "widget/merchant/200000002/Bob"
#define CAT "widget/merchant/300000003/Cat"
#define DAN "widget/merchant/400000004/Dan"

static struct fixture f;
static int64_t as_of_ms; /* of the view: a second ago */

static int setup_index(bool index_late) {
    struct api_options options = support_options();
    support_init(&f, &options, index_late);
    as_of_ms = support_now() - 1000;
    support_set_as_of(&f, as_of_ms);
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, 42);
    scripted_store_set_score(f.store, ROLE_CREATOR, BOB, 42);
    scripted_store_set_score(f.store, ROLE_CREATOR, CAT, 7);
    scripted_store_set_score(f.store, ROLE_CREATOR, DAN, 7);
    scripted_store_set_score(f.store, ROLE_PHOTOGRAPHER, DAN, 3);
    return 0;
}

static int setup(void **state) {
    (void)state;
    return setup_index(false);
}

static int setup_late(void **state) {
    (void)state;
    return setup_index(true);
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

static char *time_text(int64_t ms, char out[CLOCK_TEXT_SIZE]) {
    clock_format(ms, out);
    return out;
}

/* The body of a 200. */
static json_t *get(const char *target) {
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 200);
    assert_non_null(got.json);
    return got.json;
}

static json_t *items(json_t *board) {
    json_t *array = json_object_get(board, "items");
    assert_true(json_is_array(array));
    return array;
}

/* "1 1t 3 3t ...": ranks, and whether they are tied. */
static void assert_ranks(const char *target, const char *expected) {
    json_t *board = get(target), *item;
    char text[256] = "";
    size_t i;
    json_array_foreach(items(board), i, item) {
        char one[32];
        snprintf(one, sizeof one, "%s%d%s", i ? " " : "",
                 (int)json_integer_value(json_object_get(item, "rank")),
                 json_is_true(json_object_get(item, "tied")) ? "t" : "");
        strncat(text, one, sizeof text - strlen(text) - 1);
    }
    assert_string_equal(text, expected);
    json_decref(board);
}

static void a_board_has_ranks_names_scores_and_an_as_of(void **state) {
    (void)state;
    char as_of[CLOCK_TEXT_SIZE];
    json_t *board = get("/scores/merchant?limit=1"), *first = json_array_get(items(board), 0);
    json_t *id = json_incref(json_object_get(first, "id")),
           *next = json_incref(json_object_get(board, "next"));
    char expected[1024];
    snprintf(expected, sizeof expected,
             "{\"role\":\"merchant\",\"items\":[{\"rank\":1,\"tied\":true,\"id\":\"%s\",\"userId\":\"Ann "
             "(**...**000****)\","
             "\"name\":\"Ann\",\"score\":42,\"updated\":\"2023-11-14T22:13:20.000Z\"}],\"next\":\"%s\","
             "\"period\":null,\"asOf\":\"%s\"}",
             json_string_value(id), json_string_value(next), time_text(as_of_ms, as_of));
    support_assert_json(board, expected);
    assert_true(strlen(json_string_value(id)) > 20);
    assert_true(strlen(json_string_value(next)) > 20);
    json_decref(next);
    json_decref(id);
    json_decref(board);
}

static void the_body_of_a_board_is_compact_and_in_the_promised_order(void **state) {
    (void)state;
    struct waiting_call w;
    support_begin(&f, &w, "GET", "/scores/merchant?limit=1");
    support_finish(&w);
    char *text = strndup(w.call.answer->body->data, w.call.answer->body->length);
    assert_ptr_equal(strstr(text, "{\"role\":\"merchant\",\"items\":[{\"rank\":1,\"tied\":true,\"id\":\""),
                     text);
    const char *at = text;
    static const char *const names[] = {"\"userId\":", "\"name\":", "\"score\":42,\"updated\":",
                                        "}],\"next\":\"", "\",\"period\":null,\"asOf\":"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(at = strstr(at, names[i]));
    free(text);
    answer_unref(w.call.answer);
}

static void equal_scores_share_a_rank_and_the_next_rank_skips_them(void **state) {
    (void)state;
    assert_ranks("/scores/merchant", "1t 1t 3t 3t");
    scripted_store_set_score(f.store, ROLE_CREATOR, "w/m/500000005/Eve", 1);
    assert_ranks("/scores/merchant?limit=5", "1t 1t 3t 3t 5");
}

static void the_last_row_of_a_page_is_tied_if_the_next_page_has_its_score(void **state) {
    (void)state;
    assert_ranks("/scores/merchant?limit=3", "1t 1t 3t");
    assert_ranks("/scores/merchant?limit=2", "1t 1t");
    assert_ranks("/scores/photographer?limit=1", "1");
}

static void the_contributor_unknown_is_on_no_board(void **state) {
    (void)state;
    scripted_store_set_score(f.store, ROLE_CREATOR, "UNKNOWN", 42);
    scripted_store_set_score(f.store, ROLE_PHOTOGRAPHER, "UNKNOWN", 3);
    assert_ranks("/scores/merchant", "1t 1t 3t 3t");
    assert_ranks("/scores/merchant?limit=3", "1t 1t 3t"); /* and UNKNOWN has no rank */
    assert_ranks("/scores/photographer", "1");
}

static void the_role_creator_is_another_word_for_merchant(void **state) {
    (void)state;
    json_t *one = get("/scores/merchant"), *other = get("/scores/creator");
    assert_true(json_equal(one, other));
    assert_int_equal(scripted_store_reads(f.store), 1); /* both use one cache entry */
    json_decref(one);
    json_decref(other);
}

static void a_request_for_scores_returns_both_boards(void **state) {
    (void)state;
    json_t *all = get("/scores"), *merchant = get("/scores/merchant"),
           *photographer = get("/scores/photographer");
    assert_true(json_equal(json_object_get(all, "merchant"), merchant));
    assert_true(json_equal(json_object_get(all, "photographer"), photographer));
    assert_int_equal(json_object_size(all), 2);
    json_decref(all);
    json_decref(merchant);
    json_decref(photographer);
}

static void the_board_of_the_old_lambda_reader_keeps_its_form_and_contains_unknown(void **state) {
    (void)state;
    scripted_store_set_score(f.store, ROLE_CREATOR, "UNKNOWN", 50);
    json_t *one = get("/scores?role=creator"), *two = get("/scores?role=creator&limit=2");
    support_assert_json(one, "[{\"userId\":\"UNKNOWN (**...**UNK****)\",\"score\":50}]");
    support_assert_json(two, "[{\"userId\":\"UNKNOWN (**...**UNK****)\",\"score\":50},"
                             "{\"userId\":\"Ann (**...**000****)\",\"score\":42}]");
    json_decref(one);
    json_decref(two);
}

static void a_board_without_contributors_is_empty(void **state) {
    (void)state;
    struct fixture empty;
    struct api_options options = support_options();
    support_init(&empty, &options, true);
    struct got old = support_get(&empty, "/scores?role=photographer&limit=5");
    struct got new = support_get(&empty, "/scores/photographer");
    assert_int_equal(old.status, 200);
    support_assert_json(old.json, "[]");
    support_assert_json(
        new.json, "{\"role\":\"photographer\",\"items\":[],\"next\":null,\"period\":null,\"asOf\":null}");
    assert_string_equal(new.as_of, "");
    json_decref(old.json);
    json_decref(new.json);
    support_deinit(&empty);
}

static void the_as_of_of_a_board_allows_for_a_late_index_and_that_of_a_row_does_not(void **state) {
    (void)state;
    char lowered[CLOCK_TEXT_SIZE], exact[CLOCK_TEXT_SIZE];
    static const char *const late[] = {"/scores/merchant", "/scores?role=creator", "/scores",
                                       "/scores/merchant/{widget/merchant/100000001/Ann}"};
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        struct got got = support_get(&f, late[i]);
        assert_string_equal(got.as_of, time_text(as_of_ms - 1000, lowered));
        json_decref(got.json);
    }
    struct got row = support_get(&f, "/scores/{widget/merchant/100000001/Ann}");
    assert_string_equal(row.as_of, time_text(as_of_ms, exact));
    json_decref(row.json);
}

/* The time is taken before the store is read: a view that moves on while it is read does not make the answer
 * newer. */
static void the_as_of_time_of_an_answer_is_from_before_the_read(void **state) {
    (void)state;
    char before[CLOCK_TEXT_SIZE];
    struct waiting_call w;
    scripted_store_hold(f.store);
    support_begin(&f, &w, "GET", "/scores/merchant");
    assert_true(scripted_store_await_held(f.store, 1));
    support_set_as_of(&f, as_of_ms + 500);
    scripted_store_release(f.store);
    support_finish(&w);
    assert_string_equal(w.call.answer->as_of, time_text(as_of_ms, before));
    answer_unref(w.call.answer);
}

static void a_contributor_has_a_score_or_null_in_each_role(void **state) {
    (void)state;
    json_t *dan = get("/scores/{widget/merchant/400000004/Dan}"),
           *ann = get("/scores/{widget/merchant/100000001/Ann}");
    assert_string_equal(json_string_value(json_object_get(dan, "name")), "Dan");
    assert_string_equal(json_string_value(json_object_get(dan, "userId")), "Dan (**...**000****)");
    assert_int_equal(json_integer_value(json_object_get(dan, "merchant")), 7);
    assert_int_equal(json_integer_value(json_object_get(dan, "photographer")), 3);
    assert_true(json_is_null(json_object_get(ann, "photographer")));
    assert_int_equal(json_object_size(ann), 6);
    json_decref(dan);
    json_decref(ann);
}

static void an_id_from_a_board_is_accepted_in_every_path(void **state) {
    (void)state;
    json_t *board = get("/scores/merchant");
    char target[256];
    const char *id = json_string_value(json_object_get(json_array_get(items(board), 2), "id"));
    snprintf(target, sizeof target, "/scores/%s", id);
    json_t *by_id = get(target), *again = get("/scores/{widget/merchant/300000003/Cat}");
    assert_true(json_equal(by_id, again));
    assert_string_equal(json_string_value(json_object_get(by_id, "id")), id);
    assert_int_equal(scripted_store_reads(f.store), 2); /* one entry for both */
    snprintf(target, sizeof target, "/scores/merchant/%s", id);
    json_t *rank = get(target);
    assert_string_equal(json_string_value(json_object_get(rank, "name")), "Cat");
    json_decref(rank);
    json_decref(by_id);
    json_decref(again);
    json_decref(board);
}

static void a_contributor_has_a_rank_in_each_role(void **state) {
    (void)state;
    json_t *cat = get("/scores/creator/{widget/merchant/300000003/Cat}");
    assert_string_equal(json_string_value(json_object_get(cat, "role")), "merchant");
    assert_int_equal(json_integer_value(json_object_get(cat, "rank")), 3);
    assert_int_equal(json_integer_value(json_object_get(cat, "score")), 7);
    assert_true(json_is_true(json_object_get(cat, "tied")));
    assert_string_equal(json_string_value(json_object_get(cat, "updated")), "2023-11-14T22:13:20.000Z");
    assert_int_equal(json_object_size(cat), 12);
    json_decref(cat);
}

static bool is_refreshable(const char *target) {
    struct waiting_call w;
    support_begin(&f, &w, "GET", target);
    support_finish(&w);
    bool refreshable = w.call.answer->value.refreshable;
    answer_unref(w.call.answer);
    return refreshable;
}

/* One read of a board after each batch serves many clients; a rank serves one and counts up to 1000 rows. */
static void only_boards_and_not_ranks_are_read_again_after_every_batch(void **state) {
    (void)state;
    assert_true(is_refreshable("/scores/merchant"));
    assert_true(is_refreshable("/scores"));
    assert_false(is_refreshable("/scores/merchant/{widget/merchant/100000001/Ann}"));
    assert_false(is_refreshable("/scores/{widget/merchant/100000001/Ann}"));
}

static void a_contributor_beyond_the_first_thousand_has_no_rank(void **state) {
    (void)state;
    char user_id[64];
    for (int i = 0; i < LIMIT_RANKED; i++) {
        snprintf(user_id, sizeof user_id, "w/p/%09d/P", i);
        scripted_store_set_score(f.store, ROLE_PHOTOGRAPHER, user_id, 10000 - i);
    }
    json_t *last = get("/scores/photographer/{w/p/000000999/P}"),
           *beyond = get("/scores/photographer/{widget/merchant/400000004/Dan}");
    assert_int_equal(json_integer_value(json_object_get(last, "rank")), LIMIT_RANKED);
    assert_true(json_is_null(json_object_get(beyond, "rank")));
    assert_int_equal(json_integer_value(json_object_get(beyond, "score")), 3);
    json_decref(last);
    json_decref(beyond);
}

static void assert_problem(const char *target, unsigned status, const char *code) {
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, status);
    assert_string_equal(json_string_value(json_object_get(got.json, "code")), code);
    json_decref(got.json);
}

static void a_missing_contributor_is_a_404_if_the_view_has_caught_up(void **state) {
    (void)state;
    assert_problem("/scores/nobody", 404, "not-found");
    assert_problem("/scores/merchant/nobody", 404, "not-found");
    assert_problem("/scores/photographer/{widget/merchant/100000001/Ann}", 404, "not-found");
}

static void a_missing_contributor_is_view_not_ready_until_the_view_has_caught_up(void **state) {
    (void)state;
    struct fixture behind;
    struct api_options options = support_options();
    support_init(&behind, &options, false);
    for (int i = 0; i < 2; i++) { /* unknown first, then 11 s old */
        struct got got = support_get(&behind, "/scores/nobody");
        assert_int_equal(got.status, 503);
        assert_string_equal(json_string_value(json_object_get(got.json, "code")), "view-not-ready");
        json_decref(got.json);
        support_set_as_of(&behind, support_now() - 11000);
    }
    support_set_as_of(&behind, support_now()); /* view-not-ready is not cached */
    struct got got = support_get(&behind, "/scores/nobody");
    assert_int_equal(got.status, 404);
    json_decref(got.json);
    support_deinit(&behind);
}

/* Whoever asks for a guessed userId must not learn whether it exists. */
static void a_user_id_is_as_unknown_as_any_other_text_while_people_are_masked(void **state) {
    (void)state;
    static const char *const guesses[][2] = {
        {"/scores/widget%2Fmerchant%2F100000001%2FAnn", "/scores/x"},
        {"/scores/merchant/widget%2Fmerchant%2F100000001%2FAnn", "/scores/merchant/x"}};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        struct got right = support_get(&f, guesses[i][0]), wrong = support_get(&f, guesses[i][1]);
        assert_int_equal(right.status, 404);
        assert_int_equal(wrong.status, 404);
        assert_true(json_equal(right.json, wrong.json));
        json_decref(right.json);
        json_decref(wrong.json);
    }
    char longest[LIMIT_KEY_BYTES + 32] = "/scores/";
    memset(longest + 8, 'a', LIMIT_KEY_BYTES + 1);
    assert_problem(longest, 404, "not-found");
    assert_int_equal(scripted_store_reads(f.store), 0);
}

static void an_unknown_id_is_too_stale_if_the_view_is_older_than_max_lag(void **state) {
    (void)state;
    struct fixture old;
    struct api_options options = support_options();
    support_init(&old, &options, false);
    support_set_as_of(&old, support_now() - 5000);
    struct got got = support_get(&old, "/scores/x?maxLag=1000");
    assert_string_equal(json_string_value(json_object_get(got.json, "code")), "too-stale");
    json_decref(got.json);
    support_deinit(&old);
}

static void the_user_id_unknown_is_not_found(void **state) {
    (void)state;
    scripted_store_set_score(f.store, ROLE_CREATOR, "UNKNOWN", 50);
    assert_problem("/scores/UNKNOWN", 404, "not-found");
    assert_problem("/scores/merchant/UNKNOWN", 404, "not-found");
}

static void an_invalid_parameter_of_scores_is_refused_with_its_name(void **state) {
    (void)state;
    assert_problem("/scores/merchant?limit=0", 400, "invalid-parameter");
    assert_problem("/scores/merchant?limit=101", 400, "invalid-parameter");
    assert_problem("/scores/merchant?role=creator", 400, "invalid-parameter");
    assert_problem("/scores?role=nobody", 400, "invalid-parameter");
    assert_problem("/scores/nobody/x", 400, "invalid-parameter");
    assert_problem("/scores/x?limit=1", 400, "invalid-parameter");
    assert_problem("/scores/merchant?limit=", 400, "invalid-parameter");
    assert_problem("/scores/merchant?limit=1&limit=1", 400, "invalid-parameter");
    assert_problem("/scores/merchant?cursor=", 400, "invalid-parameter");
    assert_problem("/scores?cursor=x", 400, "invalid-parameter"); /* only one board has pages */
    assert_int_equal(scripted_store_reads(f.store), 0);
}

/* A cursor of another listing, or a text that is not a cursor. */
static void a_cursor_is_refused_by_every_other_listing(void **state) {
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"/scores/photographer?cursor=", ""}, {"/contributions?cursor=", ""},      {"/scores?cursor=", ""},
        {"/scores/merchant?cursor=", "A"},    {"/scores/merchant?cursor=", "%20"},
    };
    json_t *board = get("/scores/merchant?limit=2");
    const char *next = json_string_value(json_object_get(board, "next"));
    size_t reads = scripted_store_reads(f.store);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[LIMIT_URI_BYTES];
        snprintf(target, sizeof target, "%s%s%s", cases[i].before, next, cases[i].after);
        struct got got = support_get(&f, target);
        assert_int_equal(got.status, 400);
        assert_string_equal(json_string_value(json_object_get(got.json, "parameter")), "cursor");
        json_decref(got.json);
    }
    assert_int_equal(scripted_store_reads(f.store), reads);
    json_decref(board);
}

static void each_of_both_boards_is_continued_on_its_own_path(void **state) {
    (void)state;
    json_t *both = get("/scores?limit=3"), *merchant = json_object_get(both, "merchant");
    char target[LIMIT_URI_BYTES];
    snprintf(target, sizeof target, "/scores/creator?cursor=%s",
             json_string_value(json_object_get(merchant, "next")));
    assert_ranks(target, "3t");
    assert_true(json_is_null(json_object_get(json_object_get(both, "photographer"), "next")));
    json_decref(both);
}

/* A userId may be any text: a word of a route, or the id of another contributor. */
static void a_text_that_is_a_valid_opaque_id_is_not_read_as_a_user_id(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    json_t *board = get("/scores/merchant?limit=1");
    const char *anns = json_string_value(json_object_get(json_array_get(items(board), 0), "id"));
    scripted_store_set_score(f.store, ROLE_CREATOR, anns, 1);
    snprintf(target, sizeof target, "/scores/%s", anns);
    json_t *ann = get(target);
    assert_string_equal(json_string_value(json_object_get(ann, "name")), "Ann");
    assert_int_equal(json_integer_value(json_object_get(ann, "merchant")), 42);

    json_t *last = get("/scores/merchant?limit=50"); /* the contributor with that userId has another id */
    const char *other = json_string_value(json_object_get(json_array_get(items(last), 4), "id"));
    assert_string_not_equal(other, anns);
    snprintf(target, sizeof target, "/scores/merchant/%s", other);
    json_t *taker = get(target);
    assert_int_equal(json_integer_value(json_object_get(taker, "score")), 1);
    json_decref(taker);
    json_decref(last);
    json_decref(ann);
    json_decref(board);
}

static void a_user_id_that_is_a_word_of_a_route_is_found_by_its_opaque_id(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    scripted_store_set_score(f.store, ROLE_PHOTOGRAPHER, "merchant", 9);
    json_t *board = get("/scores/photographer?limit=1");
    const char *id = json_string_value(json_object_get(json_array_get(items(board), 0), "id"));
    snprintf(target, sizeof target, "/scores/%s", id);
    json_t *by_id = get(target), *word = get("/scores/%6Derchant"),
           *rank = get("/scores/photographer/{merchant}");
    assert_int_equal(json_integer_value(json_object_get(by_id, "photographer")), 9);
    assert_int_equal(json_array_size(items(word)), 4); /* an escaped word is the same word */
    assert_int_equal(json_integer_value(json_object_get(rank, "score")), 9);
    json_decref(rank);
    json_decref(word);
    json_decref(by_id);
    json_decref(board);
}

static void full_identities_show_the_user_id(void **state) {
    (void)state;
    struct fixture full;
    struct api_options options = support_options();
    options.full_identities = true;
    support_init(&full, &options, false);
    scripted_store_set_score(full.store, ROLE_CREATOR, ANN, 1);
    struct got board = support_get(&full, "/scores/merchant"),
               old = support_get(&full, "/scores?role=merchant");
    assert_string_equal(json_string_value(json_object_get(json_array_get(items(board.json), 0), "userId")),
                        ANN);
    assert_string_equal(json_string_value(json_object_get(json_array_get(old.json, 0), "userId")), ANN);
    struct got by_user_id = support_get(&full, "/scores/widget%2Fmerchant%2F100000001%2FAnn");
    assert_int_equal(by_user_id.status, 200);
    json_decref(by_user_id.json);
    json_decref(board.json);
    json_decref(old.json);
    support_deinit(&full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_board_has_ranks_names_scores_and_an_as_of),
        TEST(the_body_of_a_board_is_compact_and_in_the_promised_order),
        TEST(equal_scores_share_a_rank_and_the_next_rank_skips_them),
        TEST(the_last_row_of_a_page_is_tied_if_the_next_page_has_its_score),
        TEST(the_contributor_unknown_is_on_no_board),
        TEST(the_role_creator_is_another_word_for_merchant),
        TEST(a_request_for_scores_returns_both_boards),
        TEST(the_board_of_the_old_lambda_reader_keeps_its_form_and_contains_unknown),
        TEST(a_board_without_contributors_is_empty),
        cmocka_unit_test_setup_teardown(
            the_as_of_of_a_board_allows_for_a_late_index_and_that_of_a_row_does_not, setup_late, teardown),
        TEST(the_as_of_time_of_an_answer_is_from_before_the_read),
        TEST(a_contributor_has_a_score_or_null_in_each_role),
        TEST(an_id_from_a_board_is_accepted_in_every_path),
        TEST(a_contributor_has_a_rank_in_each_role),
        TEST(only_boards_and_not_ranks_are_read_again_after_every_batch),
        TEST(a_contributor_beyond_the_first_thousand_has_no_rank),
        TEST(a_missing_contributor_is_a_404_if_the_view_has_caught_up),
        TEST(a_missing_contributor_is_view_not_ready_until_the_view_has_caught_up),
        TEST(a_user_id_is_as_unknown_as_any_other_text_while_people_are_masked),
        TEST(an_unknown_id_is_too_stale_if_the_view_is_older_than_max_lag),
        TEST(the_user_id_unknown_is_not_found),
        TEST(an_invalid_parameter_of_scores_is_refused_with_its_name),
        TEST(a_cursor_is_refused_by_every_other_listing),
        TEST(each_of_both_boards_is_continued_on_its_own_path),
        TEST(a_text_that_is_a_valid_opaque_id_is_not_read_as_a_user_id),
        TEST(a_user_id_that_is_a_word_of_a_route_is_found_by_its_opaque_id),
        TEST(full_identities_show_the_user_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
