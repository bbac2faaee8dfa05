/*
 * lease: what may be done with a shard's lease, as pure functions over rows: they say what to write, and
 * never do it.
 *
 * The rules are the KCL's (leaseCounter moves with every write; a lease whose counter nobody moved for the
 * failover time, by an observer's own clock, is free) and one of ours: each taking draws a random tenure, and
 * every later write is conditional on owner, counter and tenure, so that of two holders with one name only
 * one can go on.
 */
#ifndef INGEST_LEASES_LEASE_H
#define INGEST_LEASES_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/shard.h"
#include "ingest/source.h"
#include "views/store.h"

#define LEASE_RUN_ID_SIZE 17

/* A lease for a shard that has none yet. */
struct store_lease lease_make(const struct source_shard *shard, const struct source_start *start);

/* What to write to take it, to keep it, and to let it go. `tenure`: lease_draw_tenure. */
struct store_lease lease_taken(const struct store_lease *before, const char *owner, const char *tenure);
struct store_lease lease_renewed(const struct store_lease *before);
struct store_lease lease_released(const struct store_lease *before);

/* A tenure is random; its first half is the same in all that one run of the program draws, so that a lease
 * which it let go of, or took without getting the answer, is told from that of another process with the same
 * name. `run_id`: lease_draw_run_id. */
void lease_draw_run_id(char run_id[LEASE_RUN_ID_SIZE]);
void lease_draw_tenure(const char *run_id, char tenure[33]);
bool lease_is_of_run(const struct store_lease *lease, const char *run_id);

/* Whether the checkpoint would move. */
bool lease_is_behind(const struct store_lease *lease, const struct shard_progress *progress);

/* Adds progress to what is to be written; as-of never goes back. */
void lease_add_progress(struct store_lease *lease, const struct shard_progress *progress);

/* Whether a row that was found is exactly what we sent: then the write whose answer was lost took effect. */
bool lease_is_same(const struct store_lease *a, const struct store_lease *b);

/* Since when an observer has seen the lease as it is. */
struct lease_observation {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t counter;
    char tenure[33];
    int64_t since_ms;
};

/* All observations of one observer; zeroed but for the failover time is one that has not looked yet. Times
 * are CLOCK_BOOTTIME, as in base/fence.h. Not thread-safe. */
struct lease_observer {
    int64_t failover_ms;
    struct lease_observation *items; /* sorted by shard id */
    size_t n;
    int64_t first_ms;           /* when the first look had ended; 0: none has */
    int64_t began_ms, ended_ms; /* the last look */
};

/* Notes what a look at the table showed that took from `began_ms` to `ended_ms`; leases that are gone are
 * forgotten. `leases` sorted by shard id.
 *
 * A lease has been seen unchanged from the end of the look that first showed it so to the beginning of the
 * last one: whatever time passes between a look and its verdict does not count. If no look was made for the
 * failover time (this process was frozen, or the store did not answer) then perhaps nobody could renew: all
 * begins anew. */
void lease_observe(struct lease_observer *o, const struct store_lease *leases, size_t n, int64_t began_ms,
                   int64_t ended_ms);
void lease_observer_deinit(struct lease_observer *o);

/* Nobody owns it, or it was seen unchanged for the failover time. */
bool lease_is_free(const struct lease_observer *o, const struct store_lease *lease);

/* It has been free for a failover time. */
bool lease_is_overdue(const struct lease_observer *o, const struct store_lease *lease);

/* Nobody has written it since this observer's first look. */
bool lease_is_untouched(const struct lease_observer *o, const struct store_lease *lease);

/* Of `leases` (sorted by shard id), the one of this shard, or NULL. */
const struct store_lease *lease_find(const struct store_lease *leases, size_t n, const char *shard_id);

#endif
