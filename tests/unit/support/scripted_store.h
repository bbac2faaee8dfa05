/*
 * scripted_store: a store for tests of reading. It has the rows that a test sets, counts reads, fails on
 * demand, and can hold readers back until they are released, so that a test decides the order. Thread-safe.
 */
#ifndef TESTS_UNIT_SUPPORT_SCRIPTED_STORE_H
#define TESTS_UNIT_SUPPORT_SCRIPTED_STORE_H

#include "views/store.h"

struct scripted_store;

struct scripted_store *scripted_store_new(bool index_late);
struct store *scripted_store_as_store(struct scripted_store *s);
void scripted_store_free(struct scripted_store *s);

/* What the view has, from the next api_attach on. At first: no periods, one partition. */
void scripted_store_set_shape(struct scripted_store *s, const struct view_shape *shape);

/* Sets a row, or changes it. Boards are sorted by score, ties by userId. The shop's sales are a row of
 * ROLE_SHOP. The first is of all time. */
void scripted_store_set_score(struct scripted_store *s, enum role role, const char *user_id, int64_t score);
void scripted_store_set_board_score(struct scripted_store *s, const struct board *board, const char *user_id,
                                    int64_t score);

/* From now on what is set changes the rows only, and not the index: new rows are not in it. */
void scripted_store_stop_index(struct scripted_store *s);

/* creator, photographer: NULL for none. Listed in the order in which rows were first set. */
void scripted_store_set_contribution(struct scripted_store *s, const char *product_id, const char *creator,
                                     const char *photographer, int64_t purchases);

/* Once for each product. */
void scripted_store_set_texts(struct scripted_store *s, const char *product_id, const char *name,
                              const char *brand, const char *category, const char *image);

/* Reads return this from now on (STATUS_OK: the rows). */
void scripted_store_fail(struct scripted_store *s, enum status status);

/* Holds readers back from now on, each until its deadline at the latest; and releases them. */
void scripted_store_hold(struct scripted_store *s);
void scripted_store_release(struct scripted_store *s);

/* Waits until `n` readers are being held back; false if that takes 5 s. */
bool scripted_store_await_held(struct scripted_store *s, size_t n);

/* Reads begun so far. */
size_t scripted_store_reads(struct scripted_store *s);

#endif
