/*
 * store: where the views and the leases live. One interface; `views/dynamodb/store.c` implements it over
 * DynamoDB, `views/sqlite/store.c` embedded. What holds for every store is said here.
 *
 * Thread-safe. Every call may block, within LIMIT_AWS_* for each attempt and the caller's deadline for all of
 * them. Statuses: OK; NOT_FOUND and CONFLICT where named; RETRY if the store cannot answer now; INVALID if it
 * refused what it was sent (the error has table, key and the store's reason); FAILED if it needs somebody's
 * hand.
 */
#ifndef VIEWS_STORE_H
#define VIEWS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/fence.h"
#include "base/pulse.h"
#include "views/contribution.h"
#include "views/position.h"

struct store;

/* ---- what a store is of
 * ---------------------------------------------------------------------------------------- */

#define STORE_IDENTITY_KEY_BYTES 32

/* The stream that the views were made from. Another stream, or the same name deleted and created again, has
 * other positions under the same shard names. */
struct store_source {
    char name[512];     /* the stream's ARN; a file: what identifies it */
    int64_t created_ms; /* its creation */
};

/* Binds the store to `source` and to FOLD_VIEW_VERSION on first use, compares ever after; makes the identity
 * key if there is none yet. `source` NULL (a process that only serves): compares the view version only.
 * INVALID on a mismatch: the error names both sides and the way out. */
enum status store_bind(struct store *store, const struct store_source *source,
                       uint8_t identity_key[STORE_IDENTITY_KEY_BYTES], struct error *e);

/* Creates whatever is missing and waits until all is usable. Idempotent. */
enum status store_create(struct store *store, struct error *e);

/* ---- writing the views (one thread for each shard)
 * --------------------------------------------------------------- */

/* What the calls below work under, and what they tell of it. They end, with RETRY, once the store has
 * answered nothing for LIMIT_STORE_PATIENCE_MS; while it does answer they may take long, and the pulse beats.
 */
struct store_context {
    const struct fence *fence; /* NULL: none */
    struct pulse *pulse;       /* NULL: none */
    int throttles;             /* so many attempts to write were told to slow down: counted on */
};

/* Rows of these products, strongly consistent, in the order asked for: NULL where there is none. Ids are
 * unique. The caller owns the rows. On anything but OK there are no rows. */
enum status store_read_contributions(struct store *store, const char *const ids[], size_t n,
                                     struct contribution *rows[], struct store_context *context,
                                     struct error *e);

/* Credit for one (userId, role): one for each position, ascending. A store with watermarks counts those above
 * the row's watermark for the shard, and no other. */
struct store_score_write {
    enum role role;
    const char *user_id;
    const struct position *positions;
    size_t n_positions;
    int64_t updated_ms; /* of the last one */
    const char *updated_by;
};

/* Replaces the row that was folded over, which had `old_last_event_id` (NULL: there was no row). */
struct store_contribution_write {
    const struct contribution *row;
    const char *old_last_event_id;
};

/* How far a batch takes its shard, for a store whose batches are transactions: written with the rest of it,
 * while the lease is of this tenure. Another store leaves it to whoever renews the lease. */
struct store_checkpoint {
    const char *tenure;
    struct position position;
};

/* What a batch of one shard comes to. */
struct store_batch {
    const char *shard_id;
    const struct store_score_write *scores; /* unique in (userId, role) */
    size_t n_scores;
    const struct store_contribution_write *contributions; /* unique in product */
    size_t n_contributions;
    const struct store_checkpoint *checkpoint; /* NULL: none */

    /* NULL, or a flag for each: set once the store has acknowledged it, whatever comes of the rest. A store
     * whose batches are transactions sets none. */
    bool *scores_written, *contributions_written;
};

/* All scores, then all contributions. CONFLICT if a contribution was not what was folded over: drop what is
 * cached of these products, read, fold and write again. After anything but OK some of it may have been
 * written. */
enum status store_write_batch(struct store *store, const struct store_batch *batch,
                              struct store_context *context, struct error *e);

/* ---- leases (ingest's coordinator and shard threads)
 * -------------------------------------------------------------- */

#define STORE_LEASE_OWNER_BYTES 256
#define STORE_LEASE_PARENTS 2
#define STORE_HASH_KEY_SIZE 40

enum lease_checkpoint {
    LEASE_TRIM_HORIZON, /* nothing read yet: from the oldest record */
    LEASE_AT_TIMESTAMP, /* nothing read yet: from `start_at_ms` */
    LEASE_AT_POSITION,  /* everything up to and including `position` is in the views */
    LEASE_SHARD_END,    /* all of it is */
};

/* One shard's lease, in the KCL's format (design, section 7). */
struct store_lease {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1]; /* leaseKey */
    char owner[STORE_LEASE_OWNER_BYTES + 1]; /* leaseOwner; "": nobody */
    int64_t counter;                         /* leaseCounter */
    char tenure[33];                         /* random for each taking; "" before the first */
    enum lease_checkpoint checkpoint;
    struct position position;                                     /* with LEASE_AT_POSITION */
    int64_t start_at_ms;                                          /* with LEASE_AT_TIMESTAMP */
    int64_t owner_switches;                                       /* ownerSwitchesSinceCheckpoint */
    int64_t as_of_ms;                                             /* -1: unknown */
    char parents[STORE_LEASE_PARENTS][LIMIT_SHARD_ID_BYTES + 1];  /* "": none */
    char children[STORE_LEASE_PARENTS][LIMIT_SHARD_ID_BYTES + 1]; /* written at the shard's end */
    char starting_hash_key[STORE_HASH_KEY_SIZE];                  /* decimal, 128 bits; "": not known */
    char ending_hash_key[STORE_HASH_KEY_SIZE];
};

/* The checkpoint as stores keep it, and the KCL: TRIM_HORIZON, AT_TIMESTAMP, SHARD_END, or the sequence
 * number in decimal; its sub-sequence number stands beside it, 0 for a sentinel. */
const char *store_lease_checkpoint(const struct store_lease *lease, char out[POSITION_TEXT_SIZE],
                                   uint32_t *sub);

/* Sets it from that (`text` may be NULL); false if it is none. */
bool store_lease_set_checkpoint(struct store_lease *lease, const char *text, uint32_t sub);

/* All leases, sorted by shard id; the caller frees `*leases`. Strongly consistent. */
enum status store_read_leases(struct store *store, struct store_lease **leases, size_t *n, struct error *e);

/* Writes a lease that must not exist yet; CONFLICT if it does. */
enum status store_create_lease(struct store *store, const struct store_lease *lease, struct error *e);

/* Writes `after` over a lease that must still have `before`'s owner, counter and tenure. CONFLICT if it has
 * not: then
 * `*found` is what is there (its shard_id "" if the row is gone). Takes, renewals, checkpoints and releases
 * are all this. */
enum status store_update_lease(struct store *store, const struct store_lease *before,
                               const struct store_lease *after, const struct fence *fence,
                               struct store_lease *found, struct error *e);

/* Deletes a lease that must still have `before`'s owner, counter and tenure; CONFLICT if it has not, or is
 * not there. */
enum status store_delete_lease(struct store *store, const struct store_lease *before,
                               const struct fence *fence, struct error *e);

/* How far a shard's watermarks are shrunk; zeroed before the first call. */
struct store_shrinking {
    char *place; /* the store's own: store_shrinking_deinit */
    bool done;
};

/* Lets go of what the store keeps of a shard that has ended, its end durable: its watermarks become
 * position_end, so that nothing of it is ever counted again, and take a byte each. Each call goes over
 * LIMIT_SHRINK_ROWS rows at most; after anything but OK the next goes over the same ones. Begun anew after a
 * crash it finds what is done, done. */
enum status store_shrink_watermarks(struct store *store, const char *shard_id, const struct fence *fence,
                                    struct store_shrinking *shrinking, struct error *e);
void store_shrinking_deinit(struct store_shrinking *shrinking);

/* ---- serving
 * ----------------------------------------------------------------------------------------------------- */

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

/* Where a row stands on a board, or stood: it may have another score by now, or not be there. */
struct store_place {
    int64_t score;
    const char *user_id;
};

/* `limit` rows of this role, the best first, that stand after `after` (NULL: from the first); fewer only at
 * the end. Eventually consistent where store_is_index_late says so. */
enum status store_read_board(struct store *store, enum role role, const struct store_place *after,
                             size_t limit, int64_t deadline_boot_ms, struct store_board *board,
                             struct error *e);
void store_board_deinit(struct store_board *board);

/* How many contributors of this role have a score above `score`, counted to at most `max`; of two equal user
 * ids CONTRIBUTION_UNKNOWN is not one. `*tied`: somebody else has exactly this score. */
enum status store_read_rank(struct store *store, enum role role, int64_t score, const char *user_id,
                            size_t max, int64_t deadline_boot_ms, size_t *above, bool *tied, struct error *e);

/* One contributor's rows in both roles, strongly consistent; user_id NULL where there is none. NOT_FOUND: no
 * row at all. The caller frees with store_score_deinit. */
enum status store_read_scores(struct store *store, const char *user_id, int64_t deadline_boot_ms,
                              struct store_score scores[ROLES], struct error *e);
void store_score_deinit(struct store_score *score);

/* One product's row, strongly consistent; the caller's. NOT_FOUND: none. */
enum status store_read_contribution(struct store *store, const char *product_id, int64_t deadline_boot_ms,
                                    struct contribution **row, struct error *e);

/* `limit` products in the store's order that stand after the product `after` (NULL: from the first); fewer
 * only at the end. The caller frees each row and the array. */
enum status store_list_contributions(struct store *store, const char *after, size_t limit,
                                     int64_t deadline_boot_ms, struct contribution ***rows, size_t *n,
                                     struct error *e);

/* ---- auditing
 * ----------------------------------------------------------------------------------------------------- */

/* Told every row, which is borrowed for the call. Must not block for long, nor call the store. */
struct store_visitor {
    void (*score)(void *data, const char *role, const char *user_id, int64_t score, bool after);
    void (*contribution)(void *data, const struct contribution *row);
    void *data;
};

/* Visits all of Scores, all of Contributions, then all of Scores again (`after`), each table to its last
 * page, each row strongly consistent: whatever is written meanwhile, what the contributions say lies between
 * two readings of every score. FAILED if a row is none of ours. */
enum status store_scan(struct store *store, const struct store_visitor *visitor, struct error *e);

/* Whether all that a scan visits is of one moment. */
bool store_is_snapshot(const struct store *store);

/* Whether boards come from an index that may lag behind the rows. */
bool store_is_index_late(const struct store *store);

/* Ends every call that is under way and every later one, from any thread: for the last seconds of a stop. */
void store_cancel(struct store *store);
void store_free(struct store *store);

/* ---- for implementations
 * ----------------------------------------------------------------------------------------- */

/* The same functions, with their first argument an implementation's own struct whose first member is `struct
 * store`. */
struct store_ops {
    const char *name;
    bool index_late;
    bool snapshot;
    enum status (*bind)(struct store *, const struct store_source *, uint8_t *, struct error *);
    enum status (*create)(struct store *, struct error *);
    enum status (*read_contributions)(struct store *, const char *const *, size_t, struct contribution **,
                                      struct store_context *, struct error *);
    enum status (*write_batch)(struct store *, const struct store_batch *, struct store_context *,
                               struct error *);
    enum status (*read_leases)(struct store *, struct store_lease **, size_t *, struct error *);
    enum status (*create_lease)(struct store *, const struct store_lease *, struct error *);
    enum status (*update_lease)(struct store *, const struct store_lease *, const struct store_lease *,
                                const struct fence *, struct store_lease *, struct error *);
    enum status (*delete_lease)(struct store *, const struct store_lease *, const struct fence *,
                                struct error *);
    enum status (*shrink_watermarks)(struct store *, const char *, const struct fence *,
                                     struct store_shrinking *, struct error *);
    enum status (*read_board)(struct store *, enum role, const struct store_place *, size_t, int64_t,
                              struct store_board *, struct error *);
    enum status (*read_rank)(struct store *, enum role, int64_t, const char *, size_t, int64_t, size_t *,
                             bool *, struct error *);
    enum status (*read_scores)(struct store *, const char *, int64_t, struct store_score *, struct error *);
    enum status (*read_contribution)(struct store *, const char *, int64_t, struct contribution **,
                                     struct error *);
    enum status (*list_contributions)(struct store *, const char *, size_t, int64_t, struct contribution ***,
                                      size_t *, struct error *);
    enum status (*scan)(struct store *, const struct store_visitor *, struct error *);
    void (*cancel)(struct store *);
    void (*free)(struct store *);
};

struct store {
    const struct store_ops *ops;
};

#endif
