/*
 * aws_json: the input is the body of a reply. Read as plain it is what jansson reads, member by member, in
 * the same order; what jansson refuses is never plain; and what has no escape, no exponent, no long number
 * and no depth is always. Whatever is read is written as jansson writes it.
 */
#include "aws/json.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { ALWAYS_DIGITS = 9, ALWAYS_DEPTH = 16 };

/* By its bytes alone. jansson takes a NUL behind the value for the end. */
static bool may_be_refused(const char *text, size_t length) {
    size_t digits = 0, depth = 0, deepest = 0;
    for (size_t i = 0; i < length; i++) {
        digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
        depth += text[i] == '{' || text[i] == '[';
        deepest = depth > deepest ? depth : deepest;
        if (text[i] == '\\' || digits > ALWAYS_DIGITS || !text[i])
            return true;
    }
    return deepest >= ALWAYS_DEPTH;
}

static void check_same(const json_t *plain, const json_t *judged, size_t length) {
    _cleanup_(mem_freep) char *a = json_dumps(plain, JSON_ENCODE_ANY);
    _cleanup_(mem_freep) char *b = json_dumps(judged, JSON_ENCODE_ANY);
    FUZZ_CHECK(a && b && strcmp(a, b) == 0, "%zu bytes: %s, not %s", length, a, b);
    FUZZ_CHECK(json_equal(plain, judged), "%s", a);
}

static void check_written(json_t *value) {
    size_t length;
    _cleanup_(mem_freep) char *a = aws_json_write(value, &length);
    _cleanup_(mem_freep) char *b = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    FUZZ_CHECK(strcmp(a, b) == 0 && length == strlen(b), "%s, not %s", a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    json_auto_t *plain = aws_json_read_plain(text, size);
    json_auto_t *read = aws_json_read(text, size);
    json_auto_t *judged = json_loadb(text ? text : "", size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(!plain || judged, "%zu bytes are plain, and no JSON", size);
    FUZZ_CHECK(!read == !judged, "%zu bytes", size);
    FUZZ_CHECK(plain || !judged || may_be_refused(text, size), "%zu bytes are not plain", size);
    if (plain)
        check_same(plain, judged, size);
    if (read) {
        check_same(read, judged, size);
        check_written(read);
    }
    return 0;
}
