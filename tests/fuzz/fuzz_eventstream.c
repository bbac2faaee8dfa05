/*
 * eventstream: the input is the size of the pieces in which its rest arrives (0: whole), whether checksums
 * are mended first, and messages. The second opinion reads each message at once, with a bitwise CRC-32.
 */
#include "aws/eventstream.h"

#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

enum { PRELUDE = 12, LEAST = 16 };

static uint32_t number(const uint8_t *at) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | at[i];
    return value;
}

static void put(uint8_t *at, uint32_t value) {
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

static uint32_t crc(const uint8_t *bytes, size_t n) {
    uint32_t c = ~0u;
    for (size_t i = 0; i < n; i++) {
        c ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

/* Where the value at `i` of this type ends; `n`+1: nowhere. */
static size_t value_end(const uint8_t *h, size_t i, size_t n, int type) {
    switch (type) {
    case 0:
    case 1:
        return i;
    case 2:
        return i + 1;
    case 3:
        return i + 2;
    case 4:
        return i + 4;
    case 5:
    case 8:
        return i + 8;
    case 9:
        return i + 16;
    case 6:
    case 7:
        return i + 2 <= n ? i + 2 + h[i] * 256u + h[i + 1] : n + 1;
    default:
        return n + 1;
    }
}

/* The headers, and the first text of the name ":t". */
static bool judge_headers(const uint8_t *h, size_t n, const uint8_t **text, size_t *length) {
    *text = NULL;
    for (size_t i = 0; i < n;) {
        size_t name = i + 1, type_at = name + h[i];
        if (type_at >= n)
            return false;
        size_t end = value_end(h, type_at + 1, n, h[type_at]);
        if (end > n)
            return false;
        if (!*text && h[type_at] == 7 && h[i] == 2 && memcmp(h + name, ":t", 2) == 0) {
            *text = h + type_at + 3;
            *length = end - type_at - 3;
        }
        i = end;
    }
    return true;
}

/* The state that these bytes, which begin a message, must lead to. */
static enum eventstream_state judge(const uint8_t *m, size_t n) {
    const uint8_t *text;
    size_t length;
    if (n < PRELUDE)
        return EVENTSTREAM_PRELUDE;
    uint64_t total = number(m), headers = number(m + 4);
    if (crc(m, 8) != number(m + 8) || total < LEAST + headers || total > LIMIT_EVENTSTREAM_BYTES ||
        headers > LIMIT_EVENTSTREAM_HEADER_BYTES)
        return EVENTSTREAM_BROKEN;
    if (n < total)
        return EVENTSTREAM_BODY;
    bool holds = crc(m, total - 4) == number(m + total - 4);
    return holds && judge_headers(m + PRELUDE, headers, &text, &length) ? EVENTSTREAM_WHOLE
                                                                        : EVENTSTREAM_BROKEN;
}

static void check_message(const struct eventstream *s, const uint8_t *m) {
    size_t total = number(m), headers = number(m + 4), length, text_length = 0;
    const uint8_t *payload = eventstream_payload(s, &length), *text;
    char out[8];
    FUZZ_CHECK(length == total - LEAST - headers, "%zu bytes", length);
    FUZZ_CHECK(memcmp(payload, m + PRELUDE + headers, length) == 0, "the payload differs");
    judge_headers(m + PRELUDE, headers, &text, &text_length);
    FUZZ_CHECK(eventstream_header(s, ":t", out, sizeof out) == (text != NULL), "'%s'", out);
    size_t n = text_length < sizeof out - 1 ? text_length : sizeof out - 1;
    FUZZ_CHECK(!text || (memcmp(out, text, n) == 0 && !out[n]), "'%s'", out);
}

/* Random bytes have no right checksum. */
static void mend(uint8_t *m, size_t n) {
    for (size_t total = 0; n >= LEAST; m += total, n -= total) {
        put(m + 8, crc(m, 8));
        total = number(m);
        if (total < LEAST || total > n)
            return;
        put(m + total - 4, crc(m, total - 4));
    }
}

static void check(const uint8_t *m, size_t n, size_t piece) {
    struct eventstream s;
    struct error e = {0};
    eventstream_init(&s);
    for (;;) {
        enum eventstream_state expected = judge(m, n);
        size_t taken = 0;
        while (taken < n && s.state < EVENTSTREAM_WHOLE)
            taken += eventstream_take(&s, m + taken, n - taken < piece ? n - taken : piece, &e);
        FUZZ_CHECK(s.state == expected, "%d, not %d", s.state, expected);
        FUZZ_CHECK((s.state == EVENTSTREAM_BROKEN) == (*e.message != 0), "'%s'", e.message);
        if (s.state != EVENTSTREAM_WHOLE)
            break;
        FUZZ_CHECK(taken == number(m), "%zu taken", taken);
        check_message(&s, m);
        eventstream_next(&s);
        m += taken;
        n -= taken;
    }
    eventstream_deinit(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    size_t piece = fuzz_take_below(&in, 64);
    bool mends = fuzz_take_below(&in, 2);
    uint8_t *bytes = mem_dup(in.size ? in.data : (const uint8_t *)"", in.size);
    if (mends)
        mend(bytes, in.size);
    check(bytes, in.size, piece ? piece : SIZE_MAX);
    free(bytes);
    return 0;
}
