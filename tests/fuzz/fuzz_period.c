/*
 * period: the input is a text, and a number by which a moment is drawn. The second opinion is the C library's
 * strptime and strftime. What names a board is printed as it was written.
 */
#include "views/board.h"

#include <time.h>

#include "tests/fuzz/fuzz.h"

static bool is_printed_as(const char *format, const struct tm *tm, const char *text) {
    char printed[32];
    size_t length = strftime(printed, sizeof printed, format, tm);
    return length && strcmp(printed, text) == 0;
}

/* timegm normalizes a date that does not exist: printed, it is another. Years below 1000 are not padded. */
static bool is_date(const char *text, const char *format) {
    struct tm tm = {.tm_mday = 1};
    const char *end = strptime(text, format, &tm);
    if (!end || *end || tm.tm_year < 1000 - 1900)
        return false;
    timegm(&tm);
    return is_printed_as(format, &tm, text);
}

/* The C library cannot read ISO weeks: of the days around the one that is meant, one lies in it. */
static bool is_week(const char *text) {
    int year, week, n = 0;
    if (sscanf(text, "%4d-W%2d%n", &year, &week, &n) != 2 || text[n] || year < 1000)
        return false;
    struct tm tm = {.tm_year = year - 1900, .tm_mday = 4 + 7 * (week - 1)};
    timegm(&tm);
    return week >= 1 && is_printed_as("%G-W%V", &tm, text);
}

static void check_parse(const char *text) {
    struct period p;
    char again[PERIOD_TEXT_SIZE];
    bool is_name =
        is_date(text, "%Y-%m-%dT%H") || is_date(text, "%Y-%m-%d") || is_date(text, "%Y-%m") || is_week(text);
    bool accepted = period_parse(text, &p);
    FUZZ_CHECK(accepted || !is_name, "'%s' is refused", text);
    FUZZ_CHECK(!accepted || is_name || *text == '0', "'%s' is accepted", text);
    if (accepted)
        FUZZ_CHECK(strcmp(period_format(p, again), text) == 0, "'%s' became '%s'", text, again);
}

static void check_board(const char *text) {
    struct board board;
    char again[BOARD_TEXT_SIZE];
    if (board_parse(text, &board))
        FUZZ_CHECK(strcmp(board_format(&board, again), text) == 0, "'%s' became '%s'", text, again);
}

static void check_moment(int64_t time_ms) {
    const int64_t lowest = -62167219200000, above = 253402300800000;
    bool in_range = time_ms >= lowest + 3 * 86400000 && time_ms < above;
    for (int kind = PERIOD_HOUR; kind < PERIOD_KINDS; kind++) {
        struct period p = period_of((enum period_kind)kind, time_ms), again;
        char name[PERIOD_TEXT_SIZE];
        FUZZ_CHECK(period_parse(period_format(p, name), &again) && again.start_ms == p.start_ms &&
                       again.kind == p.kind,
                   "%lld is in '%s'", (long long)time_ms, name);
        FUZZ_CHECK(!in_range || (p.start_ms <= time_ms && time_ms < period_end_ms(p)), "%lld is not in '%s'",
                   (long long)time_ms, name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    size_t length;
    int64_t drawn = 0;
    _cleanup_(mem_freep) char *text = fuzz_take_text(&in, '\n', &length);
    unsigned set;
    char set_text[PERIOD_SET_TEXT_SIZE];
    check_parse(text);
    check_board(text);
    if (period_set_parse(text, &set)) {
        unsigned again;
        FUZZ_CHECK(period_set_parse(period_set_format(set, set_text), &again) && again == set, "'%s'", text);
    }
    memcpy(&drawn, in.data, in.size < sizeof drawn ? in.size : sizeof drawn);
    check_moment(drawn);
    return 0;
}
