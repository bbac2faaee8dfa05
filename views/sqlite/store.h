/*
 * store_sqlite: the views and leases in one SQLite file, the embedded default.
 *
 * The rows are those of the DynamoDB tables, in tables `contributions`, `scores` and `leases`. A batch and
 * its checkpoint are one transaction, so a score needs no watermark: a batch that is applied again finds its
 * contributions written. Write-ahead log, synchronous=NORMAL: a crash of the machine may undo the last
 * transactions, each as a whole.
 *
 * One process at a time fills it: store_bind with a source takes a lock on `<path>.lock`. Others read
 * meanwhile, and never wait.
 */
#ifndef VIEWS_SQLITE_STORE_H
#define VIEWS_SQLITE_STORE_H

#include "views/store.h"

/* Creates the file and its tables if they are missing. INVALID if a newer program made them; FAILED if it
 * cannot be opened or is no database. */
enum status store_sqlite_open(struct store **store, const char *path, struct error *e);

/* The same for a process that only reads: creates nothing. NOT_FOUND if the file or its tables are missing.
 */
enum status store_sqlite_open_reader(struct store **store, const char *path, struct error *e);

struct health;

/* From then on the trouble "write-ahead log" is raised, and logged, while the log is larger than
 * LIMIT_SQLITE_WAL_TROUBLE_BYTES because another process reads an old state. `health` is borrowed until the
 * store is freed. A process that only reads raises none. */
void store_sqlite_report_to(struct store *store, struct health *health);

#endif
