/*
 * hierarchy: which shard follows which, and what that means for their leases, as pure functions over the
 * leases and the stream's shards as listed.
 *
 * A shard that was split has two children; two shards that were merged have one child with two parents. A
 * parent is older than its children, so its id sorts before theirs.
 *
 * The listing must be complete, and must have begun after the leases were first seen: then a shard that is
 * not listed is gone from the stream, with all its records.
 *
 * The leases need not be of one moment. A consistent Scan returns all that was written before it began
 * (DynamoDB API reference, Scan, ConsistentRead); of what is written meanwhile it may return a later write
 * and not an earlier one. Leases are made parents before children. So a parent's lease is known to be missing
 * only by a consistent scan that began when another had returned its child's lease already.
 */
#ifndef INGEST_LEASES_HIERARCHY_H
#define INGEST_LEASES_HIERARCHY_H

#include "ingest/leases/lease.h"
#include "ingest/source.h"

/* All borrowed. */
struct hierarchy {
    const struct store_lease *leases; /* sorted by shard id */
    size_t n_leases;
    const struct source_shard *listed; /* sorted by id; none without a source */
    size_t n_listed;
    const bool *settled; /* for each lease: a consistent scan began after it was made; NULL: for none */
};

bool hierarchy_is_listed(const struct hierarchy *h, const char *shard_id);

/* Whether a shard's records may be read. */
enum hierarchy_state {
    HIERARCHY_ENDED,
    HIERARCHY_WAITING,   /* until a parent was read to its end, or has a lease */
    HIERARCHY_UNCERTAIN, /* readable if a parent has no lease; but the scan may have missed it */
    HIERARCHY_READABLE, /* each parent has ended, is gone, or is never read (the view starts after its end) */
};

/* One for each lease; the caller frees them. One pass over the listing. */
enum hierarchy_state *hierarchy_states(const struct hierarchy *h);

/* A listed shard that should have a lease and has none. */
struct hierarchy_missing {
    const struct source_shard *shard;
    bool is_child;   /* of a shard that is read: so this one is read from its beginning */
    bool is_waiting; /* as HIERARCHY_WAITING */
};

/* Parents before children; the caller frees `*missing`. A shard of which descendants have leases, but no
 * ancestor has, is not missing one: the view starts after its end. */
size_t hierarchy_missing(const struct hierarchy *h, struct hierarchy_missing **missing);

/* The children that are listed; returns how many. */
size_t hierarchy_children(const struct hierarchy *h, const char *shard_id,
                          struct source_shard children[STORE_LEASE_PARENTS]);

/* It was read to its end, its shard is gone from the stream, and each of its children has begun or is gone:
 * the lease is not needed any more. */
bool hierarchy_is_obsolete(const struct hierarchy *h, const struct store_lease *lease);

/* The views have all that reached this shard before then (ingest/README.md); -1: not known. */
int64_t hierarchy_as_of(const struct hierarchy *h, const struct store_lease *lease);

#endif
