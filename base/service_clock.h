/*
 * service_clock: the time of the service that the events come from, by the `Date` of its replies. Our wall
 * clock may be hours off, or jump: nothing is claimed, stored or skipped by it.
 *
 * A Date is the service's time, cut to the second, at a moment between sending and receiving (RFC 9110,
 * section 6.6.1). So it bounds the service's time from both sides: when the reply was received it was Date or
 * later; when the request was sent it was before Date + 1 s. Bounds are carried on by CLOCK_MONOTONIC_RAW,
 * which NTP does not slew, and grow weaker by 1 ms for each second: our oscillator and the service's slewing
 * are each within 500 ppm. A suspended machine's RAW stands still, its CLOCK_BOOTTIME does not (but NTP slews
 * that by up to 8 %): each bound takes whichever of the two is safe for it. The best lower bound of the last
 * 64 s of replies holds, so one Date that is early by d does harm of at most d, and for at most 64 s. Without
 * replies both bounds stay. The upper bound, too, is made of the last 64 s. A Date that is late contradicts
 * the lower bound, and is left out. If it is late by less than the lower bound is behind, nothing shows that:
 * then ages can be too young by as much.
 *
 *   the lower bound is for claims and for what is stored: never ahead of the service
 *   the upper bound is for ages and expiry: never behind the service
 *
 * At 4 replies a second the lower bound is about 20 ms behind in the median (tests/unit/base/
 * test_service_clock.c simulates both); after the first reply, at most a second and the round trip.
 *
 * A clock that nobody teaches is local: it is our CLOCK_BOOTTIME, and only what leaves the program
 * (service_clock_tell) is by our wall clock. A service that sends no Date for 64 s makes its clock local, for
 * good; the log says so.
 *
 * Times are milliseconds since the epoch. Thread-safe; its lock is a leaf.
 */
#ifndef BASE_SERVICE_CLOCK_H
#define BASE_SERVICE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define SERVICE_CLOCK_UNKNOWN (-1)
#define SERVICE_CLOCK_WINDOW_MS 64000
#define SERVICE_CLOCK_AHEAD_MS 5000 /* a stored time that is further ahead is wrong */

struct service_clock;

/* `is_taught`: a service will teach it; until then all its times are unknown. Else it is local. */
struct service_clock *service_clock_new(bool is_taught);
void service_clock_free(struct service_clock *c);

/* A reply of the service: its Date (-1: none that counts), and when the request was sent and the reply
 * received. */
void service_clock_teach(struct service_clock *c, int64_t date_ms, const struct clock_reading *sent,
                         const struct clock_reading *received);

/* The lower bound at a moment. */
int64_t service_clock_at(struct service_clock *c, const struct clock_reading *then);
int64_t service_clock_now(struct service_clock *c);

/* How old a time of this clock is at the very most, never below 0; INT64_MAX if either is unknown. */
int64_t service_clock_age(struct service_clock *c, int64_t time_ms, const struct clock_reading *now);
int64_t service_clock_age_now(struct service_clock *c, int64_t time_ms);

/* A time of this clock as clients and other processes get it. Unknown stays unknown. */
int64_t service_clock_tell(struct service_clock *c, int64_t time_ms);

/* Now, as clients get it; our wall clock's time while this clock is not known. */
int64_t service_clock_wall(struct service_clock *c);

/* The opposite of tell, for a time that a process stored. Unknown also if that is ahead (see below), or if
 * this clock is not known yet. A time up to SERVICE_CLOCK_AHEAD_MS ahead counts as now. */
int64_t service_clock_take(struct service_clock *c, int64_t stored_ms);

/* Whether nobody teaches it, from the start or because no reply had a Date. */
bool service_clock_is_local(struct service_clock *c);

/* A time of this clock above this one is wrong: an early Date made it, which has left the window since.
 * INT64_MAX: not known, or no clock (NULL). */
int64_t service_clock_limit(struct service_clock *c);

/* Whether a stored time is so far ahead that no process with a right clock wrote it. */
bool service_clock_is_ahead(struct service_clock *c, int64_t stored_ms);

#endif
