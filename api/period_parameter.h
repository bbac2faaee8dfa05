/*
 * period_parameter: periods in requests and answers. A period is one that the view keeps if its kind is among
 * the view's and its rows have not expired (views/period.h), by the clock that is never behind: what a client
 * may still read has not been deleted yet. Thread-safe.
 */
#ifndef API_PERIOD_PARAMETER_H
#define API_PERIOD_PARAMETER_H

#include <jansson.h>
#include <stdbool.h>

#include "api/problem.h"
#include "api/request.h"
#include "api/route.h"
#include "api/view.h"
#include "views/period.h"

/* The request's `period`: the word of a kind, for the one under way now, or with ":previous" the one before;
 * or the name of any one. All time if the request has none. False with a problem if it means no period. */
bool period_read_parameter(const struct view *view, const struct request *request, struct period *period,
                           struct problem *p);

/* The request's `period` where only the word of a kind is allowed. All time if the request has none. False
 * with a problem if it is something else, or of a kind that the view does not keep. */
bool period_read_under_way(const struct view *view, const struct request *request, enum period_kind *kind,
                           struct problem *p);

/* False, with a problem, if the view does not keep the request's period. Check all other parameters before: a
 * request that is wrong is refused as such. */
bool period_check(const struct view *view, const struct request *request, struct period period,
                  struct problem *p);

/* The same for the request's `kind`; if it has none: day, else the smallest that the view keeps. */
bool period_read_kind(const struct view *view, const struct request *request, enum period_kind *kind,
                      struct problem *p);
bool period_check_kind(const struct view *view, const struct request *request, enum period_kind kind,
                       struct problem *p);

/* The period of this name, as period_format made it for a key. */
struct period period_of_key(const char *name);

/* Whether its kind is kept and it has not expired. */
bool period_is_kept(const struct view *view, struct period period, int64_t now_ms);

/* Whether a view that is complete up to `as_of_ms` (service clock) shows that the period can no longer grow.
 */
bool period_is_final(const struct view *view, struct period period, int64_t as_of_ms);

/* Null for all time. `final` is by the load's as-of time. */
json_t *period_json(const struct route_load *load, struct period period);

#endif
