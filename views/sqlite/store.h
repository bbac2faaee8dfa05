/*
 * store_sqlite: the views and leases in one SQLite file (design, section 6): the embedded default. See
 * views/store.h.
 *
 * The rows are those of the DynamoDB tables, in tables `contributions`, `scores` and `leases`. A batch and
 * its checkpoint are one transaction, so a score needs no watermark: whatever is applied again finds its
 * contributions moved. Write-ahead log, synchronous=NORMAL: a crash of the machine may undo the last
 * transactions, each of them whole.
 *
 * One process at a time fills it, by a lock on `<path>.lock` that store_bind takes with a source; others read
 * meanwhile, and never wait for it.
 */
#ifndef VIEWS_SQLITE_STORE_H
#define VIEWS_SQLITE_STORE_H

#include "views/store.h"

/* Creates the file and its tables if they are missing. INVALID if a newer program made them; FAILED if it
 * cannot be opened or is no database. */
enum status store_sqlite_open(struct store **store, const char *path, struct error *e);

/* The same for one who only reads: neither the file nor its tables are made. NOT_FOUND if they are not there.
 */
enum status store_sqlite_open_reader(struct store **store, const char *path, struct error *e);

#endif
