/*
 * lease_table: the leases as last read from the store, the stream's shards as last listed, and since when
 * each lease is unchanged. Makes the leases that are missing, and reports the view's freshness. Used by the
 * coordinator's thread only.
 *
 * A usual scan is eventually consistent, for half of the price: for each lease it may return what was there
 * some time ago. That does no harm where an old row makes a worker late, or makes it try a conditional write
 * that fails: an old counter, owner or asOf. It must not be believed that a lease is not there. So a scan is
 * consistent if it is the first; for a failover time after other leases were there than before (the rows of a
 * new view may become visible in any order); and, as a second scan at once, where the first
 *
 *   - returns other leases than the one before, or an older counter;
 *   - leaves a lease uncertain (hierarchy.h), or lacks a child of a shard that has ended since (its row is
 *     made before the end is written);
 *   - lacks the lease of a shard that should have one: it would be made.
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
    struct lease_writers *writers; /* makes new leases side by side; NULL: one by one */
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

/* Reads the leases; makes those that are missing, and reads them again. If one scan leaves a doubt, a second
 * one, which is consistent, decides. */
enum status lease_table_refresh(struct lease_table *t, struct error *e);

/* Notes what was written over a lease of the table: a later scan that returns an older row is not believed.
 * Several threads may note several leases at once. */
void lease_table_note(struct lease_table *t, const struct store_lease *lease,
                      const struct store_lease *written);

/* Whether the listing is new enough to judge these leases by it (hierarchy.h). Without a source: always. */
bool lease_table_is_conclusive(const struct lease_table *t);

/* Borrowed, until the next refresh or listing. */
struct hierarchy lease_table_hierarchy(const struct lease_table *t);

/* Of the leases that have ended and are free, those of which the cleanup has something to write: the obsolete
 * ones (hierarchy_is_obsolete, and not listed twice running), and, where there are watermarks, those without
 * `endedAt`. Returns how many; `*leases` is the caller's. */
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
