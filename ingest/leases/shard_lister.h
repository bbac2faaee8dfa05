/*
 * shard_lister: lists the stream's shards again and again, on a thread of its own: a source that does not
 * answer must not keep the coordinator from renewing leases.
 *
 * A listing is complete, or is not handed out. A failure is trouble "source" in health, and is tried again.
 * If the source is not the one that was identified, no worker may continue: see shard_lister_is_refused.
 */
#ifndef INGEST_LEASES_SHARD_LISTER_H
#define INGEST_LEASES_SHARD_LISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/health.h"
#include "base/waker.h"
#include "ingest/source.h"

struct shard_lister;

struct shard_listing {
    struct source_shard *shards; /* sorted by id */
    size_t n;
    int64_t began_ms; /* CLOCK_BOOTTIME when the request was sent */
};

/* Lists at once, then every `interval_ms`. Each listing wakes `listed`, and so does a refusal. All borrowed.
 */
struct shard_lister *shard_lister_start(struct source *source, struct health *health, int64_t interval_ms,
                                        struct waker *listed);

/* Lists now: the leases do not match the last listing. Any thread. */
void shard_lister_ask(struct shard_lister *l);

/* False if there is no listing that was not taken yet. Else moves `*last` to `*before` and the listing to
 * `*last`; both are the caller's (shard_listing_deinit). Any thread. */
bool shard_lister_take(struct shard_lister *l, struct shard_listing *last, struct shard_listing *before);

/* Whether the source reported that it is another one. It is logged. Any thread. */
bool shard_lister_is_refused(const struct shard_lister *l);

void shard_listing_deinit(struct shard_listing *listing);

/* Its thread ends with its current call; returns at once. */
void shard_lister_stop(struct shard_lister *l);

/* Waits for its thread. */
void shard_lister_free(struct shard_lister *l);

#endif
