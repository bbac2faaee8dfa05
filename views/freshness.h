/*
 * freshness: up to when the views reflect the stream.
 *
 * A shard's `as of` is a time: every event that reached the shard before it is in the views. The view's is
 * the least of all shards that have not ended. Shards that this process reads advance it from memory; those
 * of other workers come from the leases. It never goes back for a shard. Thread-safe; never blocks for long.
 *
 * What it was a while ago is remembered, for whoever reads a copy of the views that may be so late (an
 * index): an event that was in the rows then is in the copy now. The view's time of now, less the delay,
 * would not do: while a backlog is applied, and when it is, the view's time leaps ahead of what the copy can
 * have seen.
 *
 * `now_ms` is CLOCK_BOOTTIME, read after the fact that is told.
 */
#ifndef VIEWS_FRESHNESS_H
#define VIEWS_FRESHNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define FRESHNESS_UNKNOWN (-1)

struct freshness;

struct freshness_shard {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t as_of_ms; /* wall clock, or FRESHNESS_UNKNOWN */
};

struct freshness *freshness_new(void);
void freshness_free(struct freshness *f);

/* Remembers for so long, to within a FRESHNESS_GRAIN of it; before the first call that tells anything. */
#define FRESHNESS_GRAIN 32
void freshness_keep_history(struct freshness *f, int64_t for_ms);

/* The shards that count now: those that have not ended. A shard that is in the table already keeps the later
 * of its own and the given time; one that is not given drops out. Until the first call the view's time is
 * unknown. */
void freshness_set_shards(struct freshness *f, const struct freshness_shard *shards, size_t n,
                          int64_t now_ms);

/* One shard's records are applied up to this time. A shard that is not in the table is ignored. */
void freshness_advance(struct freshness *f, const char *shard_id, int64_t as_of_ms, int64_t now_ms);

/* The whole view's: wall clock, or FRESHNESS_UNKNOWN. Lock-free. With no shard left (all have ended): the
 * largest time that was ever known. */
int64_t freshness_as_of(const struct freshness *f);

/* The whole view's as it was at `then_ms`, or older: never later than it was then, nor than any that came
 * after. FRESHNESS_UNKNOWN also for what is no longer remembered. */
int64_t freshness_as_of_at(struct freshness *f, int64_t then_ms);

/* A copy, sorted by shard id; the caller frees it. Returns how many. */
size_t freshness_read(struct freshness *f, struct freshness_shard **shards);

#endif
