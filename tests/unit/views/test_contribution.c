#include "views/contribution.h"

#include "tests/unit/support/contribution.h"
#include "tests/unit/support/test.h"

static void a_new_contribution_has_only_a_product(void **state) {
    (void)state;
    _cleanup_(contribution_freep) struct contribution *c = contribution_new("lamp");
    assert_string_equal(c->product_id, "lamp");
    assert_null(c->creator);
    assert_null(c->photographer);
    assert_null(c->last_event_id);
    assert_null(c->photographer_event_id);
    assert_null(c->created_by);
    assert_null(c->updated_by);
    assert_int_equal(c->creator_score, 0);
    assert_int_equal(c->photographer_score, 0);
}

static void a_copy_of_a_contribution_is_equal_and_outlives_the_original(void **state) {
    (void)state;
    struct contribution *c = contribution_new("lamp");
    contribution_set_text(c, CONTRIBUTION_CREATOR, "ann");
    contribution_set_text(c, CONTRIBUTION_PHOTOGRAPHER, "pia");
    c->creator_score = 3;
    c->photographer_score = 2;
    contribution_set_text(c, CONTRIBUTION_LAST_EVENT_ID, "s:9");
    contribution_set_text(c, CONTRIBUTION_PHOTOGRAPHER_EVENT_ID, "s:2");
    c->created_ms = 10;
    c->updated_ms = 20;
    contribution_set_text(c, CONTRIBUTION_CREATED_BY, "ann");
    contribution_set_text(c, CONTRIBUTION_UPDATED_BY, "cid");
    _cleanup_(contribution_freep) struct contribution *copy = contribution_copy(c);
    contribution_freep(&c);
    assert_null(c);

    assert_string_equal(copy->product_id, "lamp");
    assert_string_equal(copy->creator, "ann");
    assert_string_equal(copy->photographer, "pia");
    assert_int_equal(copy->creator_score, 3);
    assert_int_equal(copy->photographer_score, 2);
    assert_string_equal(copy->last_event_id, "s:9");
    assert_string_equal(copy->photographer_event_id, "s:2");
    assert_int_equal(copy->created_ms, 10);
    assert_int_equal(copy->updated_ms, 20);
    assert_string_equal(copy->created_by, "ann");
    assert_string_equal(copy->updated_by, "cid");
}

static void the_size_of_a_contribution_counts_every_string(void **state) {
    (void)state;
    _cleanup_(contribution_freep) struct contribution *c = contribution_new("lamp");
    _cleanup_(mem_freep) char *text = mem_printf("%0100d", 7);
    for (size_t i = CONTRIBUTION_CREATOR; i < CONTRIBUTION_TEXTS; i++) {
        contribution_set_text(c, i, text);
        assert_true(contribution_size(c) >= sizeof *c + i * (strlen(text) + 1));
    }
}

static void each_text_is_as_it_was_set_last(void **state) {
    (void)state;
    enum { SETS = 20000, LONGEST = 90 };
    char expected[CONTRIBUTION_TEXTS][LONGEST + 1] = {"lamp"};
    _cleanup_(contribution_freep) struct contribution *c = contribution_new("lamp");
    const char *key = c->product_id;
    for (int n = 0; n < SETS; n++) {
        size_t i = 1 + (size_t)rand() % (CONTRIBUTION_TEXTS - 1);
        snprintf(expected[i], sizeof expected[i], "%0*d", 1 + rand() % (LONGEST - 1), n);
        contribution_set_text(c, i, expected[i]);
        for (size_t k = 0; k < CONTRIBUTION_TEXTS; k++)
            assert_string_equal(contribution_text(c, k) ? contribution_text(c, k) : "", expected[k]);
    }
    assert_ptr_equal(c->product_id, key);
    assert_in_range(contribution_size(c), 0, sizeof *c + CONTRIBUTION_TEXTS * (LONGEST + 1) + 200);
}

static void a_text_may_be_set_to_another_of_the_same_row(void **state) {
    (void)state;
    _cleanup_(contribution_freep) struct contribution *c = contribution_new("lamp");
    contribution_set_text(c, CONTRIBUTION_CREATOR,
                          "a contributor with quite a long name, so that the texts move");
    for (size_t i = CONTRIBUTION_PHOTOGRAPHER; i < CONTRIBUTION_TEXTS; i++) {
        contribution_set_text(c, i, c->creator);
        assert_string_equal(contribution_text(c, i), c->creator);
    }
    contribution_set_text(c, CONTRIBUTION_CREATOR, NULL);
    assert_null(c->creator);
}

static void only_the_exact_word_unknown_is_unknown(void **state) {
    (void)state;
    assert_true(contribution_is_unknown("UNKNOWN"));
    assert_false(contribution_is_unknown("unknown"));
    assert_false(contribution_is_unknown(""));
    assert_false(contribution_is_unknown(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_contribution_has_only_a_product),
        cmocka_unit_test(a_copy_of_a_contribution_is_equal_and_outlives_the_original),
        cmocka_unit_test(the_size_of_a_contribution_counts_every_string),
        cmocka_unit_test(each_text_is_as_it_was_set_last),
        cmocka_unit_test(a_text_may_be_set_to_another_of_the_same_row),
        cmocka_unit_test(only_the_exact_word_unknown_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
