#include "ingest/source.h"

#include <stdlib.h>
#include <string.h>

int source_compare_shards(const void *a, const void *b) {
    return strcmp(((const struct source_shard *)a)->id, ((const struct source_shard *)b)->id);
}

const struct source_shard *source_find_shard(const struct source_shard *shards, size_t n, const char *id) {
    struct source_shard key;
    strcpy(key.id, id);
    return n ? bsearch(&key, shards, n, sizeof key, source_compare_shards) : NULL;
}

bool source_is_child(const struct source_shard *shard, const char *parent_id) {
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++)
        if (strcmp(shard->parents[p], parent_id) == 0)
            return true;
    return false;
}

enum status source_identify(struct source *source, struct store_source *out, struct error *e) {
    return source->ops->identify(source, out, e);
}

enum status source_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                               size_t *n, struct error *e) {
    return source->ops->list_shards(source, from_ms, shards, n, e);
}

struct source_reader *source_open(struct source *source, const struct source_shard *shard,
                                  const struct source_start *start, struct budget *budget) {
    return source->ops->open(source, shard, start, budget);
}

enum status source_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                        struct error *e) {
    return reader->ops->read(reader, until_ms, batch, e);
}

struct digest source_hash(struct source_reader *reader, size_t i) {
    return reader->ops->hash ? reader->ops->hash(reader, i) : (struct digest){0};
}

bool source_has_arrivals(const struct source *source) {
    return !source->ops->no_arrivals;
}

void source_forget(struct source_reader *reader) {
    if (reader->ops->forget)
        reader->ops->forget(reader);
}

void source_wake(struct source_reader *reader) {
    reader->ops->wake(reader);
}

void source_close(struct source_reader *reader) {
    if (reader)
        reader->ops->close(reader);
}

void source_cancel(struct source *source) {
    if (source && source->ops->cancel)
        source->ops->cancel(source);
}

void source_free(struct source *source) {
    if (source)
        source->ops->free(source);
}
