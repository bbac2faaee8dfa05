/*
 * survey: what a look around shows: the leases in the store, the stream's shards as last listed, and since
 * when each lease is as it is. It makes the leases that are missing, and tells the view's freshness from what
 * it saw.
 *
 * One thread's: the coordinator's.
 */
#ifndef INGEST_LEASES_SURVEY_H
#define INGEST_LEASES_SURVEY_H

#include "base/pulse.h"
#include "ingest/leases/hierarchy.h"
#include "ingest/leases/lister.h"
#include "views/freshness.h"

struct survey {
    struct store *store;   /* borrowed, as is the next */
    struct source *source; /* NULL: follow only, make no leases */
    struct pulse *pulse;   /* beats before each of the calls that a look takes; NULL: nobody watches */
    struct source_start
        start; /* for shards that were there from the beginning: trim horizon or a timestamp */
    struct store_lease *leases;
    size_t n_leases;
    bool *seen_before;                      /* for each lease: the scan before showed it, too */
    bool *ended_before;                     /* ... and showed its end */
    struct listing listing, listing_before; /* the last two; n 0: none yet */
    struct lease_observer observer;
    int64_t unexplained_ms; /* when a look showed a lease for the first time whose shard is not listed */
};

/* Borrows both. */
void survey_init(struct survey *s, struct store *store, struct source *source,
                 const struct source_start *start, int failover_ms);
void survey_deinit(struct survey *s);

/* Reads the leases; makes those that are missing, and reads them again. What is in doubt after one scan
 * (hierarchy.h) is decided by another. */
enum status survey_look(struct survey *s, struct error *e);

/* Whether the listing is new enough to judge the leases by it (hierarchy.h). Without a source: always. */
bool survey_is_sound(const struct survey *s);

/* Borrowed, until the next look or listing. */
struct hierarchy survey_hierarchy(const struct survey *s);

/* The next after `*from` (set to 0 before the first) of the leases whose shards are long gone: not listed
 * twice running, past (hierarchy_is_obsolete), and in nobody's hand. NULL: no more. */
const struct store_lease *survey_next_obsolete(const struct survey *s, size_t *from);

/* The shards that count for the view's freshness, and what the leases tell of them. */
void survey_tell_freshness(const struct survey *s, struct freshness *freshness);

/* winner_view_shards{state} */
void survey_count_states(const struct survey *s);

#endif
