/*
 * hierarchy: which shard goes on after which, and what follows from it, as pure functions over the leases and
 * the stream's shards as listed.
 *
 * A shard that was split has two children, two that were merged have one with two parents. A parent is older
 * than its children, and so are its id and its place in every sorted list.
 *
 * The listing must be complete, and begun after the leases were first seen: then a shard that is not listed
 * is gone from the stream, with all that was in it.
 *
 * The leases need not be of one moment. A consistent Scan holds all that was written before it began
 * (DynamoDB API reference, Scan, ConsistentRead), but of what is written meanwhile perhaps the later and not
 * the earlier. Leases are made parents before children: so that a lease is missing is certain only beside one
 * that an earlier scan showed.
 */
#ifndef INGEST_LEASES_HIERARCHY_H
#define INGEST_LEASES_HIERARCHY_H

#include "ingest/leases/lease.h"
#include "ingest/source.h"

/* All borrowed. */
struct hierarchy {
    const struct store_lease *leases; /* sorted by shard id */
    size_t n_leases;
    const struct source_shard *listed; /* sorted by id; none where there is no source to list them */
    size_t n_listed;
    const bool *seen_before; /* for each lease: a scan that had ended before this one began showed it, too;
                              * NULL: none did */
};

bool hierarchy_is_listed(const struct hierarchy *l, const char *shard_id);

/* Whether a shard's records may be read. */
enum hierarchy_state {
    HIERARCHY_ENDED,
    HIERARCHY_WAITING,   /* for a parent to be read to its end, or for its lease to be made */
    HIERARCHY_UNCERTAIN, /* readable if a parent has no lease; but that may be the scan's doing */
    HIERARCHY_READABLE,  /* each parent has ended, is gone, or will never be read (the view starts at a time
                          * after its end) */
};

/* One for each lease; the caller frees them. One pass over the listing. */
enum hierarchy_state *hierarchy_states(const struct hierarchy *l);

/* A listed shard that ought to have a lease and has none. */
struct hierarchy_missing {
    const struct source_shard *shard;
    bool is_child;   /* of one that is read, too: it is read from its own beginning */
    bool is_waiting; /* as HIERARCHY_WAITING */
};

/* Parents before children; the caller frees `*missing`. A shard whose descendants have leases while none of
 * its ancestors has is not missing: the view starts after its end. */
size_t hierarchy_missing(const struct hierarchy *l, struct hierarchy_missing **missing);

/* The shards that are listed as its children. */
size_t hierarchy_children(const struct hierarchy *l, const char *shard_id,
                          struct source_shard children[STORE_LEASE_PARENTS]);

/* It is read to its end, its shard is gone from the stream, and each of its children has begun or is gone,
 * too: nobody will need the lease again. */
bool hierarchy_is_obsolete(const struct hierarchy *l, const struct store_lease *lease);

/* Up to when the views reflect what reached this shard; -1: unknown. */
int64_t hierarchy_as_of(const struct hierarchy *l, const struct store_lease *lease);

#endif
