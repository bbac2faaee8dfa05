/*
 * rank_table: how many contributors of a board have each score, and so the rank of any score. A value, made
 * by one pass over the board (views/rank_tables.h): exact for a board that stood still during the pass, else
 * off by at most the contributors whose score changed.
 *
 * A finished table never changes: any thread may read it. Its memory is 16 bytes for each score that occurs,
 * at most LIMIT_RANK_SCORES: n different scores take n * n / 2 purchases.
 */
#ifndef VIEWS_RANK_TABLE_H
#define VIEWS_RANK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rank_table;

/* An empty table. `as_of_ms`: up to when the pass, which has not begun, sees events (views/freshness.h). */
struct rank_table *rank_table_new(int64_t as_of_ms);

/* Counts `n` contributors more at this score, in any order. False: there are too many different scores, and
 * the table is of no use. By one thread, before rank_table_finish. */
bool rank_table_add(struct rank_table *t, int64_t score, int64_t n);

/* From now on the table can be read, and shared. */
void rank_table_finish(struct rank_table *t);

struct rank_table *rank_table_ref(struct rank_table *t);
void rank_table_release(const struct rank_table *t); /* NULL is fine */
void rank_table_releasep(const struct rank_table **t);

/* Competition rank (1, 2, 2, 4): 1 and those with a higher score. Read the contributor's row after the table
 * was acquired: scores only grow, so nobody is ranked below themselves. A contributor who is newer than
 * the pass can have a rank one above rank_table_of. */
int64_t rank_table_rank(const struct rank_table *t, int64_t score);

int64_t rank_table_of(const struct rank_table *t); /* all contributors */
int64_t rank_table_as_of_ms(const struct rank_table *t);
size_t rank_table_bytes(const struct rank_table *t);

#endif
