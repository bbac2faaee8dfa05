/*
 * lister: the stream's shards, listed again and again on a thread of its own, so that a source that does not
 * answer keeps nobody from renewing leases.
 *
 * A listing is complete or it is none: what fails is told to health as trouble "source", and tried again.
 */
#ifndef INGEST_LEASES_LISTER_H
#define INGEST_LEASES_LISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/health.h"
#include "base/waker.h"
#include "ingest/source.h"

struct lister;

struct listing {
    struct source_shard *shards; /* sorted by id */
    size_t n;
    int64_t began_ms; /* CLOCK_BOOTTIME when it was asked for */
};

/* Lists at once, then every `interval_ms`. `listed` is woken with each listing. All borrowed. */
struct lister *lister_start(struct source *source, struct health *health, int64_t interval_ms,
                            struct waker *listed);

/* List now: somebody saw what the last listing does not explain. Any thread. */
void lister_ask(struct lister *l);

/* If there is a listing that was not taken yet: moves it to `*last`, and what was there to `*before`, both
 * the caller's (listing_deinit). Any thread. */
bool lister_take(struct lister *l, struct listing *last, struct listing *before);

void listing_deinit(struct listing *listing);

/* Ends as soon as its call does; returns at once. */
void lister_stop(struct lister *l);

/* Waits for its thread. */
void lister_free(struct lister *l);

#endif
