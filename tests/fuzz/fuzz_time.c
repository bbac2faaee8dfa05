/*
 * time: the input is a time of RFC 3339, and a number by which milliseconds are drawn. The second opinion is
 * a regular expression with the C library's timegm. What is accepted is printed and read as the same moment.
 */
#include "base/clock.h"

#include <regex.h>
#include <time.h>

#include "tests/fuzz/fuzz.h"

#define TWO "([0-9]{2})"

enum { WHOLE, YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, DOT, FRACTION, ZONE, SIGN_AND_HOURS, MINUTES, GROUPS };

static const regex_t *expression(void) {
    static regex_t compiled;
    static bool done;
    if (!done)
        FUZZ_CHECK(regcomp(&compiled,
                           "^([0-9]{4})-" TWO "-" TWO "[Tt]" TWO ":" TWO ":" TWO
                           "(\\.([0-9]+))?([Zz]|([+-][0-9]{2}):" TWO ")$",
                           REG_EXTENDED) == 0,
                   "the C library");
    done = true;
    return &compiled;
}

static int number(const char *text, const regmatch_t *match) {
    return match->rm_so < 0 ? 0 : (int)strtol(text + match->rm_so, NULL, 10);
}

static int milliseconds(const char *text, const regmatch_t *fraction) {
    char digits[] = "000";
    for (int i = 0; fraction->rm_so >= 0 && i < 3 && fraction->rm_so + i < fraction->rm_eo; i++)
        digits[i] = text[fraction->rm_so + i];
    return (int)strtol(digits, NULL, 10);
}

/* timegm normalizes a day that does not exist: the date is then another. A leap second it counts as the next
 * second. */
static bool judge(const char *text, int64_t *real_ms) {
    regmatch_t m[GROUPS];
    if (regexec(expression(), text, GROUPS, m, 0))
        return false;
    int hours = number(text, &m[SIGN_AND_HOURS]), minutes = number(text, &m[MINUTES]);
    bool west = m[SIGN_AND_HOURS].rm_so >= 0 && text[m[SIGN_AND_HOURS].rm_so] == '-';
    struct tm tm = {.tm_year = number(text, &m[YEAR]) - 1900,
                    .tm_mon = number(text, &m[MONTH]) - 1,
                    .tm_mday = number(text, &m[DAY])},
              date = tm;
    time_t midnight = timegm(&date);
    int hour = number(text, &m[HOUR]), minute = number(text, &m[MINUTE]), second = number(text, &m[SECOND]);
    if (date.tm_mon != tm.tm_mon || date.tm_mday != tm.tm_mday || hour > 23 || minute > 59 || second > 60 ||
        abs(hours) > 23 || minutes > 59)
        return false;
    int offset = hours * 60 + (west ? -minutes : minutes);
    *real_ms = ((int64_t)midnight + (hour * 60 + minute - offset) * 60 + second) * 1000 +
               milliseconds(text, &m[FRACTION]);
    return true;
}

static void check_round_trip(int64_t real_ms) {
    const int64_t lowest = -62167219200000, above = 253402300800000;
    char text[CLOCK_TEXT_SIZE];
    int64_t again;
    clock_format(real_ms, text);
    int64_t expected = real_ms < lowest ? lowest : real_ms >= above ? above - 1 : real_ms;
    FUZZ_CHECK(clock_parse(text, strlen(text), &again) && again == expected, "%lld became %s",
               (long long)real_ms, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    size_t length;
    _cleanup_(mem_freep) char *text = fuzz_take_text(&in, '\n', &length);
    int64_t real_ms = 0, expected = 0, drawn = 0;
    bool is_time = strlen(text) == length && judge(text, &expected);
    FUZZ_CHECK(clock_parse(text, length, &real_ms) == is_time, "'%s' is a time: %d", text, !is_time);
    FUZZ_CHECK(real_ms == expected, "'%s' is %lld, not %lld", text, (long long)real_ms, (long long)expected);
    check_round_trip(real_ms);
    memcpy(&drawn, in.data, in.size < sizeof drawn ? in.size : sizeof drawn);
    check_round_trip(drawn);
    return 0;
}
