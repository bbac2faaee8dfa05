/*
 * metrics: counters, gauges and histograms, as Prometheus reads them (text format 0.0.4).
 *
 * A family is a static value in the module that counts; a series is a family with label values, found once
 * and then kept by whoever counts often. Values are integers; `scale` says how many of them make one unit in
 * the text: times are counted in milliseconds and written in seconds (scale 1000). Series live as long as the
 * process; a family holds at most LIMIT_METRIC_SERIES of them, what comes after is counted in one whose label
 * values are all "overflow".
 *
 * Everything here is thread-safe; counting takes no lock, finding a series does.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

#define METRICS_LABELS 4

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_series;

struct metrics_family {
    const char *name;
    const char *help;
    enum metrics_kind kind;
    int64_t scale; /* 0 means 1; a histogram is observed in microseconds, whatever this says */
    const char *labels[METRICS_LABELS]; /* names; unused ones are NULL */

    /* private */
    struct metrics_series *series;
    struct metrics_family *next;
    bool registered;
};

/* The series with these label values, one for each label of the family, NULL after the last. Borrowed, for
 * ever. */
struct metrics_series *metrics_series(struct metrics_family *family, const char *const values[]);

#define METRICS_SERIES(family, ...) metrics_series((family), (const char *const[]){__VA_ARGS__, NULL})

void metrics_add(struct metrics_series *series, int64_t amount);
void metrics_set(struct metrics_series *series, int64_t value);
void metrics_observe_us(struct metrics_series *series, int64_t us);
int64_t metrics_value(const struct metrics_series *series);

/* A gauge that stands for something that is gone (a shard that another worker reads now) is not written until
 * it is set again; nor is one that was found and not set or added to yet, whose 0 would be a time in 1970. */
void metrics_hide(struct metrics_series *series);

/* For families without labels, and where counting is rare. */
void metrics_count(struct metrics_family *family, const char *const values[], int64_t amount);

/* Appends every family that has a series. */
void metrics_write(struct buffer *out);

#endif
