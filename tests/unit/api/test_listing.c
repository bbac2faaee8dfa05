#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/listing.h"

static struct view view;
static struct sealer *sealer;
static struct listing_scope merchants, photographers;

static struct listing_scope scope_of(const char *template) {
    struct listing_scope scope;
    struct cache_key key;
    cache_key_begin(&key, template);
    listing_scope_of(&view, &key, &scope);
    return scope;
}

static int setup(void **state) {
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";
    struct error e;
    sealer = view.sealer = seal_new(key, &e);
    strcpy(view.order, "scripted/1");
    merchants = scope_of("merchants");
    photographers = scope_of("photographers");
    return sealer ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    seal_free(sealer);
    return 0;
}

static const struct listing_cursor samples[] = {
    {.score = 42, .rank = 3, .rows = 4, .after = "widget/merchant/123456789/Zoë"},
    {.score = INT64_MAX, .rank = INT64_MAX, .rows = INT64_MAX, .after = "a"},
    {.score = -1, .rank = 1, .rows = 256, .after = "w/m/1/ "},
    {.after = "p"},
    {.score = 7, .rows = LISTING_UNCOUNTED, .up = true, .after = "w/m/1/A"},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static struct listing_cursor longest(void) {
    struct listing_cursor cursor = {.score = INT64_MIN, .rank = INT64_MIN, .rows = INT64_MIN};
    memset(cursor.after, 'x', LIMIT_KEY_BYTES);
    return cursor;
}

static void assert_same(const struct listing_cursor *a, const struct listing_cursor *b) {
    assert_int_equal(a->score, b->score);
    assert_int_equal(a->rank, b->rank);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->up, b->up);
    assert_string_equal(a->after, b->after);
}

static void assert_round_trip(const struct listing_cursor *cursor) {
    struct listing_cursor back;
    char *sealed = listing_seal_cursor(sealer, &merchants, cursor);
    memset(&back, 'x', sizeof back);
    assert_true(listing_open_cursor(sealer, &merchants, sealed, &back));
    assert_same(&back, cursor);
    free(sealed);
}

static void a_cursor_is_decoded_to_its_place_in_the_listing(void **state) {
    (void)state;
    const struct listing_cursor largest = longest();
    for (size_t i = 0; i < SAMPLES; i++)
        assert_round_trip(&samples[i]);
    assert_round_trip(&largest);
}

static void the_same_place_of_a_listing_has_the_same_cursor(void **state) {
    (void)state;
    char *one = listing_seal_cursor(sealer, &merchants, &samples[0]),
         *same = listing_seal_cursor(sealer, &merchants, &samples[0]),
         *other = listing_seal_cursor(sealer, &merchants, &samples[2]);
    assert_string_equal(one, same);
    assert_string_not_equal(one, other);
    assert_null(strstr(one, "123"));
    assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     strlen(one));
    free(one);
    free(same);
    free(other);
}

static void a_cursor_of_one_listing_is_refused_by_the_others(void **state) {
    (void)state;
    struct listing_cursor back;
    char *sealed = listing_seal_cursor(sealer, &merchants, &samples[0]);
    assert_false(listing_open_cursor(sealer, &photographers, sealed, &back));
    strcpy(view.order, "scripted/2"); /* other partitions: rows with equal scores stand in another order */
    const struct listing_scope other = scope_of("merchants");
    strcpy(view.order, "scripted/1");
    assert_false(listing_open_cursor(sealer, &other, sealed, &back));
    free(sealed);
}

static void a_cursor_that_was_changed_is_refused(void **state) {
    (void)state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=%";
    struct listing_cursor back;
    char *sealed = listing_seal_cursor(sealer, &merchants, &samples[0]);
    for (size_t i = 0; sealed[i]; i++) {
        char kept = sealed[i];
        for (const char *c = alphabet; *c; c++) {
            sealed[i] = *c;
            assert_int_equal(listing_open_cursor(sealer, &merchants, sealed, &back), *c == kept);
        }
        sealed[i] = kept;
    }
    while (*sealed) { /* a cut cursor is refused too */
        sealed[strlen(sealed) - 1] = '\0';
        assert_false(listing_open_cursor(sealer, &merchants, sealed, &back));
    }
    free(sealed);
}

static bool opens(const char *data, size_t length) {
    struct listing_cursor back;
    char *sealed = seal_make(sealer, SEAL_CURSOR, data, length);
    bool is_open = listing_open_cursor(sealer, &photographers, sealed, &back);
    free(sealed);
    return is_open;
}

/* The first byte is the version. */
static void a_cursor_of_another_version_is_refused(void **state) {
    (void)state;
    enum { HEAD = 42 };
    static char data[HEAD + LIMIT_KEY_BYTES + 1] = {2};
    memcpy(data + 2, photographers.digest, sizeof photographers.digest);
    memset(data + HEAD, 'x', LIMIT_KEY_BYTES + 1);
    assert_true(opens(data, HEAD + 1));
    assert_true(opens(data, HEAD + LIMIT_KEY_BYTES));
    assert_false(opens(data, HEAD + LIMIT_KEY_BYTES + 1)); /* longer than any key */
    assert_false(opens(data, HEAD));                       /* no row */
    assert_false(opens(data, 1));
    data[1] = 2; /* no direction */
    assert_false(opens(data, HEAD + 1));
    data[1] = 0;
    data[0] = 1;
    assert_false(opens(data, HEAD + 1));
    data[0] = 3;
    assert_false(opens(data, HEAD + 1));
}

static void an_id_is_refused_as_a_cursor_and_a_cursor_as_an_id(void **state) {
    (void)state;
    struct listing_cursor back;
    char *id = seal_make(sealer, SEAL_ID, "w/m/1/A", 7),
         *sealed = listing_seal_cursor(sealer, &merchants, &samples[0]);
    assert_false(listing_open_cursor(sealer, &merchants, id, &back));
    assert_null(seal_open(sealer, SEAL_ID, sealed, NULL));
    free(id);
    free(sealed);
}

/* In requests and keys. */

static bool prepare(const char *query, struct cache_key *key, struct problem *p) {
    struct request request;
    char target[LIMIT_URI_BYTES];
    snprintf(target, sizeof target, "/scores/photographer?%s", query);
    assert_true(request_parse(&request, target, strlen(target), p));
    cache_key_begin(key, "photographers");
    return listing_add_page(&view, &request, 10, key, p);
}

static void read_page(const struct cache_key *key, struct listing_page *page) {
    const char *parts[CACHE_KEY_PARTS];
    cache_key_split(key->bytes, key->length, parts);
    memset(page, 'x', sizeof *page);
    listing_read_page(parts + 1, page);
}

static void assert_round_trip_in_a_key(const struct listing_cursor *cursor) {
    struct cache_key key;
    struct problem p;
    struct listing_page page;
    char query[LIMIT_URI_BYTES], *sealed = listing_seal_cursor(sealer, &photographers, cursor);
    snprintf(query, sizeof query, "limit=100&cursor=%s", sealed);
    assert_true(prepare(query, &key, &p));
    read_page(&key, &page);
    assert_false(page.is_first);
    assert_int_equal(page.limit, 100);
    assert_same(&page.from, cursor);
    assert_null(memmem(key.bytes, key.length, sealed, strlen(sealed))); /* decoded */
    free(sealed);
}

static void a_cache_key_holds_a_limit_and_a_cursor(void **state) {
    (void)state;
    const struct listing_cursor largest = longest();
    for (size_t i = 0; i < SAMPLES; i++)
        assert_round_trip_in_a_key(&samples[i]);
    assert_round_trip_in_a_key(&largest); /* the largest key possible */
}

static void a_request_without_a_cursor_is_for_the_first_page(void **state) {
    (void)state;
    struct cache_key key;
    struct problem p;
    struct listing_page page;
    assert_true(prepare("", &key, &p));
    read_page(&key, &page);
    assert_true(page.is_first);
    assert_int_equal(page.limit, 10);
    assert_int_equal(page.from.rows, 0);
}

static void an_invalid_cursor_is_refused_with_the_name_of_the_parameter(void **state) {
    (void)state;
    static const char *const queries[] = {"cursor=", "cursor", "cursor=x",
                                          "cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct cache_key key;
        struct problem p;
        assert_false(prepare(queries[i], &key, &p));
        assert_int_equal(p.type, PROBLEM_INVALID_PARAMETER);
        assert_string_equal(p.parameter, "cursor");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_is_decoded_to_its_place_in_the_listing),
        cmocka_unit_test(the_same_place_of_a_listing_has_the_same_cursor),
        cmocka_unit_test(a_cursor_of_one_listing_is_refused_by_the_others),
        cmocka_unit_test(a_cursor_that_was_changed_is_refused),
        cmocka_unit_test(a_cursor_of_another_version_is_refused),
        cmocka_unit_test(an_id_is_refused_as_a_cursor_and_a_cursor_as_an_id),
        cmocka_unit_test(a_cache_key_holds_a_limit_and_a_cursor),
        cmocka_unit_test(a_request_without_a_cursor_is_for_the_first_page),
        cmocka_unit_test(an_invalid_cursor_is_refused_with_the_name_of_the_parameter),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
