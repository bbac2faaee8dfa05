/* HTTP dates (base/clock): strptime and timegm read the same time, and it is written as it was read. */
#include <time.h>

#include "base/clock.h"
#include "tests/fuzz/fuzz.h"

#define YEAR_10000_MS INT64_C(253402300800000)

/* strptime is laxer: it accepts all that we accept. */
static void compare_with_strptime(const char *text, int64_t real_ms) {
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    FUZZ_CHECK(end && !*end, "'%s'", text);
    FUZZ_CHECK((int64_t)timegm(&tm) * 1000 == real_ms, "'%s'", text);
}

/* The day's name may be wrong in `text`. A leap second is written as the second after it. */
static void check_round_trip(const char *text, int64_t real_ms) {
    char again[CLOCK_TEXT_SIZE];
    bool is_leap_second = strncmp(text + strlen("Mon, 23 Nov 2026 04:36:"), "60", 2) == 0;
    clock_format_http(real_ms, again);
    FUZZ_CHECK(strlen(again) == strlen(text), "'%s' '%s'", text, again);
    FUZZ_CHECK(is_leap_second || strcmp(again + 3, text + 3) == 0, "'%s' '%s'", text, again);
}

static void check_text(const char *text) {
    const int64_t none = -77;
    int64_t real_ms = none;
    if (!clock_parse_http(text, &real_ms)) {
        FUZZ_CHECK(real_ms == none, "'%s'", text);
        return;
    }
    FUZZ_CHECK(strlen(text) == strlen("Mon, 23 Nov 2026 04:36:00 GMT"), "'%s'", text);
    compare_with_strptime(text, real_ms);
    if (real_ms >= 0 && real_ms < YEAR_10000_MS)
        check_round_trip(text, real_ms);
}

static void check_time(uint64_t number) {
    const int64_t real_ms = (int64_t)(number % YEAR_10000_MS);
    char text[CLOCK_TEXT_SIZE];
    int64_t again;
    FUZZ_CHECK(clock_parse_http(clock_format_http(real_ms, text), &again), "'%s'", text);
    FUZZ_CHECK(again == real_ms - real_ms % 1000, "'%s'", text);
    compare_with_strptime(text, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(mem_freep) char *text = mem_strndup((const char *)data, size);
    uint64_t number = 0;
    check_text(text);
    memcpy(&number, data, size < sizeof number ? size : sizeof number);
    check_time(number);
    return 0;
}
