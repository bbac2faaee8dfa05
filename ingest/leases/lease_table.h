/*
 * lease_table: the leases in the store, the stream's shards as last listed, and since
 * when each lease is as it is. It makes the leases that are missing, and tells the view's freshness from what
 * it saw.
 *
 * One thread's: the coordinator's.
 */
#ifndef INGEST_LEASES_LEASE_TABLE_H
#define INGEST_LEASES_LEASE_TABLE_H

#include "base/pulse.h"
#include "ingest/leases/hierarchy.h"
#include "ingest/leases/shard_lister.h"
#include "views/freshness.h"

struct lease_table {
    struct store *store;   /* borrowed, as is the next */
    struct source *source; /* NULL: follow only, make no leases */
    struct pulse *pulse;   /* beats before each of the calls that a look takes; NULL: nobody watches */
    struct source_start
        start; /* for shards that were there from the beginning: trim horizon or a timestamp */
    struct store_lease *leases;
    size_t n_leases;
    bool *seen_before;                            /* for each lease: the scan before showed it, too */
    bool *ended_before;                           /* ... and showed its end */
    struct shard_listing listing, listing_before; /* the last two; n 0: none yet */
    struct lease_observer observer;
    int64_t unexplained_ms; /* when a look showed a lease for the first time whose shard is not listed */
};

/* Borrows both. */
void lease_table_init(struct lease_table *t, struct store *store, struct source *source,
                      const struct source_start *start, int failover_ms);
void lease_table_deinit(struct lease_table *t);

/* Reads the leases; makes those that are missing, and reads them again. What is in doubt after one scan
 * (hierarchy.h) is decided by another. */
enum status lease_table_refresh(struct lease_table *t, struct error *e);

/* Whether the listing is new enough to judge the leases by it (hierarchy.h). Without a source: always. */
bool lease_table_is_conclusive(const struct lease_table *t);

/* Borrowed, until the next look or listing. */
struct hierarchy lease_table_hierarchy(const struct lease_table *t);

/* The next after `*from` (set to 0 before the first) of the leases whose shards are long gone: not listed
 * twice running, past (hierarchy_is_obsolete), and in nobody's hand. NULL: no more. */
const struct store_lease *lease_table_next_obsolete(const struct lease_table *t, size_t *from);

/* The shards that count for the view's freshness, and what the leases tell of them. */
void lease_table_report_freshness(const struct lease_table *t, struct freshness *freshness);

/* winner_view_shards{state} */
void lease_table_count_states(const struct lease_table *t);

#endif
