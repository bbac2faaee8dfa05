/*
 * period: an hour, a day, a week or a month, in UTC; or all time.
 *
 * Periods are named as ISO 8601 does: 2026-11-29T14, 2026-11-29, 2026-W48, 2026-11. A week begins on Monday
 * and belongs to the year of its Thursday (ISO 8601, week dates).
 */
#ifndef VIEWS_PERIOD_H
#define VIEWS_PERIOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum period_kind { PERIOD_ALL_TIME, PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH };

#define PERIOD_KINDS 5
#define PERIOD_TEXT_SIZE 16

/* {0} is all time. */
struct period {
    enum period_kind kind;
    int64_t start_ms; /* since the epoch; 0 with PERIOD_ALL_TIME */
};

/* "hour", "day", "week", "month". */
const char *period_kind_name(enum period_kind kind);
bool period_kind_from_name(const char *name, enum period_kind *kind);

/* Sets of kinds: a bit for each, 1 << kind. As text: "none", or some of "hour,day,week,month". */
enum { PERIOD_SET_TEXT_SIZE = 24 };
bool period_set_parse(const char *text, unsigned *set);
const char *period_set_format(unsigned set, char out[PERIOD_SET_TEXT_SIZE]);

static inline bool period_set_has(unsigned set, enum period_kind kind) {
    return set & 1U << kind;
}

/* The one that this time (since the epoch) lies in. Names have years from 0000 to 9999: what is before or
 * after counts in the first or the last period. */
struct period period_of(enum period_kind kind, int64_t time_ms);

int64_t period_end_ms(struct period p);         /* the first millisecond after it */
struct period period_previous(struct period p); /* {0}, all time: none that has a name */
struct period period_next(struct period p);

/* When its rows may go: its end, and 7 days (hour), 400 days (day), 60 weeks, 60 months. */
int64_t period_expires_ms(struct period p);

/* Its name; "" for all time. */
const char *period_format(struct period p, char out[PERIOD_TEXT_SIZE]);

/* False if the text names no period. */
bool period_parse(const char *text, struct period *p);

#endif
