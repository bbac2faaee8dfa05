/*
 * http_metrics: the metrics of HTTP. Labels are bounded: a route is a template of the table or "unmatched", a
 * method is a known one or "other". A series is found once; counting takes no lock. Thread-safe.
 */
#ifndef SERVER_HTTP_METRICS_H
#define SERVER_HTTP_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/route.h"

/* A request was answered: `route` NULL if it matched none, `us` from its request line to its last byte. */
void http_metrics_request(const struct route *route, const char *method, unsigned status, int64_t us);

/* Connections opened (1) and closed (-1). */
void http_metrics_connections(int change);

/* A connection was closed for another one: it was idle between two requests, or its request incomplete. */
void http_metrics_closed_for_others(bool idle);

#endif
