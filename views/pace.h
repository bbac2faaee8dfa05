/*
 * pace: how many rows one transaction may change, so that it takes no longer than LIMIT_TRANSACTION_MS: what
 * else writes to the store, the lease's renewals too, waits for its end. Pure.
 */
#ifndef VIEWS_PACE_H
#define VIEWS_PACE_H

#include <stddef.h>
#include <stdint.h>

struct pace {
    size_t rows; /* most that a transaction may change */
};

/* For a store whose speed is not known. */
void pace_init(struct pace *p);

/* After a transaction: half as many after a slow one, up to twice as many after one that was full and quick.
 */
void pace_note(struct pace *p, size_t rows, int64_t took_ms);

#endif
