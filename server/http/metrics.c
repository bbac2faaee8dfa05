#include "server/http/metrics.h"

#include <assert.h>
#include <stdatomic.h>
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
static struct metrics_family closed_family = {
    .name = "winner_view_http_connections_closed_for_others_total",
    .help =
        "Connections closed for newcomers while all were in use: idle between two requests (kept), or with "
        "an incomplete request.",
    .kind = METRICS_COUNTER,
    .labels = {"state"},
};

static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "other"};
/* The statuses of our answers, most frequent first; 0 is any other. */
static const struct {
    unsigned status;
    const char *label;
} statuses[] = {
    {200, "200"}, {304, "304"}, {204, "204"}, {404, "404"}, {400, "400"}, {503, "503"},
    {412, "412"}, {405, "405"}, {413, "413"}, {414, "414"}, {431, "431"}, {0, "0"},
};
enum { METHODS = sizeof methods / sizeof *methods, STATUSES = sizeof statuses / sizeof *statuses };

/* A series that was found once, or NULL. Two threads may both find it: they find the same. */
typedef _Atomic(struct metrics_series *) series_slot;
static series_slot requests[MAX_ROUTES + 1][METHODS][STATUSES], durations[MAX_ROUTES + 1], connections;

static struct metrics_series *find(series_slot *slot, struct metrics_family *family,
                                   const char *const values[]) {
    struct metrics_series *series = atomic_load_explicit(slot, memory_order_acquire);
    if (!series) {
        series = metrics_series(family, values);
        atomic_store_explicit(slot, series, memory_order_release);
    }
    return series;
}

static size_t method_index(const char *method) {
    size_t i = 0;
    while (i < METHODS - 1 && strcmp(methods[i], method) != 0)
        i++;
    return i;
}

static size_t status_index(unsigned status) {
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i].status != status)
        i++;
    return i;
}

void http_metrics_request(const struct route *route, const char *method, unsigned status, int64_t us) {
    assert(route_count <= MAX_ROUTES);
    size_t r = route ? (size_t)(route - route_table) : MAX_ROUTES;
    size_t m = method_index(method), s = status_index(status);
    const char *const values[] = {route ? route->template : "unmatched", methods[m], statuses[s].label, NULL};
    metrics_add(find(&requests[r][m][s], &requests_family, values), 1);
    metrics_observe_us(find(&durations[r], &duration_family, (const char *const[]){values[0], NULL}), us);
}

void http_metrics_closed_for_others(bool idle) {
    metrics_count(&closed_family, (const char *const[]){idle ? "kept" : "incomplete", NULL}, 1);
}

void http_metrics_connections(int change) {
    metrics_add(find(&connections, &connections_family, (const char *const[]){NULL}), change);
}
