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
    c->creator = mem_strdup("ann");
    c->photographer = mem_strdup("pia");
    c->creator_score = 3;
    c->photographer_score = 2;
    c->last_event_id = mem_strdup("s:9");
    c->photographer_event_id = mem_strdup("s:2");
    c->created_ms = 10;
    c->updated_ms = 20;
    c->created_by = mem_strdup("ann");
    c->updated_by = mem_strdup("cid");
    _cleanup_(contribution_freep) struct contribution *copy = contribution_copy(c);
    size_t size = contribution_size(c);
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
    assert_int_equal(contribution_size(copy), size);
}

static void the_size_of_a_contribution_counts_every_string(void **state) {
    (void)state;
    _cleanup_(contribution_freep) struct contribution *c = contribution_new("lamp");
    char **const strings[] = {&c->creator,    &c->photographer, &c->last_event_id, &c->photographer_event_id,
                              &c->created_by, &c->updated_by};
    for (size_t i = 0; i < COUNT(strings); i++) {
        size_t before = contribution_size(c);
        *strings[i] = mem_printf("%0100d", 7);
        assert_true(contribution_size(c) >= before + 101);
    }
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
        cmocka_unit_test(only_the_exact_word_unknown_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
