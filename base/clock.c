#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_real_ms(void) {
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_boot_ms(void) {
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_boot_us(void) {
    return read_us(CLOCK_BOOTTIME);
}

struct clock_reading clock_read(void) {
    return (struct clock_reading){read_us(CLOCK_MONOTONIC_RAW) / 1000, read_us(CLOCK_BOOTTIME) / 1000};
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar: years counted from March, so that the
 * leap day is the last of its year. */
static int64_t days_from_civil(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

const char *clock_format(int64_t real_ms, char out[CLOCK_TEXT_SIZE]) {
    const int64_t lowest = days_from_civil(0, 1, 1) * 86400000,
                  above = days_from_civil(10000, 1, 1) * 86400000;
    if (real_ms < lowest)
        real_ms = lowest;
    if (real_ms >= above)
        real_ms = above - 1;

    int64_t ms = real_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((real_ms - ms) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
    return out;
}

#define DAYS "ThuFriSatSunMonTueWed" /* from 1970-01-01 on */
#define MONTHS "JanFebMarAprMayJunJulAugSepOctNovDec"

const char *clock_format_http(int64_t real_ms, char out[CLOCK_TEXT_SIZE]) {
    time_t seconds = (time_t)(real_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    snprintf(out, CLOCK_TEXT_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", &DAYS[seconds / 86400 % 7 * 3],
             tm.tm_mday, &MONTHS[tm.tm_mon * 3], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
             tm.tm_sec);
    return out;
}

/* Reads exactly `digits` digits at `*at`; false if there are fewer. */
static bool take_number(const char **at, const char *end, int digits, int *value) {
    *value = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (*at == end || **at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool take(const char **at, const char *end, char c) {
    if (*at == end || (**at != c && **at != c + ('a' - 'A')))
        return false;
    ++*at;
    return true;
}

static bool take_char(const char **at, const char *end, char c) {
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

static bool take_fraction(const char **at, const char *end, int *ms) {
    *ms = 0;
    if (!take_char(at, end, '.'))
        return true;
    int digits = 0;
    for (int weight = 100; *at < end && **at >= '0' && **at <= '9'; ++*at, weight /= 10, digits++)
        *ms += weight * (**at - '0');
    return digits > 0;
}

static bool take_offset(const char **at, const char *end, int *minutes) {
    *minutes = 0;
    if (take(at, end, 'Z'))
        return true;
    int sign = take_char(at, end, '-') ? -1 : 1, hour, minute;
    if (sign > 0 && !take_char(at, end, '+'))
        return false;
    if (!take_number(at, end, 2, &hour) || !take_char(at, end, ':') || !take_number(at, end, 2, &minute))
        return false;
    *minutes = sign * (hour * 60 + minute);
    return hour <= 23 && minute <= 59;
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool clock_parse(const char *text, size_t length, int64_t *real_ms) {
    const char *at = text, *end = text + length;
    int year, month, day, hour, minute, second, ms, offset;

    if (!take_number(&at, end, 4, &year) || !take_char(&at, end, '-') || !take_number(&at, end, 2, &month) ||
        !take_char(&at, end, '-') || !take_number(&at, end, 2, &day) || !take(&at, end, 'T') ||
        !take_number(&at, end, 2, &hour) || !take_char(&at, end, ':') || !take_number(&at, end, 2, &minute) ||
        !take_char(&at, end, ':') || !take_number(&at, end, 2, &second) || !take_fraction(&at, end, &ms) ||
        !take_offset(&at, end, &offset) || at != end)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 60)
        return false;

    int64_t minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset;
    *real_ms = (minutes * 60 + second) * 1000 + ms;
    return true;
}

/* Reads one of the three-letter names in `names`; the first has number 1. */
static bool take_name(const char **at, const char *end, const char *names, int *number) {
    for (*number = 1; *names; names += 3, ++*number)
        if (end - *at >= 3 && memcmp(*at, names, 3) == 0) {
            *at += 3;
            return true;
        }
    return false;
}

static bool take_text(const char **at, const char *end, const char *text) {
    while (*text)
        if (!take_char(at, end, *text++))
            return false;
    return true;
}

bool clock_parse_http(const char *text, int64_t *real_ms) {
    const char *at = text, *end = text + strlen(text);
    int weekday, year, month, day, hour, minute, second;

    if (!take_name(&at, end, "MonTueWedThuFriSatSun", &weekday) || !take_text(&at, end, ", ") ||
        !take_number(&at, end, 2, &day) || !take_char(&at, end, ' ') ||
        !take_name(&at, end, MONTHS, &month) || !take_char(&at, end, ' ') ||
        !take_number(&at, end, 4, &year) || !take_char(&at, end, ' ') || !take_number(&at, end, 2, &hour) ||
        !take_char(&at, end, ':') || !take_number(&at, end, 2, &minute) || !take_char(&at, end, ':') ||
        !take_number(&at, end, 2, &second) || !take_text(&at, end, " GMT") || at != end)
        return false;
    if (day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;

    *real_ms = (((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return true;
}
