/* Boards page by page: api/boards.c over a store that a test changes between two pages. */
#include "tests/unit/support/api.h"

#include <poll.h>
#include <stdio.h>

enum { MAX_PEOPLE = 40, BOARDS = 60 };

static struct fixture f;
static uint64_t seed; /* of a board; a failure prints it */

/* Nothing is served from the cache: each page is as the board is now. */
static int setup(void **state) {
    (void)state;
    struct api_options options = support_options_without_cache();
    options.full_identities = true;
    support_init(&f, &options, false);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

/* An xorshift: 0 to n - 1. */
static unsigned draw(uint64_t *random, unsigned n) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random % n);
}

static json_t *get_page(const char *next, unsigned limit) {
    char target[LIMIT_URI_BYTES];
    snprintf(target, sizeof target, "/scores/merchant?limit=%u%s%s", limit, next ? "&cursor=" : "",
             next ? next : "");
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 200);
    return got.json;
}

struct shown {
    size_t person; /* the number that is the userId */
    int64_t rank, score;
    bool tied;
};

struct listing {
    size_t n;
    struct shown items[4 * MAX_PEOPLE];
};

static int64_t number(const json_t *item, const char *name) {
    return json_integer_value(json_object_get(item, name));
}

/* Appends a page; returns its `next` (a new string), NULL on the last page. */
static char *append_page(struct listing *listing, const char *next, unsigned limit) {
    json_t *page = get_page(next, limit), *item;
    size_t i;
    json_array_foreach(json_object_get(page, "items"), i, item) {
        assert_true(listing->n < sizeof listing->items / sizeof *listing->items);
        listing->items[listing->n++] = (struct shown){
            .person = strtoul(json_string_value(json_object_get(item, "userId")), NULL, 10),
            .rank = number(item, "rank"),
            .score = number(item, "score"),
            .tied = json_is_true(json_object_get(item, "tied")),
        };
    }
    const char *text = json_string_value(json_object_get(page, "next"));
    assert_true(!text || i == limit); /* only the last page is short */
    char *copy = text ? mem_strdup(text) : NULL;
    json_decref(page);
    return copy;
}

/* A board that does not change. */

struct page {
    size_t n; /* people, without UNKNOWN */
    int64_t scores[MAX_PEOPLE];
};

static void set_board(struct page *board) {
    uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
    unsigned highest = 1 + draw(&random, 6); /* few scores: many ties */
    char user_id[32];
    board->n = draw(&random, MAX_PEOPLE);
    for (size_t i = 0; i < board->n; i++) {
        board->scores[i] = 1 + draw(&random, highest);
        snprintf(user_id, sizeof user_id, "%zu", i);
        scripted_store_set_score(f.store, ROLE_CREATOR, user_id, board->scores[i]);
    }
    if (draw(&random, 3))
        scripted_store_set_score(f.store, ROLE_CREATOR, CONTRIBUTION_UNKNOWN, 1 + draw(&random, highest));
}

static void assert_is_whole(const struct page *board, const struct listing *listing, unsigned limit) {
    bool seen[MAX_PEOPLE] = {false};
    if (listing->n != board->n)
        fail_msg("seed %d, limit %u: %zu of %zu people", (int)seed, limit, listing->n, board->n);
    for (size_t i = 0; i < listing->n; i++) {
        const struct shown *shown = &listing->items[i];
        int64_t above = 0, equal = 0;
        for (size_t k = 0; k < board->n; k++) {
            above += board->scores[k] > shown->score;
            equal += board->scores[k] == shown->score;
        }
        if (seen[shown->person] || shown->score != board->scores[shown->person] || shown->rank != above + 1 ||
            shown->tied != (equal > 1) || (i > 0 && shown->score > shown[-1].score))
            fail_msg("seed %d, limit %u, item %zu: rank %d%s for %d", (int)seed, limit, i, (int)shown->rank,
                     shown->tied ? " tied" : "", (int)shown->score);
        seen[shown->person] = true;
    }
}

static void assert_pages_join(const struct page *board, unsigned limit, unsigned then) {
    struct listing listing = {0};
    char *next = NULL;
    do {
        char *last = next;
        size_t before = listing.n;
        next = append_page(&listing, last, before ? then : limit);
        assert_true(listing.n > before || !last); /* no cursor leads to an empty page */
        free(last);
    } while (next);
    assert_is_whole(board, &listing, limit);
}

static void on_each_board(void (*check)(const struct page *board)) {
    for (seed = 1; seed <= BOARDS; seed++) {
        struct page board;
        setup(NULL);
        set_board(&board);
        check(&board);
        teardown(NULL);
    }
}

static void check_every_limit(const struct page *board) {
    for (unsigned limit = 1; limit <= board->n + 2; limit += 1 + (board->n > 20 && limit > 4))
        assert_pages_join(board, limit, limit);
}

static void check_changing_limits(const struct page *board) {
    assert_pages_join(board, 1, 7);
    assert_pages_join(board, 5, 2);
    assert_pages_join(board, 3, 100);
}

static void the_pages_of_a_board_are_together_the_whole_board_for_every_limit(void **state) {
    (void)state;
    on_each_board(check_every_limit);
}

static void pages_of_a_board_with_different_limits_are_together_the_whole_board(void **state) {
    (void)state;
    on_each_board(check_changing_limits);
}

/* A board that changes. */

/* Adds people and changes scores, also downwards. */
static void move_some(uint64_t *random) {
    for (unsigned i = draw(random, 8); i > 0; i--) {
        char user_id[32];
        snprintf(user_id, sizeof user_id, "%u", draw(random, MAX_PEOPLE));
        scripted_store_set_score(f.store, ROLE_CREATOR, user_id, 1 + draw(random, 9));
    }
}

static void assert_is_in_order(const struct listing *listing) {
    for (size_t i = 1; i < listing->n; i++) {
        const struct shown *now = &listing->items[i], *before = now - 1;
        bool same = now->score == before->score;
        if (now->score > before->score || now->rank < before->rank || same != (now->rank == before->rank) ||
            (same && !now->tied))
            fail_msg("seed %d, item %zu: rank %d for %d after %d for %d", (int)seed, i, (int)now->rank,
                     (int)now->score, (int)before->rank, (int)before->score);
    }
}

static void assert_rises_and_ends(uint64_t *random, unsigned limit) {
    struct listing listing = {0};
    char *next = NULL;
    do {
        char *last = next;
        next = append_page(&listing, last, limit);
        free(last);
        move_some(random);
    } while (next && listing.n < 3 * MAX_PEOPLE);
    assert_null(next);
    assert_is_in_order(&listing);
}

static void the_listing_of_a_changing_board_ends_and_its_ranks_never_decrease(void **state) {
    (void)state;
    for (seed = 1; seed <= BOARDS; seed++) {
        uint64_t random = seed;
        struct page board;
        setup(NULL);
        set_board(&board);
        for (unsigned limit = 1; limit <= 5; limit++)
            assert_rises_and_ends(&random, limit);
        teardown(NULL);
    }
}

/* Pages that are kept. */

static int64_t first_score(struct fixture *kept, const char *target) {
    struct got got = support_get(kept, target);
    assert_int_equal(got.status, 200);
    int64_t score = number(json_array_get(json_object_get(got.json, "items"), 0), "score");
    json_decref(got.json);
    return score;
}

/* A client that reads all pages does not return to each: only the first is worth a read after every write. */
static void only_the_first_page_of_a_board_is_read_again_in_the_background(void **state) {
    (void)state;
    struct fixture kept;
    struct api_options options = support_options();
    char target[LIMIT_URI_BYTES];
    support_init(&kept, &options, false);
    scripted_store_set_score(kept.store, ROLE_CREATOR, "w/m/1/A", 100);
    scripted_store_set_score(kept.store, ROLE_CREATOR, "w/m/2/B", 1);
    struct got page = support_get(&kept, "/scores/merchant?limit=1");
    snprintf(target, sizeof target, "/scores/merchant?limit=1&cursor=%s",
             json_string_value(json_object_get(page.json, "next")));
    json_decref(page.json);
    for (int64_t round = 1; round <= 2; round++) {
        assert_int_equal(first_score(&kept, target), 1);
        scripted_store_set_score(kept.store, ROLE_CREATOR, "w/m/1/A", 100 + round);
        scripted_store_set_score(kept.store, ROLE_CREATOR, "w/m/2/B", 1 + round);
        api_rows_changed(kept.api, NULL, 0, NULL, 0);
        int64_t deadline_ms = clock_boot_ms() + 20000;
        while (first_score(&kept, "/scores/merchant?limit=1") != 100 + round) {
            assert_true(clock_boot_ms() < deadline_ms);
            poll(NULL, 0, 5);
        }
    }
    assert_int_equal(first_score(&kept, target), 1);
    support_deinit(&kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pages_of_a_board_are_together_the_whole_board_for_every_limit),
        cmocka_unit_test(pages_of_a_board_with_different_limits_are_together_the_whole_board),
        cmocka_unit_test(the_listing_of_a_changing_board_ends_and_its_ranks_never_decrease),
        cmocka_unit_test(only_the_first_page_of_a_board_is_read_again_in_the_background),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
