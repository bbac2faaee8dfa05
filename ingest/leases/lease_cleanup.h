/*
 * lease_cleanup: removes what the store keeps for shards that are long gone: their watermarks, then their
 * leases. Runs on a thread of its own. Nothing depends on it: a failure is logged, and the work begins again
 * later.
 *
 * A shard is long gone if both hold:
 *
 *   - It is obsolete (hierarchy_is_obsolete): the stream lists it no more, so it is out of retention, and its
 *     children have begun.
 *   - Where the store has watermarks: its end has been durable for at least LIMIT_CLEANUP_INTERVAL_MS, by the
 *     service's clock. So no write that was sent for it can still arrive (views/README.md). `endedAt` in its
 *     lease is when the cleanup of some worker first found the end.
 *
 * One scan removes the watermarks of all such shards. All workers together make at most one scan in
 * LIMIT_CLEANUP_INTERVAL_MS (store_remove_watermarks). Leases are deleted only after a scan that was
 * completed. After one that was interrupted, any worker begins anew a day later. Each write of a lease is
 * conditional on what was read.
 */
#ifndef INGEST_LEASES_LEASE_CLEANUP_H
#define INGEST_LEASES_LEASE_CLEANUP_H

#include "base/service_clock.h"
#include "ingest/leases/lease.h"

struct lease_cleanup;

/* Starts the thread. Both are borrowed. */
struct lease_cleanup *lease_cleanup_start(struct store *store, struct service_clock *clock);

/* False while it works, or rests after a failure. Any thread. */
bool lease_cleanup_is_free(const struct lease_cleanup *c);

/* Hands over ended leases, as last read: those without `endedAt`, and those of obsolete shards. Takes over
 * `leases` (heap); frees them at once if the cleanup is not free. Does not block. One thread. */
void lease_cleanup_offer(struct lease_cleanup *c, struct store_lease *leases, size_t n);

/* The thread ends after the call that is under way; returns at once. */
void lease_cleanup_stop(struct lease_cleanup *c);

/* Waits for its thread. NULL is fine. */
void lease_cleanup_free(struct lease_cleanup *c);

#endif
