#include "views/contribution.h"

#include "base/mem.h"
#include "tests/unit/support/test.h"

static void a_contribution_has_its_own_texts(void **state) {
    (void)state;
    char product[] = "lamp", creator[] = "ann", image[] = "";
    const char *const texts[CONTRIBUTION_TEXTS] = {
        [CONTRIBUTION_PRODUCT_ID] = product, [CONTRIBUTION_CREATOR] = creator, [CONTRIBUTION_IMAGE] = image};
    _cleanup_(contribution_freep) struct contribution *c = contribution_from(texts);
    *product = *creator = *image = 'x';
    assert_string_equal(c->product_id, "lamp");
    assert_string_equal(c->creator, "ann");
    assert_string_equal(c->image, "");
    assert_null(c->photographer);
    assert_null(c->last_event_id);
    assert_int_equal(c->creator_score, 0);
    assert_int_equal(c->place, 0);
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
        cmocka_unit_test(a_contribution_has_its_own_texts),
        cmocka_unit_test(only_the_exact_word_unknown_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
