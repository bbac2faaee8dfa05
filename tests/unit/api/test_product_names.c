#include "api/product_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"

static void a_name_is_known_once_it_was_added_and_so_is_that_there_is_none(void **state) {
    (void)state;
    struct product_names *names = product_names_new();
    char *name = NULL;
    assert_false(product_names_find(names, "lamp", &name));
    product_names_add(names, "lamp", "Desk lamp");
    product_names_add(names, "lamp", "Another");
    product_names_add(names, "chair", NULL);
    assert_true(product_names_find(names, "lamp", &name));
    assert_string_equal(name, "Desk lamp");
    free(name);
    assert_true(product_names_find(names, "chair", &name));
    assert_null(name);
    product_names_free(names);
}

static void no_more_than_the_limit_are_kept(void **state) {
    (void)state;
    struct product_names *names = product_names_new();
    char id[16], *name = NULL;
    for (int i = 0; i <= LIMIT_PRODUCT_NAMES; i++) {
        snprintf(id, sizeof id, "p%d", i);
        product_names_add(names, id, NULL);
    }
    assert_false(product_names_find(names, "p0", &name));
    assert_true(product_names_find(names, id, &name));
    product_names_free(names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_known_once_it_was_added_and_so_is_that_there_is_none),
        cmocka_unit_test(no_more_than_the_limit_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
