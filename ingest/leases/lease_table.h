/*
 * lease_table: the leases as last read from the store, the stream's shards as last listed, and since when
 * each lease is unchanged. Makes the leases that are missing, and reports the view's freshness. Used by the
 * coordinator's thread only.
 *
 * A usual scan is eventually consistent, for half the price: it may return a lease as it was some time ago.
 * An old counter, owner or asOf does no harm: the worker is late, or tries a conditional write that fails.
 * But such a scan does not prove that a lease is missing. So these scans are consistent:
 *
 *   - the first one, and all for a failover time after leases were added or removed: the rows of a new view
 * may become visible in any order;
 *   - a second one, made at once, if the first returns other leases than the scan before, or an older
 * counter;
 *   - a second one, if the first leaves a lease uncertain (hierarchy.h), or lacks a child of a shard that has
 *     ended since: the child's row is written before the end;
 *   - a second one, if the first lacks the lease of a shard that should have one: else it would be made.
 */
#ifndef INGEST_LEASES_LEASE_TABLE_H
#define INGEST_LEASES_LEASE_TABLE_H

#include "base/health.h"
#include "base/pulse.h"
#include "ingest/leases/hierarchy.h"
#include "ingest/leases/lease_writers.h"
#include "ingest/leases/shard_lister.h"
#include "views/freshness.h"

struct lease_table {
    struct store *store;           /* borrowed, as is the next */
    struct source *source;         /* NULL: follow only, make no leases */
    struct pulse *pulse;           /* beats before each call; NULL: not watched */
    struct lease_writers *writers; /* make new leases, several at once; NULL: one by one */
    struct source_start start;     /* of shards without parents: trim horizon or a timestamp */
    struct store_lease *leases;
    size_t n_leases;
    bool *settled;      /* for each lease, as in the hierarchy */
    bool *ended_before; /* for each lease: in the scan before it had ended, too */
    bool is_consistent; /* the last scan was */
    bool is_doubtful;   /* it left a doubt, and no consistent one has settled it */
    int64_t changed_ms; /* when other leases were there than before; 0: no scan yet */
    struct shard_listing listing, listing_before; /* the last two; n 0: none yet */
    struct lease_observer observer;
    int64_t unexplained_ms; /* when a scan first returned a lease whose shard is not listed */
};

/* Borrows both. */
void lease_table_init(struct lease_table *t, struct store *store, struct source *source,
                      const struct source_start *start, int failover_ms);
void lease_table_deinit(struct lease_table *t);

/* Reads the leases; makes those that are missing, and reads them again. If a scan leaves a doubt, a second,
 * consistent one decides. Blocks. An error is the store's, or the source's with a timestamp as start. */
enum status lease_table_refresh(struct lease_table *t, struct error *e);

/* Notes what was written over a lease of the table, so that a later scan with an older row is detected.
 * Several threads may do so at once, each for another lease. */
void lease_table_note(struct lease_table *t, const struct store_lease *lease,
                      const struct store_lease *written);

/* Whether the listing is new enough to judge these leases by it (hierarchy.h). Without a source: always. */
bool lease_table_is_conclusive(const struct lease_table *t);

/* Borrowed, until the next refresh or listing. */
struct hierarchy lease_table_hierarchy(const struct lease_table *t);

/* The leases that have ended, are free, and that the cleanup must write: the obsolete ones
 * (hierarchy_is_obsolete, and missing in the last two listings), and, where there are watermarks, those
 * without `endedAt`. Returns how many; `*leases` is the caller's. */
size_t lease_table_for_cleanup(const struct lease_table *t, struct store_lease **leases);

/* Forgets each as-of that is in the future: another program stored it, or this one by a wrong clock. While
 * there is such a lease, it is a trouble in `health`. */
void lease_table_forget_future(struct lease_table *t, struct service_clock *clock, struct health *health);

/* Which shards count for the view's freshness, and the as-of of each. That of a lease of this run
 * (lease_is_of_run; NULL: of none) is in memory already. */
void lease_table_report_freshness(const struct lease_table *t, struct freshness *freshness,
                                  const char *run_id);

/* winner_view_shards{state} */
void lease_table_count_states(const struct lease_table *t);

#endif
