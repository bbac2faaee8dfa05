/*
 * lease_cleanup: removes what is kept for shards that are long gone: their watermarks, then their leases.
 * Runs on a thread of its own. Nothing depends on it: what fails is logged, and begun again later.
 *
 * Where the store has watermarks, a shard is long gone once
 *
 *   - it was read to its end, and the end is durable, for LIMIT_CLEANUP_INTERVAL_MS at least by the service's
 *     clock: no write that was sent for it can still arrive (views/README.md). `endedAt` in its lease is when
 *     the cleanup of some worker first found it so;
 *   - and hierarchy_is_obsolete: it is out of the stream's list, so out of its retention period, and its
 *     children have begun.
 *
 * The watermarks of all such shards are removed in one scan, at most once in LIMIT_CLEANUP_INTERVAL_MS by all
 * workers together (store_remove_watermarks). Leases are deleted only after a scan that came to its end: one
 * that was interrupted is begun anew a day later, by any worker. Each write of a lease is conditional on what
 * was read.
 */
#ifndef INGEST_LEASES_LEASE_CLEANUP_H
#define INGEST_LEASES_LEASE_CLEANUP_H

#include "base/service_clock.h"
#include "ingest/leases/lease.h"

struct lease_cleanup;

/* Both borrowed. */
struct lease_cleanup *lease_cleanup_start(struct store *store, struct service_clock *clock);

/* False while it works, or rests after a failure. Any thread. */
bool lease_cleanup_is_free(const struct lease_cleanup *c);

/* Hands over ended leases, as last read, if it is free: those without `endedAt`, and those of obsolete
 * shards. `leases` is the cleanup's from now on. One thread. */
void lease_cleanup_offer(struct lease_cleanup *c, struct store_lease *leases, size_t n);

/* The thread ends after the call that is under way; returns at once. */
void lease_cleanup_stop(struct lease_cleanup *c);

/* Waits for its thread. NULL is fine. */
void lease_cleanup_free(struct lease_cleanup *c);

#endif
