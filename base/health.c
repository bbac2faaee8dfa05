#include "base/health.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"

static struct metrics_family since_family = {
    .name = "winner_view_trouble_since_timestamp_seconds",
    .help = "When a trouble began, by its name. Absent once it is over.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"trouble"},
};

struct trouble {
    struct health_trouble record;
    struct metrics_series *since;
    char *kind; /* as of the last log line; NULL: there was none */
    int64_t logged_boot_ms;
};

struct health {
    _Atomic int phase;
    pthread_mutex_t
        lock; /* guards what follows, and since_family's series; the lock of metrics is taken under it */
    struct trouble *troubles; /* sorted by name */
    size_t n_troubles;
};

struct health *health_new(void) {
    struct health *h = mem_zalloc(sizeof *h);
    atomic_init(&h->phase, HEALTH_STARTING);
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void trouble_deinit(struct trouble *t) {
    metrics_hide(t->since);
    metrics_release(t->since, clock_boot_ms());
    free(t->record.name);
    free(t->record.reason);
    free(t->record.user_id);
    free(t->kind);
}

void health_free(struct health *h) {
    if (!h)
        return;
    for (size_t i = 0; i < h->n_troubles; i++)
        trouble_deinit(&h->troubles[i]);
    free(h->troubles);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void health_set_phase(struct health *h, enum health_phase phase) {
    atomic_store(&h->phase, (int)phase);
}

enum health_phase health_phase(const struct health *h) {
    return (enum health_phase)atomic_load(&h->phase);
}

/* The index of `name`, or the one where it has to be inserted. */
static size_t locate(const struct health *h, const char *name, bool *found) {
    size_t i = 0;
    int order = 1;
    while (i < h->n_troubles && (order = strcmp(h->troubles[i].record.name, name)) < 0)
        i++;
    *found = i < h->n_troubles && order == 0;
    return i;
}

static void replace(char **text, const char *with) {
    if (*text && strcmp(*text, with) == 0)
        return;
    free(*text);
    *text = mem_strdup(with);
}

static void insert(struct health *h, size_t at, const char *name, int64_t now_real_ms) {
    h->troubles = mem_resize(h->troubles, h->n_troubles + 1, sizeof *h->troubles);
    memmove(h->troubles + at + 1, h->troubles + at, (h->n_troubles - at) * sizeof *h->troubles);
    h->troubles[at] = (struct trouble){.record = {.name = mem_strdup(name), .since_ms = now_real_ms},
                                       .since = METRICS_HOLD(&since_family, name)};
    h->n_troubles++;
    metrics_set(h->troubles[at].since, now_real_ms);
}

/* Whether a log line is due; if so, it counts as written. */
static bool is_log_due(struct trouble *t, const char *kind, int64_t now_boot_ms) {
    int64_t ago_ms = now_boot_ms - t->logged_boot_ms;
    bool other = t->kind && strcmp(t->kind, kind) != 0;
    if (t->kind && ago_ms < (other ? LIMIT_TROUBLE_CHANGE_MS : LIMIT_TROUBLE_REMIND_MS))
        return false;
    replace(&t->kind, kind);
    t->logged_boot_ms = now_boot_ms;
    return true;
}

bool health_raise_about(struct health *h, const char *name, const char *kind, const char *reason,
                        const char *user_id, int64_t now_real_ms, int64_t now_boot_ms) {
    bool found, is_due = false;
    pthread_mutex_lock(&h->lock);
    size_t at = locate(h, name, &found);
    if (!found && h->n_troubles < LIMIT_HEALTH_TROUBLES) {
        insert(h, at, name, now_real_ms);
        found = true;
    }
    if (found) {
        replace(&h->troubles[at].record.reason, reason);
        replace(&h->troubles[at].record.user_id, user_id);
        is_due = is_log_due(&h->troubles[at], kind, now_boot_ms);
    }
    pthread_mutex_unlock(&h->lock);
    return is_due;
}

bool health_raise_kind(struct health *h, const char *name, const char *kind, const char *reason,
                       int64_t now_real_ms, int64_t now_boot_ms) {
    return health_raise_about(h, name, kind, reason, "", now_real_ms, now_boot_ms);
}

bool health_raise(struct health *h, const char *name, const char *reason) {
    return health_raise_kind(h, name, reason, reason, clock_real_ms(), clock_boot_ms());
}

bool health_clear(struct health *h, const char *name) {
    bool found;
    pthread_mutex_lock(&h->lock);
    size_t at = locate(h, name, &found);
    if (found) {
        trouble_deinit(&h->troubles[at]);
        h->n_troubles--;
        memmove(h->troubles + at, h->troubles + at + 1, (h->n_troubles - at) * sizeof *h->troubles);
    }
    pthread_mutex_unlock(&h->lock);
    return found;
}

void health_read(struct health *h, struct health_report *report) {
    report->phase = health_phase(h);
    pthread_mutex_lock(&h->lock);
    report->n_troubles = h->n_troubles;
    report->troubles = mem_alloc(h->n_troubles * sizeof *report->troubles);
    for (size_t i = 0; i < h->n_troubles; i++) {
        const struct health_trouble *t = &h->troubles[i].record;
        report->troubles[i] = (struct health_trouble){mem_strdup(t->name), mem_strdup(t->reason),
                                                      mem_strdup(t->user_id), t->since_ms};
    }
    pthread_mutex_unlock(&h->lock);
}

void health_report_deinit(struct health_report *report) {
    for (size_t i = 0; i < report->n_troubles; i++) {
        free(report->troubles[i].name);
        free(report->troubles[i].reason);
        free(report->troubles[i].user_id);
    }
    free(report->troubles);
    memset(report, 0, sizeof *report);
}
