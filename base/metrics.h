/*
 * metrics: counters, gauges and histograms in the text format of Prometheus (0.0.4).
 *
 * A family is a static value in the module that counts. A series is a family with label values; a module that
 * counts often finds it once and keeps it. Values are integers; `scale` is how many of them make one unit in
 * the text: times are counted in milliseconds and written in seconds (scale 1000). A family has at most
 * LIMIT_METRIC_SERIES of them; all further label values share one, whose values are all "overflow".
 *
 * A series from metrics_series lives as long as the process. A series whose label values come and go, as
 * shards do, is held (metrics_hold) and released. It is freed LIMIT_METRIC_RELEASED_MS after its last holder
 * released it, so that its last values are scraped; or earlier, if the family needs its place.
 *
 * Everything here is thread-safe. Counting takes no lock, finding a series does.
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
    int64_t scale; /* 0 means 1; not for histograms, which are observed in microseconds */
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

/* The same, borrowed until metrics_release. There may be several holders. */
struct metrics_series *metrics_hold(struct metrics_family *family, const char *const values[]);

#define METRICS_HOLD(family, ...) metrics_hold((family), (const char *const[]){__VA_ARGS__, NULL})

/* Ends one metrics_hold. */
void metrics_release(struct metrics_series *series, int64_t now_boot_ms);

/* Frees the series that were released LIMIT_METRIC_RELEASED_MS ago. */
void metrics_forget(int64_t now_boot_ms);

void metrics_add(struct metrics_series *series, int64_t amount);
void metrics_set(struct metrics_series *series, int64_t value);
void metrics_observe_us(struct metrics_series *series, int64_t us);
int64_t metrics_value(const struct metrics_series *series);

/* The gauge is not written until it is set again: what it measures is gone. A gauge that was found but not
 * set yet is hidden, too: its 0 might be a time in 1970. */
void metrics_hide(struct metrics_series *series);

/* For families without labels, and where counting is rare. */
void metrics_count(struct metrics_family *family, const char *const values[], int64_t amount);

/* Appends every family that has a series. */
void metrics_write(struct buffer *out);

#endif
