/*
 * lease: what may be done with a shard's lease, as pure functions over rows: they say what to write, and
 * never do it.
 *
 * The rules are the KCL's (leaseCounter moves with every write; a lease whose counter nobody moved for the
 * failover time, by an observer's own clock, is free) and one of ours: each taking draws a random tenure, and
 * every later write is conditional on owner, counter and tenure, so that of two holders with one name only
 * one can go on.
 */
#ifndef INGEST_LEASE_H
#define INGEST_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/source.h"
#include "views/store.h"

/* A lease for a shard that has none yet. */
struct store_lease lease_make(const struct source_shard *shard, const struct source_start *start);

/* What to write to take it, to keep it, and to let it go. `tenure`: lease_draw_tenure. */
struct store_lease lease_taken(const struct store_lease *before, const char *owner, const char *tenure);
struct store_lease lease_renewed(const struct store_lease *before);
struct store_lease lease_released(const struct store_lease *before);

void lease_draw_tenure(char tenure[33]);

/* All that other workers and restarts need to know of how far the shard's records are in the views. */
struct lease_progress {
    enum lease_checkpoint checkpoint;
    struct position position; /* with LEASE_AT_POSITION */
    int64_t as_of_ms;         /* -1: unknown */
};

/* Adds progress to what is to be written; as-of never goes back. */
void lease_add_progress(struct store_lease *lease, const struct lease_progress *progress);

/* Whether a row that was found is exactly what we sent: then the write whose answer was lost took effect. */
bool lease_is_same(const struct store_lease *a, const struct store_lease *b);

/* Since when an observer has seen the counter where it is. */
struct lease_observation {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t counter;
    char tenure[33];
    int64_t since_boot_ms;
};

/* All observations of one observer; zeroed is empty. Not thread-safe. */
struct lease_observer {
    struct lease_observation *items; /* sorted by shard id */
    size_t n;
};

/* Notes what a look at the table at `now` shows; leases that are gone are forgotten. `leases` sorted by shard
 * id. */
void lease_observe(struct lease_observer *o, const struct store_lease *leases, size_t n, int64_t now_boot_ms);
void lease_observer_deinit(struct lease_observer *o);

/* Nobody owns it, or whoever does has not renewed it for `failover_ms`. */
bool lease_is_free(const struct lease_observer *o, const struct store_lease *lease, int64_t now_boot_ms,
                   int64_t failover_ms);

/* Whether the shard's records may be read: it has not ended, and each of its parents has, or is gone: then it
 * has neither a lease nor a place in the stream's listing. */
bool lease_is_readable(const struct store_lease *lease, const struct store_lease *leases, size_t n,
                       const struct source_shard *listed, size_t n_listed);

/* Of `leases` (sorted by shard id), the one of this shard, or NULL. */
const struct store_lease *lease_find(const struct store_lease *leases, size_t n, const char *shard_id);

#endif
