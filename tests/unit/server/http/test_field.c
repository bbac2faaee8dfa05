#include "server/http/field.h"

#include "tests/unit/support/test.h"

#include <string.h>

static enum field of(const char *name) {
    return field_of(name, strlen(name));
}

static void each_header_is_recognized_in_any_case(void **state) {
    (void)state;
    assert_int_equal(of("Accept-Encoding"), FIELD_ACCEPT_ENCODING);
    assert_int_equal(of("content-length"), FIELD_CONTENT_LENGTH);
    assert_int_equal(of("EXPECT"), FIELD_EXPECT);
    assert_int_equal(of("hOsT"), FIELD_HOST);
    assert_int_equal(of("if-None-match"), FIELD_IF_NONE_MATCH);
    assert_int_equal(of("Transfer-Encoding"), FIELD_TRANSFER_ENCODING);
    assert_int_equal(of("x-request-id"), FIELD_X_REQUEST_ID);
}

static void any_other_name_is_none_of_them(void **state) {
    (void)state;
    static const char *const names[] = {
        "", "H", "Hosts", "Hos", "Accept-Language", "Sec-Fetch-Mode", "X-Forward", "Host ", "Cookie"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(of(names[i]), FIELD_OTHER);
    assert_int_equal(field_of("Host: x", 5), FIELD_OTHER);
    assert_int_equal(field_of("Host: x", 4), FIELD_HOST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_header_is_recognized_in_any_case),
        cmocka_unit_test(any_other_name_is_none_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
