/*
 * lease: the rules of a shard's lease, as pure functions over rows: they return what to write, and write
 * nothing.
 *
 * The rules are the KCL's: leaseCounter moves with every write, and a lease whose counter did not move for
 * the failover time, by an observer's own clock, is free. One rule is ours: each taking draws a random
 * tenure, and every later write is conditional on owner, counter and tenure. So of two processes with one
 * worker id only one can go on.
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

/* The first row of a shard's lease. */
struct store_lease lease_make(const struct source_shard *shard, const struct source_start *start);

/* The row after taking, renewing, releasing. `tenure`: lease_draw_tenure. */
struct store_lease lease_taken(const struct store_lease *before, const char *owner, const char *tenure);
struct store_lease lease_renewed(const struct store_lease *before);
struct store_lease lease_released(const struct store_lease *before);

/* A run of the program draws an id, and begins all its tenures with it. It recognizes by that a lease that it
 * released, or took without getting the answer: another process may have the same worker id. */
void lease_draw_run_id(char run_id[LEASE_RUN_ID_SIZE]);
void lease_draw_tenure(const char *run_id, char tenure[33]);
bool lease_is_of_run(const struct store_lease *lease, const char *run_id);

/* Whether the progress would move the checkpoint. */
bool lease_is_behind(const struct store_lease *lease, const struct shard_progress *progress);

/* Sets checkpoint and as-of of a row to be written; as-of never goes back. */
void lease_add_progress(struct store_lease *lease, const struct shard_progress *progress);

/* Whether the row that was found is the one that was sent: then the write whose answer was lost took effect.
 */
bool lease_is_same(const struct store_lease *a, const struct store_lease *b);

/* Since when an observer has seen a lease unchanged. */
struct lease_observation {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    int64_t counter;
    char tenure[33];
    int64_t since_ms;
};

/* Judges which leases have expired. Zeroed but for the failover time, it has not read the leases yet. Times
 * are CLOCK_BOOTTIME, as in base/fence.h. Not thread-safe. */
struct lease_observer {
    int64_t failover_ms;
    struct lease_observation *items; /* sorted by shard id */
    size_t n;
    int64_t first_ms;           /* the end of the first read; 0: there was none */
    int64_t began_ms, ended_ms; /* the last read */
    bool was_answered; /* set before a read: since the last read no failover time passed in which the store
                        * acknowledged nothing to this process */
};

/* Notes what a read of all leases returned, which took from `began_ms` to `ended_ms`. Leases that are gone
 * are forgotten. `leases` sorted by shard id.
 *
 * A lease counts as unchanged from the end of the first read that returned it so to the beginning of the last
 * one: time between a read and a decision does not count. All observations start anew if no read was made for
 * the failover time and `was_answered` is false: perhaps no worker could renew, because this process was
 * frozen or the store did not answer. */
void lease_observe(struct lease_observer *o, const struct store_lease *leases, size_t n, int64_t began_ms,
                   int64_t ended_ms);
void lease_observer_deinit(struct lease_observer *o);

/* It has no owner, or was seen unchanged for the failover time. */
bool lease_is_free(const struct lease_observer *o, const struct store_lease *lease);

/* It has been free for so many failover times. */
bool lease_is_free_for(const struct lease_observer *o, const struct store_lease *lease, int times);

/* It was not written since this observer's first read. */
bool lease_is_untouched(const struct lease_observer *o, const struct store_lease *lease);

/* Of `leases` (sorted by shard id), the one of this shard, or NULL. */
const struct store_lease *lease_find(const struct store_lease *leases, size_t n, const char *shard_id);

#endif
