#include "aws/eventstream.h"

#include <string.h>
#include <zlib.h>

#include "aws/service_error.h"
#include "base/limits.h"
#include "tests/unit/support/test.h"

static struct eventstream s;
static struct error e;

static int set_up(void **state) {
    (void)state;
    eventstream_init(&s);
    e = (struct error){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    eventstream_deinit(&s);
    return 0;
}

/* Published: the first three vectors of aws-c-event-stream. */
static const uint8_t empty[] = {0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
                                0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff};
static const uint8_t payload_only[] = {0x00, 0x00, 0x00, 0x1d, 0x00, 0x00, 0x00, 0x00, 0xfd, 0x52,
                                       0x8c, 0x5a, 0x7b, 0x27, 0x66, 0x6f, 0x6f, 0x27, 0x3a, 0x27,
                                       0x62, 0x61, 0x72, 0x27, 0x7d, 0xc3, 0x65, 0x39, 0x36};
static const uint8_t with_header[] = {
    0x00, 0x00, 0x00, 0x3d, 0x00, 0x00, 0x00, 0x20, 0x07, 0xfd, 0x83, 0x96, 0x0c, 'c',  'o',  'n',
    't',  'e',  'n',  't',  '-',  't',  'y',  'p',  'e',  0x07, 0x00, 0x10, 'a',  'p',  'p',  'l',
    'i',  'c',  'a',  't',  'i',  'o',  'n',  '/',  'j',  's',  'o',  'n',  0x7b, 0x27, 0x66, 0x6f,
    0x6f, 0x27, 0x3a, 0x27, 0x62, 0x61, 0x72, 0x27, 0x7d, 0x8d, 0x9c, 0x08, 0xb1};

/* Feeds all of it until there is a message or none can be; returns how many bytes were taken. */
static size_t feed(const uint8_t *bytes, size_t length, size_t piece) {
    size_t taken = 0;
    while (taken < length && s.state < EVENTSTREAM_WHOLE)
        taken += eventstream_take(&s, bytes + taken, length - taken < piece ? length - taken : piece, &e);
    return taken;
}

static void assert_payload(const char *expected) {
    size_t length;
    const char *payload = eventstream_payload(&s, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(payload, expected, length);
}

static void assert_broken(const char *code) {
    assert_int_equal(s.state, EVENTSTREAM_BROKEN);
    assert_string_equal(e.code, code);
}

static void put_u32(uint8_t *at, uint32_t number) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* A message of these headers and payload, with the right lengths and checksums. */
static size_t make(uint8_t *out, const void *headers, size_t headers_length, const char *payload) {
    size_t n = 12 + headers_length + strlen(payload);
    put_u32(out, (uint32_t)n + 4);
    put_u32(out + 4, (uint32_t)headers_length);
    put_u32(out + 8, (uint32_t)crc32(0, out, 8));
    memcpy(out + 12, headers, headers_length);
    memcpy(out + 12 + headers_length, payload, strlen(payload));
    put_u32(out + n, (uint32_t)crc32(0, out, (uInt)n));
    return n + 4;
}

static void the_published_messages_are_decoded(void **state) {
    (void)state;
    char type[32];
    assert_int_equal(feed(empty, sizeof empty, sizeof empty), sizeof empty);
    assert_int_equal(s.state, EVENTSTREAM_WHOLE);
    assert_payload("");
    assert_false(eventstream_header(&s, "content-type", type, sizeof type));
    eventstream_next(&s);
    feed(payload_only, sizeof payload_only, sizeof payload_only);
    assert_payload("{'foo':'bar'}");
    eventstream_next(&s);
    feed(with_header, sizeof with_header, sizeof with_header);
    assert_payload("{'foo':'bar'}");
    assert_true(eventstream_header(&s, "content-type", type, sizeof type));
    assert_string_equal(type, "application/json");
}

static void a_message_in_pieces_of_any_size_is_the_same(void **state) {
    (void)state;
    char type[32];
    for (size_t piece = 1; piece <= sizeof with_header; piece++) {
        feed(with_header, sizeof with_header, piece);
        assert_int_equal(s.state, EVENTSTREAM_WHOLE);
        assert_payload("{'foo':'bar'}");
        assert_true(eventstream_header(&s, "content-type", type, sizeof type));
        eventstream_next(&s);
    }
}

static void messages_that_follow_at_once_are_taken_one_at_a_time(void **state) {
    (void)state;
    uint8_t three[sizeof with_header + sizeof empty + sizeof payload_only];
    memcpy(three, with_header, sizeof with_header);
    memcpy(three + sizeof with_header, empty, sizeof empty);
    memcpy(three + sizeof with_header + sizeof empty, payload_only, sizeof payload_only);
    size_t at = feed(three, sizeof three, sizeof three);
    assert_int_equal(at, sizeof with_header);
    assert_int_equal(eventstream_take(&s, three + at, sizeof three - at, &e), 0);
    eventstream_next(&s);
    at += feed(three + at, sizeof three - at, sizeof three);
    assert_int_equal(at, sizeof with_header + sizeof empty);
    eventstream_next(&s);
    feed(three + at, sizeof three - at, sizeof three);
    assert_payload("{'foo':'bar'}");
}

static void a_message_that_is_cut_anywhere_is_never_whole(void **state) {
    (void)state;
    for (size_t length = 0; length < sizeof with_header; length++) {
        assert_int_equal(feed(with_header, length, 7), length);
        assert_true(s.state == EVENTSTREAM_PRELUDE || s.state == EVENTSTREAM_BODY);
        eventstream_deinit(&s);
    }
}

/* A CRC-32 finds every single wrong bit, and every wrong byte. */
static void a_byte_that_is_wrong_anywhere_breaks_the_stream(void **state) {
    (void)state;
    for (size_t at = 0; at < sizeof with_header; at++)
        for (int bits = 1; bits < 256; bits++) {
            uint8_t bytes[sizeof with_header];
            memcpy(bytes, with_header, sizeof bytes);
            bytes[at] ^= (uint8_t)bits;
            feed(bytes, sizeof bytes, sizeof bytes);
            assert_broken(AWS_ERROR_CHECKSUM);
            assert_int_equal(e.status, STATUS_RETRY);
            assert_int_equal(eventstream_take(&s, bytes, sizeof bytes, &e), 0);
            eventstream_deinit(&s);
        }
}

static void the_length_is_known_before_the_memory_is_taken(void **state) {
    (void)state;
    assert_int_equal(eventstream_total(&s), 0);
    assert_int_equal(eventstream_take(&s, with_header, sizeof with_header, &e), EVENTSTREAM_PRELUDE_BYTES);
    assert_int_equal(s.state, EVENTSTREAM_BODY);
    assert_int_equal(eventstream_total(&s), sizeof with_header);
    assert_null(s.body);
}

static void break_by_lengths(uint32_t total, uint32_t headers, const char *code) {
    uint8_t prelude[12];
    put_u32(prelude, total);
    put_u32(prelude + 4, headers);
    put_u32(prelude + 8, (uint32_t)crc32(0, prelude, 8));
    feed(prelude, sizeof prelude, sizeof prelude);
    assert_broken(code);
    assert_int_equal(eventstream_total(&s), 0);
    eventstream_deinit(&s);
}

static void lengths_that_no_message_has_break_the_stream(void **state) {
    (void)state;
    break_by_lengths(15, 0, AWS_ERROR_MALFORMED);
    break_by_lengths(0, 0, AWS_ERROR_MALFORMED);
    break_by_lengths(100, 85, AWS_ERROR_MALFORMED);
    break_by_lengths(100, UINT32_MAX, AWS_ERROR_MALFORMED);
    break_by_lengths(LIMIT_EVENTSTREAM_BYTES + 1, 0, AWS_ERROR_TOO_LARGE);
    break_by_lengths(UINT32_MAX, 0, AWS_ERROR_TOO_LARGE);
    break_by_lengths(1 << 20, LIMIT_EVENTSTREAM_HEADER_BYTES + 1, AWS_ERROR_TOO_LARGE);
}

static const char of_all_types[] = "\1a\0"
                                   "\1b\1"
                                   "\1c\2\x11"
                                   "\1d\3\x11\x22"
                                   "\1e\4\x11\x22\x33\x44"
                                   "\1f\5\x11\x22\x33\x44\x55\x66\x77\x88"
                                   "\1g\6\0\3xyz"
                                   "\1h\x08\x11\x22\x33\x44\x55\x66\x77\x88"
                                   "\1i\x09\x11\x22\x33\x44\x55\x66\x77\x88\x11\x22\x33\x44\x55\x66\x77\x88"
                                   "\0\7\0\1n"
                                   "\4text\7\0\5hello"
                                   "\4text\7\0\5later";

static void headers_of_other_types_are_skipped_by_their_length(void **state) {
    (void)state;
    uint8_t bytes[256];
    char text[16];
    feed(bytes, make(bytes, of_all_types, sizeof of_all_types - 1, "p"), sizeof bytes);
    assert_int_equal(s.state, EVENTSTREAM_WHOLE);
    assert_payload("p");
    assert_true(eventstream_header(&s, "text", text, sizeof text));
    assert_string_equal(text, "hello");
    assert_true(eventstream_header(&s, "text", text, 3));
    assert_string_equal(text, "he");
    for (char name[] = "a"; *name <= 'i'; ++*name)
        assert_false(eventstream_header(&s, name, text, sizeof text));
    assert_string_equal(text, "");
}

static void headers_that_are_cut_or_of_an_unknown_type_break_the_stream(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {{"\1", 1},    {"\1a", 2},           {"\5abcd\0", 6},     {"\1a\x0a", 3},    {"\1a\xff", 3},
                 {"\1a\2", 3}, {"\1a\7", 3},         {"\1a\7\0", 4},      {"\1a\7\0\2x", 6}, {"\1a\x09", 3},
                 {"\xff", 1},  {"\1a\6\xff\xff", 5}, {"\1a\0\1b\5xxx", 9}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[64];
        feed(bytes, make(bytes, cases[i].bytes, cases[i].length, ""), sizeof bytes);
        assert_broken(AWS_ERROR_MALFORMED);
        eventstream_deinit(&s);
    }
}

static void the_memory_of_a_large_message_is_given_back(void **state) {
    (void)state;
    const size_t length = 1 << 20;
    char *payload = mem_alloc(length + 1);
    uint8_t *bytes = mem_alloc(length + 16);
    memset(payload, 'x', length);
    payload[length] = '\0';
    size_t n = make(bytes, "", 0, payload);
    feed(bytes, n, 5000);
    assert_payload(payload);
    eventstream_next(&s);
    assert_null(s.body);
    feed(empty, sizeof empty, 1);
    assert_int_equal(s.state, EVENTSTREAM_WHOLE);
    free(payload);
    free(bytes);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_published_messages_are_decoded),
        TEST(a_message_in_pieces_of_any_size_is_the_same),
        TEST(messages_that_follow_at_once_are_taken_one_at_a_time),
        TEST(a_message_that_is_cut_anywhere_is_never_whole),
        TEST(a_byte_that_is_wrong_anywhere_breaks_the_stream),
        TEST(the_length_is_known_before_the_memory_is_taken),
        TEST(lengths_that_no_message_has_break_the_stream),
        TEST(headers_of_other_types_are_skipped_by_their_length),
        TEST(headers_that_are_cut_or_of_an_unknown_type_break_the_stream),
        TEST(the_memory_of_a_large_message_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
