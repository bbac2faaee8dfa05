#include "ingest/source.h"

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

void source_forget(struct source_reader *reader) {
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
    if (source)
        source->ops->cancel(source);
}

void source_free(struct source *source) {
    if (source)
        source->ops->free(source);
}
