#include "server/http/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"

enum { MAX_ROUTES = 32 };

static struct metrics_family requests_family = {
    .name = "winner_view_http_requests_total",
    .help = "HTTP requests answered.",
    .kind = METRICS_COUNTER,
    .labels = {"route", "method", "status"},
};
static struct metrics_family duration_family = {
    .name = "winner_view_http_request_duration_seconds",
    .help = "From a request's first line to the last byte of its answer.",
    .kind = METRICS_HISTOGRAM,
    .labels = {"route"},
};
static struct metrics_family connections_family = {
    .name = "winner_view_http_connections",
    .help = "Open HTTP connections.",
    .kind = METRICS_GAUGE,
};

static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "other"};
enum { METHODS = sizeof methods / sizeof *methods };

/* Those that are answered; the last stands for none of them. */
static const unsigned statuses[] = {200, 304, 204, 404, 400, 503, 405, 414, 431, 0};
enum { STATUSES = sizeof statuses / sizeof *statuses };

/* Those met so far: the table is sparse, and finding a series twice gives the same one. */
static _Atomic(struct metrics_series *) requests[MAX_ROUTES + 1][METHODS][STATUSES];
static _Atomic(struct metrics_series *) durations[MAX_ROUTES + 1];
static _Atomic(struct metrics_series *) connections;

static size_t index_of(const struct route *route) {
    assert(route_count <= MAX_ROUTES);
    return route ? (size_t)(route - route_table) : MAX_ROUTES;
}

static size_t method_index(const char *method) {
    size_t i = 0;
    while (i < METHODS - 1 && strcmp(methods[i], method) != 0)
        i++;
    return i;
}

static size_t status_index(unsigned status) {
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i] != status)
        i++;
    return i;
}

static const char *label_of(const struct route *route) {
    return route ? route->template : "unmatched";
}

static struct metrics_series *find_requests(const struct route *route, const char *method, unsigned status) {
    size_t m = method_index(method);
    _Atomic(struct metrics_series *) *slot = &requests[index_of(route)][m][status_index(status)];
    struct metrics_series *series = atomic_load_explicit(slot, memory_order_acquire);
    if (!series) {
        char text[16];
        snprintf(text, sizeof text, "%u", statuses[status_index(status)]);
        series = METRICS_SERIES(&requests_family, label_of(route), methods[m], text);
        atomic_store_explicit(slot, series, memory_order_release);
    }
    return series;
}

static struct metrics_series *find_duration(const struct route *route) {
    _Atomic(struct metrics_series *) *slot = &durations[index_of(route)];
    struct metrics_series *series = atomic_load_explicit(slot, memory_order_acquire);
    if (!series) {
        series = METRICS_SERIES(&duration_family, label_of(route));
        atomic_store_explicit(slot, series, memory_order_release);
    }
    return series;
}

void http_metrics_request(const struct route *route, const char *method, unsigned status, int64_t us) {
    metrics_add(find_requests(route, method, status), 1);
    metrics_observe_us(find_duration(route), us);
}

void http_metrics_connections(int change) {
    struct metrics_series *series = atomic_load_explicit(&connections, memory_order_acquire);
    if (!series) {
        series = METRICS_SERIES(&connections_family, NULL);
        atomic_store_explicit(&connections, series, memory_order_release);
    }
    metrics_add(series, change);
}
