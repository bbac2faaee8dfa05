#include "views/period.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
static const int64_t week_ms = 7 * (int64_t)DAY_MS;

/* 0000-01-01, and 10000-01-01: what is not between them has no name. */
static const int64_t lowest_ms = -62167219200000, above_ms = 253402300800000;

static const char *const kind_names[PERIOD_KINDS] = {"", "hour", "day", "week", "month"};

const char *period_kind_name(enum period_kind kind) {
    return kind_names[kind];
}

static bool parse_kind(const char *text, size_t length, enum period_kind *kind) {
    for (*kind = PERIOD_HOUR; *kind < PERIOD_KINDS; (*kind)++)
        if (strlen(kind_names[*kind]) == length && memcmp(text, kind_names[*kind], length) == 0)
            return true;
    return false;
}

bool period_kind_from_name(const char *name, enum period_kind *kind) {
    return parse_kind(name, strlen(name), kind);
}

bool period_set_parse(const char *text, unsigned *set) {
    *set = 0;
    if (strcmp(text, "none") == 0)
        return true;
    for (;;) {
        enum period_kind kind;
        size_t length = strcspn(text, ",");
        if (!parse_kind(text, length, &kind) || period_set_has(*set, kind))
            return false;
        *set |= 1U << kind;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

const char *period_set_format(unsigned set, char out[PERIOD_SET_TEXT_SIZE]) {
    size_t at = 0;
    strcpy(out, "none");
    for (enum period_kind kind = PERIOD_HOUR; kind < PERIOD_KINDS; kind++)
        if (period_set_has(set, kind))
            at += (size_t)snprintf(out + at, PERIOD_SET_TEXT_SIZE - at, "%s%s", at ? "," : "",
                                   kind_names[kind]);
    return out;
}

/* Days since the epoch, of the proleptic Gregorian calendar, and back: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms", days_from_civil and civil_from_days. */
struct date {
    int year, month, day; /* month and day from 1 on */
};

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t days_of(struct date d) {
    int64_t year = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t day = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

static struct date date_of(int64_t days) {
    days += 719468;
    int64_t era = floor_div(days, 146097), of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t day = of_era - (365 * year + year / 4 - year / 100), month = (5 * day + 2) / 153;
    return (struct date){
        .year = (int)(year + era * 400 + (month >= 10)),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day - (153 * month + 2) / 5 + 1),
    };
}

static int64_t day_number(int64_t time_ms) {
    return floor_div(time_ms, DAY_MS);
}

/* 0 on Monday; 1970-01-01 was a Thursday. */
static int weekday(int64_t days) {
    return (int)(days + 3 - 7 * floor_div(days + 3, 7));
}

/* 0000-01-01 is in a week of the year before. */
static int64_t week_start_ms(int64_t days) {
    int64_t start_ms = (days - weekday(days)) * DAY_MS;
    return start_ms < lowest_ms ? start_ms + week_ms : start_ms;
}

struct period period_of(enum period_kind kind, int64_t time_ms) {
    if (time_ms < lowest_ms)
        time_ms = lowest_ms;
    if (time_ms >= above_ms)
        time_ms = above_ms - 1;
    int64_t days = day_number(time_ms), start_ms = 0;
    struct date date;
    switch (kind) {
    case PERIOD_ALL_TIME:
        break;
    case PERIOD_HOUR:
        start_ms = floor_div(time_ms, HOUR_MS) * HOUR_MS;
        break;
    case PERIOD_DAY:
        start_ms = days * DAY_MS;
        break;
    case PERIOD_WEEK:
        start_ms = week_start_ms(days);
        break;
    case PERIOD_MONTH:
        date = date_of(days);
        start_ms = (days - date.day + 1) * DAY_MS;
        break;
    }
    return (struct period){kind, start_ms};
}

static int64_t add_months_ms(int64_t start_ms, int n) {
    struct date date = date_of(day_number(start_ms));
    int months = date.year * 12 + date.month - 1 + n;
    int year = (int)floor_div(months, 12);
    return days_of((struct date){year, months - 12 * year + 1, 1}) * DAY_MS;
}

static int64_t length_ms(enum period_kind kind) {
    return kind == PERIOD_HOUR ? HOUR_MS : kind == PERIOD_DAY ? DAY_MS : week_ms;
}

/* Where the period begins that is `n` after this one. */
static int64_t start_after(struct period p, int n) {
    return p.kind == PERIOD_MONTH ? add_months_ms(p.start_ms, n) : p.start_ms + n * length_ms(p.kind);
}

int64_t period_end_ms(struct period p) {
    return p.kind == PERIOD_ALL_TIME ? INT64_MAX : start_after(p, 1);
}

static struct period move(struct period p, int n) {
    int64_t start_ms = p.kind == PERIOD_ALL_TIME ? 0 : start_after(p, n);
    bool has_name = p.kind != PERIOD_ALL_TIME && start_ms >= lowest_ms && start_ms < above_ms;
    return has_name ? (struct period){p.kind, start_ms} : (struct period){0};
}

struct period period_previous(struct period p) {
    return move(p, -1);
}

struct period period_next(struct period p) {
    return move(p, 1);
}

int64_t period_expires_ms(struct period p) {
    switch (p.kind) {
    case PERIOD_ALL_TIME:
        break;
    case PERIOD_HOUR:
        return period_end_ms(p) + 7 * (int64_t)DAY_MS;
    case PERIOD_DAY:
        return period_end_ms(p) + 400 * (int64_t)DAY_MS;
    case PERIOD_WEEK:
        return period_end_ms(p) + 60 * week_ms;
    case PERIOD_MONTH:
        return start_after(p, 61);
    }
    return INT64_MAX;
}

static int year_of_week(int64_t start_ms) {
    return date_of(day_number(start_ms) + 3).year; /* its Thursday's */
}

/* Week 1 has January 4. */
static int64_t first_week_ms(int year) {
    return period_of(PERIOD_WEEK, days_of((struct date){year, 1, 4}) * DAY_MS).start_ms;
}

const char *period_format(struct period p, char out[PERIOD_TEXT_SIZE]) {
    *out = '\0';
    if (p.kind == PERIOD_ALL_TIME) /* most boards: without the work for a date */
        return out;
    int64_t days = day_number(p.start_ms);
    struct date d = date_of(days);
    int year = d.year % 10000, week;
    switch (p.kind) {
    case PERIOD_ALL_TIME:
        break;
    case PERIOD_HOUR:
        snprintf(out, PERIOD_TEXT_SIZE, "%04d-%02d-%02dT%02d", year, d.month, d.day,
                 (int)((p.start_ms - days * DAY_MS) / HOUR_MS));
        break;
    case PERIOD_DAY:
        snprintf(out, PERIOD_TEXT_SIZE, "%04d-%02d-%02d", year, d.month, d.day);
        break;
    case PERIOD_WEEK:
        year = year_of_week(p.start_ms);
        week = (int)((p.start_ms - first_week_ms(year)) / week_ms) + 1;
        snprintf(out, PERIOD_TEXT_SIZE, "%04d-W%02d", year % 10000, week);
        break;
    case PERIOD_MONTH:
        snprintf(out, PERIOD_TEXT_SIZE, "%04d-%02d", year, d.month);
        break;
    }
    return out;
}

/* "9" stands for a digit. */
static bool has_form(const char *text, const char *form) {
    for (; *form; text++, form++)
        if (*form == '9' ? *text < '0' || *text > '9' : *text != *form)
            return false;
    return !*text;
}

static int number(const char *text, int digits) {
    int n = 0;
    while (digits--)
        n = n * 10 + (*text++ - '0');
    return n;
}

/* What is not formatted as it was given (2026-02-30, 2026-W54) names none. */
static bool is_named(const struct period *p, const char *text) {
    char name[PERIOD_TEXT_SIZE];
    return strcmp(period_format(*p, name), text) == 0;
}

bool period_parse(const char *text, struct period *p) {
    int64_t at;
    if (has_form(text, "9999-W99")) {
        at = first_week_ms(number(text, 4)) + (number(text + 6, 2) - 1) * week_ms;
        *p = (struct period){PERIOD_WEEK, at};
        return is_named(p, text);
    }
    enum period_kind kind = has_form(text, "9999-99-99T99") ? PERIOD_HOUR
                            : has_form(text, "9999-99-99")  ? PERIOD_DAY
                            : has_form(text, "9999-99")     ? PERIOD_MONTH
                                                            : PERIOD_ALL_TIME;
    if (kind == PERIOD_ALL_TIME)
        return false;
    int month = number(text + 5, 2);
    if (month < 1 || month > 12)
        return false;
    int day = kind == PERIOD_MONTH ? 1 : number(text + 8, 2);
    at = days_of((struct date){number(text, 4), month, day}) * DAY_MS;
    if (kind == PERIOD_HOUR)
        at += number(text + 11, 2) * (int64_t)HOUR_MS;
    *p = (struct period){kind, at};
    return is_named(p, text);
}
