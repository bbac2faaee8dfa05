#include "base/buffer.h"

#include "tests/unit/support/test.h"

static void a_buffer_has_the_appended_bytes_in_order_and_a_nul_behind(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 100);
    assert_true(buffer_puts(&b, "one"));
    assert_true(buffer_putc(&b, ','));
    assert_true(buffer_printf(&b, "%s=%d", "two", 2));
    assert_true(buffer_append(&b, ",\0x", 3));
    assert_int_equal(b.length, 12);
    assert_memory_equal(b.data, "one,two=2,\0x", 13);
}

static void a_buffer_takes_its_maximum_and_not_a_byte_more(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 10);
    assert_true(buffer_puts(&b, "12345"));
    assert_true(buffer_printf(&b, "%s", "67890"));
    assert_false(b.overflowed);
    assert_false(buffer_putc(&b, 'x'));
    assert_true(b.overflowed);
    assert_string_equal(b.data, "1234567890");
}

static void a_buffer_that_overflowed_takes_nothing_more(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 4);
    assert_true(buffer_puts(&b, "ab"));
    assert_false(buffer_puts(&b, "cde"));
    assert_false(buffer_putc(&b, 'c'));
    assert_false(buffer_printf(&b, "%c", 'c'));
    assert_string_equal(b.data, "ab");
}

static void clearing_a_buffer_empties_it_and_resets_the_overflow(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 4);
    assert_false(buffer_puts(&b, "abcde"));
    buffer_clear(&b);
    assert_false(b.overflowed);
    assert_true(buffer_puts(&b, "abcd"));
    buffer_clear(&b);
    assert_int_equal(b.length, 0);
    assert_string_equal(b.data, "");
}

static void appending_nothing_to_an_empty_buffer_makes_an_empty_text(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 0);
    assert_null(b.data);
    assert_true(buffer_append(&b, NULL, 0));
    assert_string_equal(b.data, "");
    assert_false(b.overflowed);
}

static void detaching_empties_the_buffer_and_keeps_its_maximum(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 3);
    buffer_puts(&b, "abc");
    _cleanup_(mem_freep) char *first = buffer_detach(&b);
    assert_string_equal(first, "abc");
    _cleanup_(mem_freep) char *second = buffer_detach(&b);
    assert_string_equal(second, "");
    assert_true(buffer_puts(&b, "def"));
    assert_false(buffer_putc(&b, 'g'));
}

static void a_buffer_that_grows_loses_no_byte(void **state) {
    (void)state;
    _cleanup_(buffer_deinit) struct buffer b;
    buffer_init(&b, 5000);
    for (int i = 0; i < 5000; i++)
        assert_true(buffer_putc(&b, (char)('a' + i % 26)));
    assert_int_equal(b.length, 5000);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    assert_false(buffer_putc(&b, 'x'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_has_the_appended_bytes_in_order_and_a_nul_behind),
        cmocka_unit_test(a_buffer_takes_its_maximum_and_not_a_byte_more),
        cmocka_unit_test(a_buffer_that_overflowed_takes_nothing_more),
        cmocka_unit_test(clearing_a_buffer_empties_it_and_resets_the_overflow),
        cmocka_unit_test(appending_nothing_to_an_empty_buffer_makes_an_empty_text),
        cmocka_unit_test(detaching_empties_the_buffer_and_keeps_its_maximum),
        cmocka_unit_test(a_buffer_that_grows_loses_no_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
