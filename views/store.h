/*
 * store: where the views and the leases live. One interface; views/dynamodb/store.h and views/sqlite/store.h
 * implement it. views/README.md explains why the scores stay exact.
 *
 * Thread-safe. Every call may block, within LIMIT_AWS_* for each attempt and within the caller's deadline for
 * all of them. Statuses: OK; NOT_FOUND and CONFLICT where named; RETRY if the store cannot answer now;
 * INVALID if it refused what it was sent (the error has table, key and the store's reason); FAILED if an
 * operator must repair something.
 */
#ifndef VIEWS_STORE_H
#define VIEWS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/fence.h"
#include "base/pulse.h"
#include "views/board.h"
#include "views/contribution.h"
#include "views/packed.h"
#include "views/position.h"

struct store;

/* FAILED with this code: the files that were opened are no longer at their paths, so nothing is written to
 * them. Rows can still be read. */
#define STORE_ERROR_GONE "StoreGone"

/* FAILED with this code: an index that this read needs is not there, or not filled yet; create-tables makes
 * it. Other reads go on. */
#define STORE_ERROR_NO_INDEX "NoIndex"

/* What the store belongs to. */

#define STORE_IDENTITY_KEY_BYTES 32

/* The stream that the views were made from. Another stream, or the same name deleted and created again, has
 * other positions under the same shard names. */
struct store_source {
    char name[512];     /* the stream's ARN; a file: what identifies it */
    int64_t created_ms; /* its creation */
};

/* What options decide about a view, for good. */
struct view_shape {
    unsigned periods;          /* views/period.h: a set of kinds */
    bool best_sellers;         /* products earn credit as contributors do: ROLE_PRODUCT */
    unsigned board_partitions; /* of the index of boards; 1 and more */
};

/* What a process asks of the store. */
struct store_wish {
    const struct store_source *source; /* NULL: it only serves, or has not reached its source yet */
    struct view_shape shape;           /* for the first use */
    bool wants_periods, wants_best_sellers, wants_board_partitions; /* an option requires it */
    const uint8_t *identity_key; /* for the first use: another view's; NULL: a new one is drawn */
};

/* What the store is, for good. */
struct store_binding {
    struct view_shape shape;
    uint8_t identity_key[STORE_IDENTITY_KEY_BYTES];
};

/* Binds the store to the source, to FOLD_VIEW_VERSION and to the shape on first use, and makes the identity
 * key; compares them afterwards. Without a source: compares what it can, and writes nothing. NOT_FOUND if no
 * process has bound it, or it does not exist. INVALID on a mismatch: the error names both sides and the way
 * out. INVALID too if a table has leases before first use: they are another application's. */
enum status store_bind(struct store *store, const struct store_wish *wish, struct store_binding *binding,
                       struct error *e);

/* The identity key, for another view to take over, whatever view version this one has. NOT_FOUND: it has no
 * view. */
enum status store_read_identity_key(struct store *store, uint8_t key[STORE_IDENTITY_KEY_BYTES],
                                    struct error *e);

#define STORE_CONSUMER_SIZE 1024

/* The consumer through which the source pushes its records: its ARN stands in the same record, so that
 * whoever removes it removes this one and no other. NULL: there is none any more. NOT_FOUND: the store has no
 * view. */
enum status store_note_consumer(struct store *store, const char *arn, struct error *e);

/* NOT_FOUND: it has no view, or the view has no consumer. */
enum status store_read_consumer(struct store *store, char arn[STORE_CONSUMER_SIZE], struct error *e);

/* Valid once store_bind has succeeded. */
const struct view_shape *store_shape(const struct store *store);

/* Which implementation it is: "sqlite", "dynamodb". */
const char *store_kind(const struct store *store);

struct store_creation {
    unsigned board_partitions; /* --board-partitions */

    /* Receives what a table waits for, as a sentence: at each change, and every LIMIT_CREATE_REPORT_MS. NULL:
     * nobody does. */
    void (*report)(const char *table, const char *what);
};

/* Makes what is missing (`creation` NULL: with one partition), also indexes of tables that are there, and
 * waits until all is usable: for hours where an index is filled from many rows. Idempotent. INVALID, naming
 * it, if what is there has other keys. */
enum status store_create(struct store *store, const struct store_creation *creation, struct error *e);

/* Writing the views: one thread for each shard. */

/* How the calls below run, and what they report. They end with RETRY once the store has answered nothing for
 * LIMIT_STORE_PATIENCE_MS. While it answers they may take long, and the pulse beats. */
struct store_context {
    const struct fence *fence; /* NULL: none */
    struct pulse *pulse;       /* NULL: none */
    int throttles;             /* attempts to write that the store throttled: added to */
    int64_t now_ms; /* the service's time, since the epoch: a store with watermarks writes no row that
                     * has expired by then, for its watermarks may be gone. 0: unknown, all is written */
    int64_t deadline_boot_ms; /* of a read for serving: it waits for no writer; 0: patience alone */
};

/* Rows of these products, strongly consistent, in the order of `ids`, which are unique; NULL where there is
 * no row. The caller owns the rows. On anything but OK there are no rows. */
enum status store_read_contributions(struct store *store, const char *const ids[], size_t n,
                                     struct contribution *rows[], struct store_context *context,
                                     struct error *e);

/* Credit for one (userId, board): `n` in all. A store with watermarks needs the positions of the records that
 * earned it, ascending: it counts only those above the row's watermark for the shard. ROLE_SHOP counts in
 * `sales`. */
struct store_score_write {
    struct board board;
    const char *user_id;
    const struct position *const *positions; /* `n`; NULL: not known */
    size_t n;
    int64_t updated_ms; /* of the last one */
    const char *updated_by;
};

/* How far a batch takes its shard. A store whose batches are transactions writes it with the batch, on
 * condition that the lease is of this tenure. Another store ignores it: the lease's renewal writes it. */
struct store_checkpoint {
    const char *tenure;
    struct position position;
    struct digest hash; /* as in the lease */
};

/* What a batch of one shard changes. */
struct store_batch {
    const char *shard_id;
    const struct store_score_write *scores; /* unique in (userId, board) */
    size_t n_scores;
    /* Unique in product; each replaces the row that was folded over, by packed_old_last_event_id. The store
     * may note the row's place in it. */
    struct packed *const *contributions;
    size_t n_contributions;
    const struct store_checkpoint *checkpoint; /* NULL: none */

    /* NULL, or a flag for each: set once the store has acknowledged it, whatever becomes of the rest. A store
     * whose batches are transactions sets none. */
    bool *scores_written, *contributions_written;
};

/* All scores, then all contributions. CONFLICT if a contribution was not the one that was folded over: read
 * these products again, fold and write again. After anything but OK, some of it may have been written. */
enum status store_write_batch(struct store *store, const struct store_batch *batch,
                              struct store_context *context, struct error *e);

/* Leases: ingest's coordinator and the threads that it starts. */

#define STORE_LEASE_OWNER_BYTES 256
#define STORE_LEASE_PARENTS 2
#define STORE_HASH_KEY_SIZE 40

enum lease_checkpoint {
    LEASE_TRIM_HORIZON, /* nothing read yet: from the oldest record */
    LEASE_AT_TIMESTAMP, /* nothing read yet: from `start_at_ms` */
    LEASE_AT_POSITION,  /* everything up to and including `position` is in the views */
    LEASE_SHARD_END,    /* the whole shard is */
};

/* One shard's lease. The attributes are the KCL's (names beside the fields), and ours: tenure, asOf,
 * foreignArrivals, startAt, checkpointHash, endedAt. */
struct store_lease {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1]; /* leaseKey */
    char owner[STORE_LEASE_OWNER_BYTES + 1]; /* leaseOwner; "": nobody */
    int64_t counter;                         /* leaseCounter */
    char tenure[33];                         /* drawn at random when a worker takes it; "" before the first */
    enum lease_checkpoint checkpoint;
    struct position position; /* with LEASE_AT_POSITION */
    struct digest hash;       /* checkpointHash, with LEASE_AT_POSITION: of the source's bytes before the
                               * checkpoint (ingest/source.h); all zeros: none */
    int64_t start_at_ms;      /* with LEASE_AT_TIMESTAMP */
    int64_t owner_switches;   /* ownerSwitchesSinceCheckpoint */
    int64_t as_of_ms;         /* -1: unknown */
    bool foreign_arrivals;    /* foreignArrivals: an event was read whose arrival was another stream's, or
                               * unknown; also one of a shard that this one continues */
    int64_t ended_at_ms;      /* endedAt, with LEASE_SHARD_END, where there are watermarks: epoch, by the
                               * service's clock; the shard had ended by then. 0: unknown */
    char parents[STORE_LEASE_PARENTS][LIMIT_SHARD_ID_BYTES + 1];  /* "": none */
    char children[STORE_LEASE_PARENTS][LIMIT_SHARD_ID_BYTES + 1]; /* written at the shard's end */
    char starting_hash_key[STORE_HASH_KEY_SIZE];                  /* decimal, 128 bits; "": not known */
    char ending_hash_key[STORE_HASH_KEY_SIZE];
};

/* The checkpoint as the KCL and the stores keep it: TRIM_HORIZON, AT_TIMESTAMP, SHARD_END, or the sequence
 * number in decimal. Its sub-sequence number stands beside it: 0 with those three. */
const char *store_lease_checkpoint(const struct store_lease *lease, char out[POSITION_TEXT_SIZE],
                                   uint32_t *sub);

/* Sets it from that (`text` may be NULL); false if it is none. Without SHARD_END there is no end's time. */
bool store_lease_set_checkpoint(struct store_lease *lease, const char *text, uint32_t sub);

/* All leases, sorted by shard id; the caller frees `*leases`. Without `consistent` it costs half, and each
 * lease may be as it was a second or so ago, or be missing if it was written since. */
enum status store_read_leases(struct store *store, bool consistent, struct store_lease **leases, size_t *n,
                              struct error *e);

/* Writes a lease that must not exist yet; CONFLICT if it does. */
enum status store_create_lease(struct store *store, const struct store_lease *lease, struct error *e);

/* Writes `after` over a lease that must still have `before`'s owner, counter and tenure. CONFLICT if it has
 * not: then `*found` is what is there (its shard_id "" if the row is gone). Takes, renewals, checkpoints and
 * releases are all this. */
enum status store_update_lease(struct store *store, const struct store_lease *before,
                               const struct store_lease *after, const struct fence *fence,
                               struct store_lease *found, struct error *e);

/* Deletes a lease that must still have `before`'s owner, counter and tenure; CONFLICT if it has not, or does
 * not exist. */
enum status store_delete_lease(struct store *store, const struct store_lease *before,
                               const struct fence *fence, struct error *e);

/* Whether scores have watermarks. A store whose batches are transactions needs none. */
bool store_has_watermarks(const struct store *store);

/* Slows a long call down. `wait` returns true after `ms`; or false, at once, if the call must end. */
struct store_pacer {
    bool (*wait)(void *data, int ms);
    void *data;
    struct pulse *pulse; /* beats with each answer; NULL: none */
};

/* Removes the watermarks of shards that nobody can read again, and for which no write can still arrive
 * (views/README.md says when that is), in one scan of all scores. Only if the store has watermarks. CONFLICT:
 * some process began such a scan less than LIMIT_CLEANUP_INTERVAL_MS before `now_ms` (epoch, by the service's
 * clock). After anything but OK some may be left; calling again is safe. Blocks: for hours where millions of
 * rows have such watermarks (LIMIT_CLEANUP_WRITE_UNITS). */
enum status store_remove_watermarks(struct store *store, const char *const shard_ids[], size_t n,
                                    int64_t now_ms, const struct store_pacer *pacer, struct error *e);

/* Serving. */

/* A row of Scores. Owns its strings. */
struct store_score {
    char *user_id;
    int64_t score;
    int64_t updated_ms;
};

struct store_board {
    struct store_score *items; /* score descending, ties in the store's index order */
    size_t n;
};

/* A place on a board: where a row stands, or stood when it was read. No row need be there. */
struct store_place {
    int64_t score;
    const char *user_id;
};

enum store_direction {
    STORE_DOWN, /* from better to worse */
    STORE_UP,
};

/* `limit` rows of this board in one direction, from the one after `from` on (NULL: from that direction's
 * first); fewer only at the end. Eventually consistent if store_is_index_late. */
enum status store_read_board(struct store *store, const struct board *board, const struct store_place *from,
                             enum store_direction direction, size_t limit, int64_t deadline_boot_ms,
                             struct store_board *rows, struct error *e);
void store_board_deinit(struct store_board *board);

/* How many other contributors on this board have a score above `score`, counted to at most `max`: the index
 * may have a later score of this one. `*tied`: another has exactly this score. CONTRIBUTION_UNKNOWN is not
 * counted. */
enum status store_read_rank(struct store *store, const struct board *board, int64_t score,
                            const char *user_id, size_t max, int64_t deadline_boot_ms, size_t *above,
                            bool *tied, struct error *e);

/* A pass over a board, page by page. All zeros at first; store_pass_deinit ends it at any time. */
struct store_pass {
    bool is_done;
    unsigned partition; /* private, as the rest: where the next page begins */
    int64_t score;
    char *user_id;
};

/* A page of a pass: how many contributors have each score. CONTRIBUTION_UNKNOWN is not counted. */
struct store_score_count {
    int64_t score;
    int64_t contributors;
};

struct store_score_counts {
    struct store_score_count *items; /* each score once; the highest first */
    size_t n;
    size_t rows;  /* read */
    double units; /* that the page cost: DynamoDB's read units; rows, where reads have no price */
};

/* The next page of a pass, at most LIMIT_RANK_PAGE_ROWS rows; after a failure the pass can go on. A
 * contributor who moves during the pass may be counted twice, or not at all. The caller frees with
 * store_score_counts_deinit. */
enum status store_count_board(struct store *store, const struct board *board, struct store_pass *pass,
                              int64_t deadline_boot_ms, struct store_score_counts *counts, struct error *e);
void store_pass_deinit(struct store_pass *pass); /* frees; the pass goes on only if it is all zeros then */
void store_score_counts_deinit(struct store_score_counts *counts);

/* For implementations: counts more contributors at this score, which is not above the last one's. */
void store_score_counts_add(struct store_score_counts *counts, int64_t score, int64_t contributors);

/* One contributor's rows on these boards, strongly consistent; user_id NULL where there is none. NOT_FOUND:
 * no row at all. The caller frees with store_score_deinit. */
enum status store_read_scores(struct store *store, const char *user_id, const struct board boards[], size_t n,
                              int64_t deadline_boot_ms, struct store_score scores[], struct error *e);
void store_score_deinit(struct store_score *score);

/* What was counted in one period. */
struct store_count {
    struct period period;
    int64_t count;
};

struct store_history {
    struct store_count *items;
    size_t n;
};

/* The shop's sales are spread over so many rows, by shard. */
#define STORE_SHOP_ROWS 16
enum { STORE_SHOP_SIZE = 8 };
const char *store_shop_user_id(unsigned k, char out[STORE_SHOP_SIZE]); /* "SHOP/3" */

/* One contributor's rows in the periods of this kind, the newest first, from the one before `before` on
 * (NULL: from the newest), at most `limit`; fewer only at the end. Periods without a row are left out.
 * ROLE_SHOP, with `user_id` NULL: the shop's sales. Strongly consistent. */
enum status store_read_history(struct store *store, const char *user_id, enum role role,
                               enum period_kind kind, const struct period *before, size_t limit,
                               int64_t deadline_boot_ms, struct store_history *history, struct error *e);
void store_history_deinit(struct store_history *history);

/* The shop's sales in one period, strongly consistent; 0 if there is no row. */
enum status store_read_sales(struct store *store, struct period period, int64_t deadline_boot_ms,
                             int64_t *sales, struct error *e);

/* One product's row, strongly consistent; the caller's. NOT_FOUND: none. */
enum status store_read_contribution(struct store *store, const char *product_id, int64_t deadline_boot_ms,
                                    struct contribution **row, struct error *e);

/* Whose products to list. */
struct store_owner {
    enum role role; /* ROLE_CREATOR, ROLE_PHOTOGRAPHER */
    const char *user_id;
};

/* `limit` products in the store's order, from the one after `after` on (NULL: from the first); fewer only at
 * the end. Those of `owner` (NULL: all) are ordered by product id, and eventually consistent if
 * store_is_index_late. The caller frees each row and the array. */
enum status store_list_contributions(struct store *store, const struct store_owner *owner, const char *after,
                                     size_t limit, int64_t deadline_boot_ms, struct contribution ***rows,
                                     size_t *n, struct error *e);

/* Auditing. */

/* A row of Scores as it is stored. */
struct store_row {
    const char *role; /* views/board.h says what it names */
    const char *user_id;
    int64_t count;     /* its score; the shop's sales */
    int64_t expires_s; /* since the epoch; 0: never */
};

/* Receives every row, borrowed for the call. Must not block for long, nor call the store. */
struct store_visitor {
    void (*score)(void *data, const struct store_row *row, bool after);
    void (*contribution)(void *data, const struct contribution *row);
    void *data;
};

/* Visits all of Scores, all of Contributions, then all of Scores again (`after`), each row strongly
 * consistent: whatever is written meanwhile, what the contributions add up to lies between the two readings
 * of each score. FAILED if a row is none of ours. */
enum status store_scan(struct store *store, const struct store_visitor *visitor, struct error *e);

/* Whether a scan reads all rows as of one moment. */
bool store_is_snapshot(const struct store *store);

/* Whether boards are read from an index that may lag behind the rows. */
bool store_is_index_late(const struct store *store);

/* Ends every call that is under way and every later one, from any thread: for the last seconds of a stop. */
void store_cancel(struct store *store);
void store_free(struct store *store); /* NULL is fine */

/* For implementations: the functions above. `store` is the first member of the implementation's own struct.
 */
struct store_ops {
    const char *name;
    bool index_late;
    bool snapshot;
    typeof(store_bind) *bind;
    typeof(store_read_identity_key) *read_identity_key;
    typeof(store_note_consumer) *note_consumer;
    typeof(store_read_consumer) *read_consumer;
    typeof(store_create) *create;
    typeof(store_read_contributions) *read_contributions;
    typeof(store_write_batch) *write_batch;
    typeof(store_read_leases) *read_leases;
    typeof(store_create_lease) *create_lease;
    typeof(store_update_lease) *update_lease;
    typeof(store_delete_lease) *delete_lease;
    typeof(store_remove_watermarks) *remove_watermarks; /* NULL: it has no watermarks */
    typeof(store_read_board) *read_board;
    typeof(store_read_rank) *read_rank;
    typeof(store_count_board) *count_board;
    typeof(store_read_scores) *read_scores;
    typeof(store_read_history) *read_history;
    typeof(store_read_sales) *read_sales;
    typeof(store_read_contribution) *read_contribution;
    typeof(store_list_contributions) *list_contributions;
    typeof(store_scan) *scan;
    typeof(store_cancel) *cancel;
    typeof(store_free) *free;
};

struct store {
    const struct store_ops *ops;
    struct view_shape shape; /* set by store_bind */
};

/* For implementations, about their record of what they are bound to. Periods are kept as text, best sellers
 * as "on" or "off". */

/* What a process that is refused does: `other` is "another stage (...)" or "another file (...)". */
#define STORE_WAY_OUT(other)                                                                                 \
    "fill " other " anew (--identity-from keeps ids and cursors; deploy/README.md, \"Rebuild a view beside " \
    "the live one\")"

const char *store_format_best_sellers(bool best_sellers);

/* False if it is none: a text may be NULL. */
bool store_parse_shape(const char *periods, const char *best_sellers, int64_t board_partitions,
                       struct view_shape *shape);

/* INVALID if an option asks for another shape than `kept`. `place` is quoted in the error: "table
 * 'dev-Leases'"; `way_out` is a STORE_WAY_OUT. */
enum status store_compare_shape(const struct store_wish *wish, const struct view_shape *kept,
                                const char *place, const char *way_out, struct error *e);

#endif
