/*
 * shard_lister: the stream's shards, listed again and again on a thread of its own, so that a source that
 * does not answer keeps nobody from renewing leases.
 *
 * A listing is complete or it is none: what fails is told to health as trouble "source", and tried again.
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
    int64_t began_ms; /* CLOCK_BOOTTIME when it was asked for */
};

/* Lists at once, then every `interval_ms`. `listed` is woken with each listing. All borrowed. */
struct shard_lister *shard_lister_start(struct source *source, struct health *health, int64_t interval_ms,
                                        struct waker *listed);

/* List now: somebody saw what the last listing does not explain. Any thread. */
void shard_lister_ask(struct shard_lister *l);

/* If there is a listing that was not taken yet: moves it to `*last`, and what was there to `*before`, both
 * the caller's (shard_listing_deinit). Any thread. */
bool shard_lister_take(struct shard_lister *l, struct shard_listing *last, struct shard_listing *before);

void shard_listing_deinit(struct shard_listing *listing);

/* Ends as soon as its call does; returns at once. */
void shard_lister_stop(struct shard_lister *l);

/* Waits for its thread. */
void shard_lister_free(struct shard_lister *l);

#endif
