/*
 * freshness: up to when the views reflect the stream.
 *
 * A shard's `as of` is a time: every event that reached the shard before it is in the views. The view's is
 * the least of all shards that have not ended. Shards that this process reads report it directly; those of
 * other workers are read from their leases. A shard's never goes back, unless an early Date had put it
 * into the future (base/service_clock.h). Thread-safe; never blocks for long.
 *
 * A history of it is kept for readers of an index, which may lag: what was in the rows a while ago is in the
 * index now. The view's time now, less the lag, would be wrong: while a backlog is applied, the view's time
 * runs faster than the clock, ahead of what the index has.
 *
 * It also keeps how fast the shards are read that this process reads, and when each is caught up if that goes
 * on (views/progress.h).
 *
 * Times are of the service clock (base/service_clock.h); `now_ms` is CLOCK_BOOTTIME, read after the records
 * were applied.
 */
#ifndef VIEWS_FRESHNESS_H
#define VIEWS_FRESHNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/service_clock.h"

#define FRESHNESS_UNKNOWN SERVICE_CLOCK_UNKNOWN /* PROGRESS_UNKNOWN, too */

struct freshness;

struct freshness_shard {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t as_of_ms; /* of the service clock, or FRESHNESS_UNKNOWN */
};

/* The state of a shard at one moment. */
struct freshness_state {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t as_of_ms;
    int64_t bytes_left;  /* of its source; 0: none, or not known */
    int64_t record_rate; /* records a second; FRESHNESS_UNKNOWN: this process does not read it */
    int64_t left_ms; /* until it is caught up; 0: it is; FRESHNESS_UNKNOWN: it gets no nearer, or not known */
};

/* Whose shards this process reads, of those that have not ended. */
enum freshness_reads { FRESHNESS_READS_NONE, FRESHNESS_READS_SOME, FRESHNESS_READS_ALL };

/* How far the view is, on its way to being caught up. A number is FRESHNESS_UNKNOWN where it is not known. */
struct freshness_progress {
    bool is_behind;  /* the view is not caught up, or that is not known */
    int64_t age_ms;  /* of the view's as-of time */
    int64_t percent; /* 0..99 of the way since the view was caught up last, or was first known: a file's in
                      * bytes, a stream's in the time that its as-of time has to pass */
    int64_t record_rate; /* records a second, of the shards that this process reads */
    int64_t left_ms;     /* as freshness_left */
    int64_t bytes_left;  /* of a file; 0: none */
    size_t shards, shards_behind;
};

/* `clock`: the one that its times are of; borrowed. */
struct freshness *freshness_new(struct service_clock *clock);
struct service_clock *freshness_clock(const struct freshness *f);
void freshness_free(struct freshness *f);

/* The age up to which the view and its shards count as caught up. Before the calls below. */
#define FRESHNESS_CAUGHT_UP_MS 10000 /* without this call */
void freshness_set_caught_up(struct freshness *f, int64_t caught_up_ms);

/* Whether a view that is complete up to then counts as caught up now. */
bool freshness_is_caught_up(const struct freshness *f, int64_t as_of_ms);

/* Keeps the history for so long, exact to 1/FRESHNESS_GRAIN of it. Before the first call below. */
#define FRESHNESS_GRAIN 32
void freshness_keep_history(struct freshness *f, int64_t for_ms);

/* The shards that count now: those that have not ended. A shard that was set before keeps the later of its
 * own and the given time; one that is not given is removed. Until the first call the view's time is unknown.
 */
void freshness_set_shards(struct freshness *f, const struct freshness_shard *shards, size_t n,
                          int64_t now_ms);

/* One shard's records are applied up to this time. A shard that was not set is ignored. */
void freshness_advance(struct freshness *f, const char *shard_id, int64_t as_of_ms, int64_t now_ms);

/* This process has settled so many more records of the shard; its source has `bytes_left` then. Returns its
 * `left_ms`. */
int64_t freshness_count(struct freshness *f, const char *shard_id, size_t records, int64_t bytes_left,
                        int64_t now_ms);

/* This process reads the shard no more. */
void freshness_stop_counting(struct freshness *f, const char *shard_id);

/* The whole view's, or FRESHNESS_UNKNOWN. Lock-free. If all shards have ended: the largest time
 * that was ever reported. */
int64_t freshness_as_of(const struct freshness *f);

/* The whole view's at `then_ms`, or somewhat older: never later than it was then or at any time since.
 * FRESHNESS_UNKNOWN also for what is no longer in the history. */
int64_t freshness_as_of_at(struct freshness *f, int64_t then_ms);

/* Some shard had an event whose arrival was another stream's (an egress event), or unknown (of a file). Then
 * no time of this stream says when a period has had its last event. Never taken back. Lock-free. */
void freshness_note_foreign_arrivals(struct freshness *f);
bool freshness_has_foreign_arrivals(const struct freshness *f);

/* All shards, sorted by id; the caller frees them. Returns how many. */
size_t freshness_read(struct freshness *f, int64_t now_ms, struct freshness_state **states);

enum freshness_reads freshness_reads(struct freshness *f);

void freshness_progress(struct freshness *f, int64_t now_ms, struct freshness_progress *progress);

/* The time until the view is caught up: that of the last of its shards. As `left_ms` above. */
int64_t freshness_left(const struct freshness_state *states, size_t n);

#endif
