#include "server/base/health.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/limits.h"
#include "server/base/mem.h"

struct health {
    _Atomic int phase;
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct health_trouble *troubles;
    size_t n_troubles;
};

struct health *health_new(void) {
    struct health *h = mem_zalloc(sizeof *h);
    atomic_init(&h->phase, HEALTH_STARTING);
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void free_troubles(struct health_trouble *troubles, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(troubles[i].name);
        free(troubles[i].reason);
    }
    free(troubles);
}

void health_free(struct health *h) {
    if (!h)
        return;
    free_troubles(h->troubles, h->n_troubles);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void health_set_phase(struct health *h, enum health_phase phase) {
    atomic_store(&h->phase, (int)phase);
}

enum health_phase health_phase(const struct health *h) {
    return (enum health_phase)atomic_load(&h->phase);
}

/* Where `name` is, or where it would stand. */
static size_t locate(const struct health *h, const char *name, bool *found) {
    size_t i = 0;
    int order = 1;
    while (i < h->n_troubles && (order = strcmp(h->troubles[i].name, name)) < 0)
        i++;
    *found = i < h->n_troubles && order == 0;
    return i;
}

static bool replace_reason(struct health_trouble *t, const char *reason) {
    if (strcmp(t->reason, reason) == 0)
        return false;
    free(t->reason);
    t->reason = mem_strdup(reason);
    return true;
}

static void insert(struct health *h, size_t at, const char *name, const char *reason) {
    h->troubles = mem_resize(h->troubles, h->n_troubles + 1, sizeof *h->troubles);
    memmove(h->troubles + at + 1, h->troubles + at, (h->n_troubles - at) * sizeof *h->troubles);
    h->troubles[at] = (struct health_trouble){mem_strdup(name), mem_strdup(reason)};
    h->n_troubles++;
}

bool health_raise(struct health *h, const char *name, const char *reason) {
    bool found, changed = false;
    pthread_mutex_lock(&h->lock);
    size_t at = locate(h, name, &found);
    if (found) {
        changed = replace_reason(&h->troubles[at], reason);
    } else if (h->n_troubles < LIMIT_HEALTH_TROUBLES) {
        insert(h, at, name, reason);
        changed = true;
    }
    pthread_mutex_unlock(&h->lock);
    return changed;
}

bool health_clear(struct health *h, const char *name) {
    bool found;
    pthread_mutex_lock(&h->lock);
    size_t at = locate(h, name, &found);
    if (found) {
        free(h->troubles[at].name);
        free(h->troubles[at].reason);
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
    for (size_t i = 0; i < h->n_troubles; i++)
        report->troubles[i] =
            (struct health_trouble){mem_strdup(h->troubles[i].name), mem_strdup(h->troubles[i].reason)};
    pthread_mutex_unlock(&h->lock);
}

void health_report_deinit(struct health_report *report) {
    free_troubles(report->troubles, report->n_troubles);
    memset(report, 0, sizeof *report);
}
