/*
 * sqlite: a connection with its prepared statements, and SQLite's results as statuses. Used by the files of
 * the SQLite store only. One thread at a time uses a connection.
 */
#ifndef VIEWS_SQLITE_CONNECTION_H
#define VIEWS_SQLITE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SQLITE_STATEMENTS 40

struct sqlite {
    sqlite3 *db;
    const char *path;                            /* borrowed; for errors */
    sqlite3_stmt *statements[SQLITE_STATEMENTS]; /* by the caller's numbers; prepared on first use */
    struct sqlite *next;                         /* for the owner's list */
};

/* Opens the database, if `creates` also one that is not there yet, and sets the pragmas. FAILED or RETRY. */
enum status sqlite_open(struct sqlite *c, const char *path, bool creates, int cache_kib, struct error *e);
void sqlite_close(struct sqlite *c);

/* The same for a database whose files are no longer at their paths: SQLite would move the log into the
 * database, and delete what lies at the log's path. */
void sqlite_abandon(struct sqlite *c);

/* Statements without results. */
enum status sqlite_run(struct sqlite *c, const char *sql, struct error *e);

/* The statement `number`, ready to be bound; `sql` is always the same for one number. NULL and an error if it
 * cannot be prepared. */
sqlite3_stmt *sqlite_statement(struct sqlite *c, int number, const char *sql, struct error *e);

/* Parameters count from 1. `text` is borrowed until the next reset; NULL is SQL's NULL. */
void sqlite_bind_text(sqlite3_stmt *s, int parameter, const char *text);

/* One step. OK: a row is there. NOT_FOUND: no more rows, and the statement is reset. */
enum status sqlite_step(struct sqlite *c, sqlite3_stmt *s, struct error *e);

/* All steps of a statement that has no rows. */
enum status sqlite_execute(struct sqlite *c, sqlite3_stmt *s, struct error *e);

/* Columns, from 0. Text is borrowed until the next step; NULL for SQL's NULL. */
const char *sqlite_text(sqlite3_stmt *s, int column);

/* What SQLite's result means: busy, full and I/O errors may pass. */
enum status sqlite_error(struct sqlite *c, int result, struct error *e);

/* Whether a write found no room: a full disk, a quota or a limit, or a disk that fails. */
bool sqlite_is_full(const struct error *e);

#endif
