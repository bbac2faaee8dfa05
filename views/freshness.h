/*
 * freshness: up to when the views reflect the stream.
 *
 * A shard's `as of` is a time: every event that reached the shard before it is in the views. The view's is
 * the least of all shards that have not ended. Shards that this process reads advance it from memory; those
 * of other workers come from the leases. It never goes back for a shard. Thread-safe; never blocks for long.
 */
#ifndef VIEWS_FRESHNESS_H
#define VIEWS_FRESHNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/limits.h"

#define FRESHNESS_UNKNOWN (-1)

struct freshness;

struct freshness_shard {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t as_of_ms; /* wall clock, or FRESHNESS_UNKNOWN */
};

struct freshness *freshness_new(void);
void freshness_free(struct freshness *f);

/* The shards that count now: those that have not ended. A shard that is in the table already keeps the later
 * of its own and the given time; one that is not given drops out. Until the first call the view's time is
 * unknown. */
void freshness_set_shards(struct freshness *f, const struct freshness_shard *shards, size_t n);

/* One shard's records are applied up to this time. A shard that is not in the table is ignored. */
void freshness_advance(struct freshness *f, const char *shard_id, int64_t as_of_ms);

/* The whole view's: wall clock, or FRESHNESS_UNKNOWN. Lock-free. With no shard left (all have ended): the
 * largest time that was ever known. */
int64_t freshness_as_of(const struct freshness *f);

/* This shard's, or FRESHNESS_UNKNOWN. */
int64_t freshness_of_shard(struct freshness *f, const char *shard_id);

/* A copy, sorted by shard id; the caller frees it. Returns how many. */
size_t freshness_read(struct freshness *f, struct freshness_shard **shards);

#endif
