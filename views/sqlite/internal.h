/* What the files of the SQLite store share. */
#ifndef VIEWS_SQLITE_INTERNAL_H
#define VIEWS_SQLITE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/waker.h"
#include "views/sqlite/connection.h"
#include "views/store.h"

/* A file of the database, as it was when it was opened. */
struct store_sqlite_file {
    char *path;
    dev_t device;
    ino_t inode; /* 0: there was none */
};
enum { STORE_SQLITE_FILES = 3 };

struct store_sqlite {
    struct store store; /* first: what callers hold */
    char *path;         /* absolute; symbolic links are followed by each use of it */
    struct store_sqlite_file files[STORE_SQLITE_FILES]; /* the database, its log, its log's index */
    int version; /* of the tables: below this program's only if it just reads */
    int lock_fd; /* on <database>.lock, held by the process that fills the store; -1 */
    atomic_bool cancelled;
    bool keeps_log; /* closing does not move it */

    /* SQLite has one writer at a time: shards and the coordinator queue here. Held during I/O: that is its
     * purpose. */
    pthread_mutex_t write_lock;
    struct sqlite writer;
    int64_t next_expiry_ms; /* janitor.c: no row expires before; under write_lock */

    struct {
        bool running;
        atomic_bool ending;
        atomic_bool is_due;   /* the log is to be moved */
        atomic_int due_pages; /* in the log: then it is moved */
        int moved;            /* pages, where the last move ended; the thread's own */
        int64_t advanced_ms;  /* when a move last got further than the one before, or had nothing left */
        _Atomic(struct health *) health; /* NULL: none */
        struct pulse pulse;
        pthread_t thread;
        struct waker waker;
        struct sqlite connection;
    } checkpointer;

    pthread_mutex_t idle_lock; /* guards `idle`; no other lock is taken while it is held */
    struct sqlite *idle;       /* connections of readers */
};

static inline struct store_sqlite *store_sqlite_of(struct store *store) {
    return (struct store_sqlite *)store;
}

/* Statements, by their number on a connection. */
enum store_sqlite_statement {
    SELECT_CONTRIBUTION,
    INSERT_CONTRIBUTION,
    UPDATE_COUNTS,
    UPDATE_PHOTOGRAPHER,
    UPDATE_ALL,
    UPSERT_SCORE,
    SELECT_OLDEST_BOARD,
    DELETE_EXPIRED,
    UPDATE_CHECKPOINT,
    SELECT_LEASES,
    SELECT_LEASE,
    INSERT_LEASE,
    UPDATE_LEASE,
    DELETE_LEASE,
    SELECT_SOURCE,
    SELECT_IDENTITY_KEY,
    INSERT_SOURCE,
    UPDATE_SOURCE,
    SELECT_CONSUMER,
    UPDATE_CONSUMER,
    SELECT_BOARD,
    SELECT_BOARD_UP,
    SELECT_RANK,
    COUNT_BOARD,
    SELECT_SCORES,
    SELECT_HISTORY,
    SELECT_SHOP_HISTORY,
    SELECT_SALES,
    LIST_CONTRIBUTIONS,
    LIST_OF_CREATOR,
    LIST_OF_PHOTOGRAPHER,
    SCAN_SCORES,
    SCAN_CONTRIBUTIONS,
    STORE_SQLITE_STATEMENTS,
};
_Static_assert((int)STORE_SQLITE_STATEMENTS <= SQLITE_STATEMENTS,
               "a connection has room for every statement");

/* files.c: whether the paths still name the files that are open. SQLite's own SQLITE_FCNTL_HAS_MOVED compares
 * the inode of the database only. FAILED with code STORE_ERROR_GONE if not. */
enum status store_sqlite_note_files(struct store_sqlite *d, struct error *e); /* once the writer is open */
enum status store_sqlite_check_files(const struct store_sqlite *d, struct error *e);

/* access.c: transactions on the writer. begin takes the write lock; end commits if `status` is OK, the fence
 * is open and the files are at their paths, else rolls back; it always releases the lock. FAILED with code
 * "Cancelled" or "FenceShut", the same codes as in the AWS client. */
enum status store_sqlite_begin(struct store_sqlite *d, const struct fence *fence, struct error *e);
enum status store_sqlite_end(struct store_sqlite *d, const struct fence *fence, enum status status,
                             struct error *e);

/* access.c: a connection for reading, which never waits for the writer, and optionally a prepared statement.
 * Set it to zeros first. store_sqlite_end_reading returns the connection. */
struct store_sqlite_reading {
    struct store_sqlite *d;
    struct sqlite *c;
    sqlite3_stmt *s;
};
enum status store_sqlite_begin_reading(struct store_sqlite_reading *r, struct store *store, struct error *e);
enum status store_sqlite_begin_query(struct store_sqlite_reading *r, struct store *store,
                                     enum store_sqlite_statement number, const char *sql, struct error *e);
void store_sqlite_end_reading(struct store_sqlite_reading *r);

/* access.c: opens the connections of all loaders, and of the thread of ranks, ahead. While the files are not
 * at their paths they go on reading, and no more can be opened. */
enum status store_sqlite_open_readers(struct store_sqlite *d, struct error *e);

/* rows.c: a contribution from the columns of a statement that selects CONTRIBUTION_COLUMNS, which are in the
 * order of contribution_text_names and contribution_number_names. FAILED if it has no id or no last event. */
#define CONTRIBUTION_COLUMNS                                                                                 \
    "productId, creator, photographer, lastEventId, photographerEventId, createdBy, updatedBy,"              \
    " name, brand, category, image, creatorScore, photographerScore, created, updated"
enum status store_sqlite_take_contribution(const struct sqlite *c, sqlite3_stmt *s, struct contribution **row,
                                           struct error *e);
enum status store_sqlite_find_contribution(struct sqlite *c, const char *product_id,
                                           struct contribution **row, struct error *e);

/* rows.c: FAILED, for a row of scores without its key. */
enum status store_sqlite_refuse_score(const struct sqlite *c, struct error *e);

/* schema.c: creates the tables, or migrates them to this program's version. INVALID if they are too old for
 * that: the file stays as it is. */
typeof(store_create) store_sqlite_create;
enum status store_sqlite_refuse_older(const struct store_sqlite *d, struct error *e); /* INVALID: too old */
/* For a process that only reads: the tables may be older ones. NOT_FOUND: there are none. */
enum status store_sqlite_check_tables(struct store_sqlite *d, struct error *e);

/* wal_checkpoint.c */
enum status store_sqlite_start_checkpointer(struct store_sqlite *d, struct error *e);
/* Ends a move that is under way: it may have gigabytes. Set `cancelled` before: no other begins then. */
void store_sqlite_interrupt_checkpointer(struct store_sqlite *d);
void store_sqlite_stop_checkpointer(struct store_sqlite *d); /* does nothing if it was not started */
/* After a write that found no room: moves the log and gives its space back, if nobody reads it. Under the
 * write lock, without a transaction. */
void store_sqlite_free_disk(struct store_sqlite *d);

/* janitor.c: deletes rows of periods that have expired by `now_ms` (since the epoch), at most `max`; within a
 * transaction of the writer. */
enum status store_sqlite_delete_expired(struct store_sqlite *d, int64_t now_ms, size_t max, struct error *e);

/* rows.c */
typeof(store_read_contributions) store_sqlite_read_contributions;

/* write.c */
typeof(store_write_batch) store_sqlite_write_batch;

/* binding.c */
typeof(store_bind) store_sqlite_bind;
typeof(store_read_identity_key) store_sqlite_read_identity_key;
typeof(store_note_consumer) store_sqlite_note_consumer;
typeof(store_read_consumer) store_sqlite_read_consumer;

/* leases.c */
void store_sqlite_bind_hash(sqlite3_stmt *s, int parameter, const struct digest *hash);
typeof(store_read_leases) store_sqlite_read_leases;
typeof(store_create_lease) store_sqlite_create_lease;
typeof(store_update_lease) store_sqlite_update_lease;
typeof(store_delete_lease) store_sqlite_delete_lease;

/* read.c */
typeof(store_read_scores) store_sqlite_read_scores;
typeof(store_read_contribution) store_sqlite_read_contribution;
typeof(store_list_contributions) store_sqlite_list_contributions;

/* boards.c */
typeof(store_read_board) store_sqlite_read_board;
typeof(store_read_rank) store_sqlite_read_rank;
typeof(store_count_board) store_sqlite_count_board;

/* history.c */
typeof(store_read_history) store_sqlite_read_history;
typeof(store_read_sales) store_sqlite_read_sales;

/* scan.c */
typeof(store_scan) store_sqlite_scan;

#endif
