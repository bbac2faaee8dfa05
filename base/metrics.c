#include "base/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/* Upper bounds: OpenTelemetry's advice for http.server.request.duration, and lower ones for what takes
 * microseconds. */
static const int64_t bucket_us[] = {100,     250,     500,     1000,    2500,    5000,   10000,
                                    25000,   50000,   75000,   100000,  250000,  500000, 750000,
                                    1000000, 2500000, 5000000, 7500000, 10000000};
enum { BUCKETS = sizeof bucket_us / sizeof *bucket_us };

struct histogram {
    _Atomic int64_t counts[BUCKETS + 1];
    _Atomic int64_t sum_us;
};

struct metrics_series {
    char *values[METRICS_LABELS];
    _Atomic int64_t value; /* of a histogram: the number of observations */
    atomic_bool hidden;
    struct histogram *histogram; /* NULL for other kinds */

    /* guarded by registry_lock */
    struct metrics_series *next;
    bool for_ever; /* it was found, not held: its pointer may be kept anywhere */
    size_t holders;
    int64_t released_boot_ms; /* by the last of them */
};

/* Guards the lists, not the values. A leaf: nothing else is locked under it. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metrics_family *families;

static void register_family(struct metrics_family *family) {
    struct metrics_family **at = &families;
    while (*at && strcmp((*at)->name, family->name) < 0)
        at = &(*at)->next;
    family->next = *at;
    *at = family;
    family->registered = true;
}

static bool series_matches(const struct metrics_family *f, const struct metrics_series *s,
                           const char *const values[]) {
    for (size_t i = 0; i < METRICS_LABELS && f->labels[i]; i++)
        if (strcmp(s->values[i], values[i]) != 0)
            return false;
    return true;
}

static struct metrics_series *add_series(struct metrics_family *f, struct metrics_series **at,
                                         const char *const values[]) {
    struct metrics_series *s = mem_zalloc(sizeof *s);
    for (size_t i = 0; i < METRICS_LABELS && f->labels[i]; i++)
        s->values[i] = mem_strdup(values[i]);
    if (f->kind == METRICS_HISTOGRAM)
        s->histogram = mem_zalloc(sizeof *s->histogram);
    atomic_init(&s->hidden, f->kind == METRICS_GAUGE);
    *at = s;
    return s;
}

static bool is_released(const struct metrics_series *s) {
    return !s->for_ever && s->holders == 0;
}

static void remove_series(struct metrics_series **at) {
    struct metrics_series *s = *at;
    *at = s->next;
    for (size_t i = 0; i < METRICS_LABELS; i++)
        free(s->values[i]);
    free(s->histogram);
    free(s);
}

static bool remove_longest_released(struct metrics_family *f) {
    struct metrics_series **longest = NULL;
    for (struct metrics_series **at = &f->series; *at; at = &(*at)->next)
        if (is_released(*at) && (!longest || (*at)->released_boot_ms < (*longest)->released_boot_ms))
            longest = at;
    if (longest)
        remove_series(longest);
    return longest;
}

/* With the lock held. A new series counts as released until the caller holds it or makes it permanent. */
static struct metrics_series *find_or_add(struct metrics_family *f, const char *const values[]) {
    static const char *const overflow[] = {"overflow", "overflow", "overflow", "overflow", NULL};
    size_t count = 0;
    struct metrics_series **at;
    for (at = &f->series; *at; at = &(*at)->next, count++)
        if (series_matches(f, *at, values))
            return *at;
    if (count < LIMIT_METRIC_SERIES - 1 || values == overflow)
        return add_series(f, at, values);
    return find_or_add(f, remove_longest_released(f) ? values : overflow);
}

/* With the lock held. */
static struct metrics_series *series_of(struct metrics_family *family, const char *const values[]) {
    if (!family->registered)
        register_family(family);
    return find_or_add(family, values);
}

struct metrics_series *metrics_series(struct metrics_family *family, const char *const values[]) {
    pthread_mutex_lock(&registry_lock);
    struct metrics_series *series = series_of(family, values);
    series->for_ever = true;
    pthread_mutex_unlock(&registry_lock);
    return series;
}

struct metrics_series *metrics_hold(struct metrics_family *family, const char *const values[]) {
    pthread_mutex_lock(&registry_lock);
    struct metrics_series *series = series_of(family, values);
    series->holders++;
    pthread_mutex_unlock(&registry_lock);
    return series;
}

void metrics_release(struct metrics_series *series, int64_t now_boot_ms) {
    pthread_mutex_lock(&registry_lock);
    series->holders--;
    series->released_boot_ms = now_boot_ms;
    pthread_mutex_unlock(&registry_lock);
}

void metrics_forget(int64_t now_boot_ms) {
    pthread_mutex_lock(&registry_lock);
    for (struct metrics_family *f = families; f; f = f->next)
        for (struct metrics_series **at = &f->series; *at;)
            if (is_released(*at) && now_boot_ms - (*at)->released_boot_ms >= LIMIT_METRIC_RELEASED_MS)
                remove_series(at);
            else
                at = &(*at)->next;
    pthread_mutex_unlock(&registry_lock);
}

/* After the value is set: a reader that finds the series visible reads that value, or a later one. */
static void make_visible(struct metrics_series *series) {
    if (atomic_load_explicit(&series->hidden, memory_order_relaxed))
        atomic_store_explicit(&series->hidden, false, memory_order_release);
}

void metrics_add(struct metrics_series *series, int64_t amount) {
    atomic_fetch_add_explicit(&series->value, amount, memory_order_relaxed);
    make_visible(series);
}

void metrics_set(struct metrics_series *series, int64_t value) {
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
    make_visible(series);
}

int64_t metrics_value(const struct metrics_series *series) {
    return atomic_load_explicit(&series->value, memory_order_relaxed);
}

void metrics_hide(struct metrics_series *series) {
    atomic_store_explicit(&series->hidden, true, memory_order_relaxed);
}

void metrics_observe_us(struct metrics_series *series, int64_t us) {
    size_t bucket = 0;
    while (bucket < BUCKETS && us > bucket_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&series->histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->histogram->sum_us, us, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->value, 1, memory_order_relaxed);
}

void metrics_count(struct metrics_family *family, const char *const values[], int64_t amount) {
    metrics_add(metrics_series(family, values), amount);
}

static void write_label_value(struct buffer *out, const char *value) {
    for (; *value; value++) {
        if (*value == '\n')
            buffer_puts(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buffer_printf(out, "\\%c", *value);
        else
            buffer_putc(out, *value);
    }
}

/* `{a="1",b="2"}`; `extra` (in that form, or NULL) is the last one. */
static void write_labels(struct buffer *out, const struct metrics_family *f, const struct metrics_series *s,
                         const char *extra) {
    const char *separator = "{";
    for (size_t i = 0; i < METRICS_LABELS && f->labels[i]; i++, separator = ",") {
        buffer_printf(out, "%s%s=\"", separator, f->labels[i]);
        write_label_value(out, s->values[i]);
        buffer_putc(out, '"');
    }
    if (extra)
        buffer_printf(out, "%s%s", separator, extra);
    if (extra || *separator == ',')
        buffer_putc(out, '}');
}

static void write_number(struct buffer *out, int64_t value, int64_t scale) {
    if (scale <= 1)
        buffer_printf(out, " %" PRId64 "\n", value);
    else
        buffer_printf(out, " %.15g\n", (double)value / (double)scale);
}

static void write_histogram(struct buffer *out, const struct metrics_family *f,
                            const struct metrics_series *s) {
    int64_t cumulative = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        char le[40] = "le=\"+Inf\"";
        if (i < BUCKETS)
            snprintf(le, sizeof le, "le=\"%.6g\"", (double)bucket_us[i] / 1e6);
        cumulative += atomic_load_explicit(&s->histogram->counts[i], memory_order_relaxed);
        buffer_printf(out, "%s_bucket", f->name);
        write_labels(out, f, s, le);
        write_number(out, cumulative, 1);
    }
    buffer_printf(out, "%s_sum", f->name);
    write_labels(out, f, s, NULL);
    write_number(out, atomic_load_explicit(&s->histogram->sum_us, memory_order_relaxed), 1000000);
    buffer_printf(out, "%s_count",
                  f->name); /* the sum of the buckets above, without observations made meanwhile */
    write_labels(out, f, s, NULL);
    write_number(out, cumulative, 1);
}

static void write_family(struct buffer *out, const struct metrics_family *f) {
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, kinds[f->kind]);
    for (const struct metrics_series *s = f->series; s; s = s->next) {
        if (atomic_load_explicit(&s->hidden, memory_order_acquire))
            continue;
        if (f->kind == METRICS_HISTOGRAM) {
            write_histogram(out, f, s);
        } else {
            buffer_puts(out, f->name);
            write_labels(out, f, s, NULL);
            write_number(out, metrics_value(s), f->scale);
        }
    }
}

void metrics_write(struct buffer *out) {
    pthread_mutex_lock(&registry_lock);
    for (const struct metrics_family *f = families; f; f = f->next)
        write_family(out, f);
    pthread_mutex_unlock(&registry_lock);
}
