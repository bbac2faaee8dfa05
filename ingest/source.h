/*
 * source: where records come from: shards, each read in order by one reader. One interface;
 * `ingest/kinesis/source.c` and `source_file.c` implement it.
 *
 * A source is thread-safe. A reader belongs to its shard's thread; only source_wake may be called from
 * others. Statuses: OK; RETRY if the source cannot answer now; FAILED if it needs somebody's hand. Of
 * source_read also INVALID: the position that the reader stands at is none of this source. Then this worker
 * must not go on at all: any other position would count wrongly.
 */
#ifndef INGEST_SOURCE_H
#define INGEST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "views/store.h"

struct budget; /* ingest/budget.h */
struct source;
struct source_reader;

/* A shard as the source lists it. */
struct source_shard {
    char id[LIMIT_SHARD_ID_BYTES + 1];
    char parents[STORE_LEASE_PARENTS][LIMIT_SHARD_ID_BYTES + 1]; /* "": none */
    char starting_hash_key[STORE_HASH_KEY_SIZE];
    char ending_hash_key[STORE_HASH_KEY_SIZE];
};

/* Where a reader begins: what a lease's checkpoint says (views/store.h). Not LEASE_SHARD_END. */
struct source_start {
    enum lease_checkpoint checkpoint;
    struct position position; /* LEASE_AT_POSITION: the first record is the one after this */
    int64_t start_at_ms; /* LEASE_AT_TIMESTAMP: the first record is the first that arrived then or later */
};

/* By id, for qsort and bsearch. */
int source_compare_shards(const void *a, const void *b);

/* Of `shards` (sorted by id), the one with this id, or NULL. */
const struct source_shard *source_find_shard(const struct source_shard *shards, size_t n, const char *id);

bool source_is_child(const struct source_shard *shard, const char *parent_id);

struct source_record {
    struct position position;
    const char *partition_key; /* NULL: the source has none */
    const uint8_t *data;
    size_t length;
    bool cut; /* `data` is only the beginning: the record is longer than may be */
    const char
        *broken; /* an aggregated record that cannot be taken apart, `data` is all of it: why; else NULL */
};

/* What one read brought. Everything in it is borrowed until the reader's next read or end. */
struct source_batch {
    const struct source_record *records; /* ascending; may be thousands for each that the source stores */
    size_t n;
    /* Once these records are applied, every event that reached the shard before this wall-clock time is
     * (design, section 9); -1: this read does not tell. */
    int64_t as_of_ms;
    int64_t behind_ms; /* how far behind the shard's tip the source says this read was; -1: it does not say */
    bool throttled;    /* the source asked to go slower; there are no records */
    bool ended;        /* these are the last records, ever */
    bool gone;         /* with `ended`: because the source does not have the shard any more */
    const struct source_shard *children; /* with `ended`: the shards that go on, as far as the source says */
    size_t n_children;
    const char *loss; /* records between what was handed out and these may be gone for good: the words for it;
                       * else NULL */
};

/* What identifies the source for good, for store_bind. NOT_FOUND: there is no such stream. */
enum status source_identify(struct source *source, struct store_source *out, struct error *e);

/* All shards that can be read now, sorted by id (`*shards` is the caller's to free). `from_ms` >= 0: only
 * those that were open then or later. */
enum status source_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                               size_t *n, struct error *e);

/* A reader of one shard, of which the id and the hash keys are looked at ("": not known). Reads nothing yet.
 * What it has in memory is held of `budget` (borrowed, to outlive the reader; NULL: none). */
struct source_reader *source_open(struct source *source, const struct source_shard *shard,
                                  const struct source_start *start, struct budget *budget);

/* Waits until the shard may be read again (its read rate) and there is room for a reply (the budget), but not
 * beyond CLOCK_BOOTTIME `until_ms`, and reads once. OK with no records if there are none, if `until_ms` came
 * first, or if woken. After RETRY or FAILED the reader is as it was. */
enum status source_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                        struct error *e);

/* The last read's batch is not needed any more: its memory is free before the next read. */
void source_forget(struct source_reader *reader);

/* Ends a wait of source_read, now or the next one. */
void source_wake(struct source_reader *reader);

void source_close(struct source_reader *reader);

/* Ends every call that is under way and every later one, from any thread: for the last seconds of a stop. */
void source_cancel(struct source *source);
void source_free(struct source *source);

/* ---- for implementations: the same functions; both structs are the first member of the implementation's own
 * -------- */

struct source_ops {
    const char *name;
    enum status (*identify)(struct source *, struct store_source *, struct error *);
    enum status (*list_shards)(struct source *, int64_t, struct source_shard **, size_t *, struct error *);
    struct source_reader *(*open)(struct source *, const struct source_shard *, const struct source_start *,
                                  struct budget *);
    enum status (*read)(struct source_reader *, int64_t, struct source_batch *, struct error *);
    void (*forget)(struct source_reader *);
    void (*wake)(struct source_reader *);
    void (*close)(struct source_reader *);
    void (*cancel)(struct source *);
    void (*free)(struct source *);
};

struct source {
    const struct source_ops *ops;
};

struct source_reader {
    const struct source_ops *ops;
};

#endif
