/* What the files of the SQLite store share: views/sqlite/store*.c, and nobody else. */
#ifndef VIEWS_SQLITE_INTERNAL_H
#define VIEWS_SQLITE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/waker.h"
#include "views/sqlite/connection.h"
#include "views/store.h"

struct store_sqlite {
    struct store store; /* first: what callers hold */
    char *path;
    int lock_fd; /* on <path>.lock, held by whoever fills the store; -1 */
    atomic_bool cancelled;

    /* SQLite has one writer at a time: shards and the coordinator queue here. Held during I/O: that is its
     * purpose. */
    pthread_mutex_t write_lock;
    struct sqlite writer;

    struct {
        bool running;
        atomic_bool ending;
        pthread_t thread;
        struct waker waker;
        struct sqlite connection;
    } checkpointer;

    pthread_mutex_t idle_lock; /* guards the list; a leaf */
    struct sqlite *idle;       /* connections of readers */
};

static inline struct store_sqlite *store_sqlite_of(struct store *store) {
    return (struct store_sqlite *)store;
}

/* Statements of both kinds of connection: their numbers. */
enum store_sqlite_statement {
    SELECT_CONTRIBUTION,
    INSERT_CONTRIBUTION,
    UPDATE_CONTRIBUTION,
    UPSERT_SCORE,
    UPDATE_CHECKPOINT,
    SELECT_LEASES,
    SELECT_LEASE,
    INSERT_LEASE,
    UPDATE_LEASE,
    DELETE_LEASE,
    SELECT_SOURCE,
    INSERT_SOURCE,
    UPDATE_SOURCE,
    SELECT_BOARD,
    SELECT_ABOVE,
    SELECT_TIED,
    SELECT_SCORES,
    LIST_CONTRIBUTIONS,
    SCAN_SCORES,
    SCAN_CONTRIBUTIONS,
    STORE_SQLITE_STATEMENTS,
};

/* views/sqlite/store.c: transactions on the writer: begin takes the write lock, end (which commits if
 * `status` is OK and the fence is open, else rolls back) gives it back. FAILED with code "Cancelled" or
 * "FenceShut" as the AWS client has it. */
enum status store_sqlite_begin(struct store_sqlite *d, const struct fence *fence, struct error *e);
enum status store_sqlite_end(struct store_sqlite *d, const struct fence *fence, enum status status,
                             struct error *e);

/* A reader's connection, to be given back; NULL and an error if there is none to be had. */
struct sqlite *store_sqlite_take_reader(struct store_sqlite *d, struct error *e);
void store_sqlite_give_reader(struct store_sqlite *d, struct sqlite *c);

/* A contribution from columns 0..10 of SELECT_CONTRIBUTION and LIST_CONTRIBUTIONS. */
#define CONTRIBUTION_COLUMNS                                                                                 \
    "productId, creator, photographer, lastEventId, photographerEventId, createdBy, updatedBy, "             \
    "creatorScore, "                                                                                         \
    "photographerScore, created, updated"
struct contribution *store_sqlite_contribution(sqlite3_stmt *s);
enum status store_sqlite_find_contribution(struct sqlite *c, const char *product_id,
                                           struct contribution **row, struct error *e);

/* views/sqlite/checkpoint.c */
enum status store_sqlite_start_checkpointer(struct store_sqlite *d, struct error *e);
void store_sqlite_stop_checkpointer(struct store_sqlite *d); /* fine if it was not started */

/* views/sqlite/write.c */
enum status store_sqlite_read_contributions(struct store *store, const char *const ids[], size_t n,
                                            struct contribution *rows[], struct store_context *context,
                                            struct error *e);
enum status store_sqlite_write_batch(struct store *store, const struct store_batch *batch,
                                     struct store_context *context, struct error *e);

/* views/sqlite/leases.c */
enum status store_sqlite_bind(struct store *store, const struct store_source *source, uint8_t *identity_key,
                              struct error *e);
enum status store_sqlite_read_leases(struct store *store, struct store_lease **leases, size_t *n,
                                     struct error *e);
enum status store_sqlite_create_lease(struct store *store, const struct store_lease *lease, struct error *e);
enum status store_sqlite_update_lease(struct store *store, const struct store_lease *before,
                                      const struct store_lease *after, const struct fence *fence,
                                      struct store_lease *found, struct error *e);
enum status store_sqlite_delete_lease(struct store *store, const struct store_lease *before,
                                      const struct fence *fence, struct error *e);
enum status store_sqlite_shrink_watermarks(struct store *store, const char *shard_id,
                                           const struct fence *fence, struct store_shrinking *shrinking,
                                           struct error *e);

/* views/sqlite/read.c */
enum status store_sqlite_read_board(struct store *store, enum role role, const struct store_place *after,
                                    size_t limit, int64_t deadline_boot_ms, struct store_board *board,
                                    struct error *e);
enum status store_sqlite_read_rank(struct store *store, enum role role, int64_t score, const char *user_id,
                                   size_t max, int64_t deadline_boot_ms, size_t *above, bool *tied,
                                   struct error *e);
enum status store_sqlite_read_scores(struct store *store, const char *user_id, int64_t deadline_boot_ms,
                                     struct store_score scores[ROLES], struct error *e);
enum status store_sqlite_read_contribution(struct store *store, const char *product_id,
                                           int64_t deadline_boot_ms, struct contribution **row,
                                           struct error *e);
enum status store_sqlite_list_contributions(struct store *store, const char *after, size_t limit,
                                            int64_t deadline_boot_ms, struct contribution ***rows, size_t *n,
                                            struct error *e);

/* views/sqlite/scan.c */
enum status store_sqlite_scan(struct store *store, const struct store_visitor *visitor, struct error *e);

#endif
