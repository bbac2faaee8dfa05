#include "ingest/event_json.h"

#include "base/mem.h"
#include "tests/unit/support/test.h"

/* In a block of its own, for the address sanitizer. */
static bool is_plain(struct event_json *out, const char *text, size_t length) {
    _cleanup_(mem_freep) char *data = mem_dup(text, length);
    return event_json_read_plain(out, data, length);
}

static void assert_value(const struct event_object *object, enum event_member member, const char *expected) {
    const struct event_value *value = &object->values[member];
    assert_int_equal(value->type, VALUE_STRING);
    assert_int_equal(value->length, strlen(expected));
    assert_memory_equal(value->text, expected, value->length);
}

static void members_are_read_in_any_order_and_between_white_space(void **state) {
    (void)state;
    static const char text[] =
        " {\"eventId\":\"s:1\",\t\"data\" : { \"image\" : \"\" ,\r\n\"id\":\"l\xc3\xa4mp\"} "
        ",\"schema\":\"a schema of more than eight bytes\"}\n";
    struct event_json json;
    assert_true(event_json_read_plain(&json, text, sizeof text - 1));
    assert_value(&json.envelope, MEMBER_EVENT_ID, "s:1");
    assert_value(&json.envelope, MEMBER_SCHEMA, "a schema of more than eight bytes");
    assert_value(&json.data, MEMBER_IMAGE, "");
    assert_value(&json.data, MEMBER_ID, "l\xc3\xa4mp");
    assert_int_equal(json.envelope.values[MEMBER_DATA].type, VALUE_OBJECT);
    assert_int_equal(json.envelope.values[MEMBER_ORIGIN].type, VALUE_MISSING);
    assert_int_equal(json.data.values[MEMBER_SCHEMA].type, VALUE_MISSING);
}

static void whatever_else_is_not_plain(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "\"id\"",
        "[]",
        "{",
        "{}",
        "{\"id\"",
        "{\"id\":",
        "{\"id\":\"",
        "{\"id\":\"a",
        "{\"id\":\"a\"",
        "{\"id\":\"a\",",
        "{\"id\":\"a\",}",
        "{,\"id\":\"a\"}",
        "{\"id\" \"a\"}",
        "{\"id\":\"a\" \"name\":\"b\"}",
        "{\"id\":\"a\"}}",
        "{\"id\":\"a\"} x",
        "{\"id\":'a'}",
        "{id:\"a\"}",
        "\xef\xbb\xbf{\"id\":\"a\"}",
        "{\"id\":\"a\"}\f",
        "{\"id\":1}",
        "{\"id\":null}",
        "{\"id\":[\"a\"]}",
        "{\"id\":{\"id\":\"a\"}}",
        "{\"data\":{}}",
        "{\"data\":{\"data\":{\"id\":\"a\"}}}",
        "{\"data\":{\"id\":\"a\"}",
        "{\"data\":{\"id\":\"a\",\"id\":\"a\"}}",
        "{\"data\":{\"id\":\"a\"},\"data\":{\"name\":\"a\"}}",
        "{\"data\":\"a\",\"data\":{\"name\":\"a\"}}",
        "{\"id\":\"a\",\"id\":\"a\"}",
        "{\"ID\":\"a\"}",
        "{\"id2\":\"a\"}",
        "{\"\":\"a\"}",
        "{\"i\\u0064\":\"a\"}",
        "{\"id\":\"\\u0061\"}",
        "{\"id\":\"a\\\\\"}",
    };
    struct event_json json;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (is_plain(&json, texts[i], strlen(texts[i])))
            fail_msg("plain: %s", texts[i]);
    assert_true(is_plain(&json, "{\"id\":\"a\"}", 10));
    assert_false(is_plain(&json, "{\"id\":\"a\"}", 11)); /* NUL */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_in_any_order_and_between_white_space),
        cmocka_unit_test(whatever_else_is_not_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
