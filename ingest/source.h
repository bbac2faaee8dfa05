/*
 * source: where records come from: shards, each read in order by one reader. ingest/kinesis and ingest/file
 * implement it.
 *
 * A source is thread-safe. A reader belongs to one thread; only source_wake may be called from others.
 * Statuses: OK; RETRY: the source cannot answer now; FAILED: an operator must repair something. source_read
 * and source_list_shards also return INVALID: this is not the source that was identified, or the
 * reader's position is of another one. Then the worker must stop: to continue anywhere else would count
 * wrongly.
 */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "views/store.h"

struct budget; /* base/memory_budget.h */
struct fence;  /* base/fence.h */
struct source;
struct source_reader;

/* A shard as the source lists it. */
struct source_shard {
    char id[LIMIT_SHARD_ID_BYTES + 1];
    char parents[STORE_LEASE_PARENTS][LIMIT_SHARD_ID_BYTES + 1]; /* "": none */
    char starting_hash_key[STORE_HASH_KEY_SIZE];
    char ending_hash_key[STORE_HASH_KEY_SIZE];
};

/* Where a reader begins: a lease's checkpoint (views/store.h), but never LEASE_SHARD_END. */
struct source_start {
    enum lease_checkpoint checkpoint;
    struct position position; /* LEASE_AT_POSITION: the first record is the one after this */
    int64_t start_at_ms; /* LEASE_AT_TIMESTAMP: the first record is the first that arrived then or later */
    int64_t as_of_ms;    /* every record that arrived before is at the position or before it, by the service
                          * clock; -1: unknown */
    struct digest hash;  /* LEASE_AT_POSITION: source_hash there; all zeros: not known */
};

/* By id, for qsort and bsearch. */
int source_compare_shards(const void *a, const void *b);

/* Of `shards` (sorted by id), the one with this id, or NULL. */
const struct source_shard *source_find_shard(const struct source_shard *shards, size_t n, const char *id);

bool source_is_child(const struct source_shard *shard, const char *parent_id);

struct source_record {
    struct position position;
    int64_t arrived_ms;        /* when it reached the stream, since the epoch; -1: the source does not say */
    const char *partition_key; /* NULL: the source has none */
    const void *data;
    size_t length;
    bool cut;   /* `data` is only the beginning: the record is longer than LIMIT_LINE_BYTES */
    bool blank; /* a line of white space: skipped, no dead letter */
    const char
        *broken; /* why this aggregated record cannot be taken apart (`data` is all of it); else NULL */
};

/* What one read returned. Everything in it is borrowed, until the reader's next read, source_forget or
 * source_close. */
struct source_batch {
    const struct source_record *records; /* ascending; thousands for one aggregated record that is stored */
    size_t n;
    int64_t as_of_ms;   /* service clock: once these records are applied, the views have every event that
                         * reached the shard before then; -1: not known (ingest/README.md) */
    int64_t bytes_left; /* of the source, after these records; 0: none, or not known */
    bool more;          /* the next read is expected to return records at once */
    bool ended;         /* the shard has no records after these, ever */
    bool gone;          /* with `ended`: the source no longer has the shard */
    const struct source_shard *children; /* with `ended`: the shards that continue it, as far as known */
    size_t n_children;
    const char *loss; /* why records before these may be lost for good; NULL: none are */
    bool no_room; /* nothing was read, because the budget has no room. This read did not wait for it, so that
                   * the caller can hand over what it holds; the next read waits. */
};

/* What identifies the source for good, for store_bind. NOT_FOUND: there is no such stream. */
enum status source_identify(struct source *source, struct store_source *out, struct error *e);

/* All shards that can be read now, sorted by id (`*shards` is the caller's to free). `from_ms` >= 0: only
 * those that were open then or later. */
enum status source_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                               size_t *n, struct error *e);

/* A reader of one shard. Of `shard` it uses the id and the hash keys ("": not known). Reads nothing yet. Its
 * memory counts against `budget` (borrowed, to outlive the reader; NULL: no limit). Its first read is small.
 */
struct source_reader *source_open(struct source *source, const struct source_shard *shard,
                                  const struct source_start *start, struct budget *budget);

/* Waits until the shard may be read again (its read rate) and the budget has room for a reply, at most until
 * CLOCK_BOOTTIME `until_ms`; then reads once. OK without records: the shard has none now, `until_ms` passed,
 * the reply was dropped and is asked for again by the next read, or source_wake ended the wait. After RETRY
 * or FAILED the reader stands where it stood before. */
enum status source_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                        struct error *e);

/* Whether records have the time at which they reached the stream. */
bool source_has_arrivals(const struct source *source);

/* The hash that a checkpoint keeps: of what lies in the source before record `i` of the last batch (`i` = n,
 * or 0 after source_forget: before where the reader stands). A reader that begins with it (struct
 * source_start) reads on only if the same is still there. All zeros: the source keeps none. */
struct digest source_hash(struct source_reader *reader, size_t i);

/* Frees the last batch's memory before the next read does. */
void source_forget(struct source_reader *reader);

/* Ends a wait of source_read, the current or the next one, and drops a reply once more of it arrives. Any
 * thread. */
void source_wake(struct source_reader *reader);

void source_close(struct source_reader *reader);

/* Ends every call that is under way and every later one, from any thread: for the last seconds of a stop. */
void source_cancel(struct source *source);
void source_free(struct source *source);

/* For implementations. Both structs are the first member of the implementation's own. */
struct source_ops {
    enum status (*identify)(struct source *, struct store_source *, struct error *);
    enum status (*list_shards)(struct source *, int64_t, struct source_shard **, size_t *, struct error *);
    struct source_reader *(*open)(struct source *, const struct source_shard *, const struct source_start *,
                                  struct budget *);
    enum status (*read)(struct source_reader *, int64_t, struct source_batch *, struct error *);
    struct digest (*hash)(struct source_reader *, size_t); /* NULL: it keeps none */
    bool no_arrivals;                                      /* no record has an arrived_ms */
    void (*forget)(struct source_reader *);                /* NULL: nothing to do */
    void (*wake)(struct source_reader *);
    void (*close)(struct source_reader *);
    void (*cancel)(struct source *); /* NULL: no call takes long */
    void (*free)(struct source *);
};

struct source {
    const struct source_ops *ops;
};

struct source_reader {
    const struct source_ops *ops;
    struct pulse *pulse;       /* beats while a reply arrives; NULL: none. Set by who opened it */
    bool is_sparing;           /* its first reply must be small; set so, too */
    const struct fence *fence; /* of the shard's lease; NULL: always open. Set so, too */
};

#endif
