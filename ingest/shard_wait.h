/*
 * shard_wait: a shard that waits for its source, the store or the dead letter target: until when, and what
 * health, log and metrics say of it. Belongs to the shard's thread.
 */
#ifndef INGEST_SHARD_WAIT_H
#define INGEST_SHARD_WAIT_H

#include "base/error.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/metrics.h"

enum shard_cause { CAUSE_SOURCE, CAUSE_STORE, CAUSE_DEAD_LETTER };

/* private */
struct shard_wait {
    struct health *health;
    const char *shard_id;
    char trouble[LIMIT_SHARD_ID_BYTES + 16]; /* in health */
    int64_t backoff_ms;
    int64_t since_ms;             /* wall clock; 0: it does not wait */
    int64_t line_boot_ms;         /* of the last log line about a wait */
    bool line_owed, line_written; /* about the present wait */
    struct metrics_series *since;
};

/* The pointers are borrowed. */
void shard_wait_init(struct shard_wait *w, struct health *health, const char *shard_id);
void shard_wait_deinit(struct shard_wait *w);

/* Something failed. Returns until when to wait, in boot time: longer after each failure, with jitter. */
int64_t shard_wait_note(struct shard_wait *w, enum shard_cause cause, const struct error *e);

/* Nothing fails any more. */
void shard_wait_clear(struct shard_wait *w);

#endif
