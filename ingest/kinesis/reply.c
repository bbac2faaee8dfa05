#include "ingest/kinesis/reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "ingest/kinesis/stream.h"

static void add_record(struct kinesis_reply *r, const struct source_record *record,
                       const struct position *after) {
    if (after && position_compare(&record->position, after) <= 0)
        return;
    if (r->n == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 64;
        r->records = mem_resize(r->records, r->capacity, sizeof *r->records);
    }
    r->records[r->n++] = *record;
}

/* Part i is at (sequence number, i), also where parts before it are left out: a part must have the same
 * position in every reply. */
static void add_parts(struct kinesis_reply *r, const struct aggregated *a, const struct source_record *whole,
                      const char *sequence, const struct position *after,
                      const struct aggregated_range *range) {
    size_t length = strlen(sequence);
    for (size_t i = 0; i < a->n; i++) {
        const struct aggregated_part *part = &a->parts[i];
        struct source_record record = {.arrived_ms = whole->arrived_ms,
                                       .partition_key = part->partition_key,
                                       .data = part->data,
                                       .length = part->length};
        position_parse(sequence, length, (uint32_t)i, &record.position);
        if (aggregated_is_stray(part, range))
            r->n_strays++;
        else
            add_record(r, &record, after);
    }
    r->n_parts += a->n;
}

/* The parts of an aggregated record, or the whole record if it cannot be taken apart. */
static void add_aggregated(struct kinesis_reply *r, struct source_record *record, const char *sequence,
                           const struct position *after, const struct aggregated_range *range) {
    struct kinesis_block *block = &r->blocks[r->n_blocks - 1];
    char why[AGGREGATED_WHY_SIZE];
    if (aggregated_open(&block->aggregated, record->data, record->length, why)) {
        add_parts(r, &block->aggregated, record, sequence, after, range);
        free(block->data);
        block->data = NULL;
        return;
    }
    record->broken = block->partition_key = mem_strdup(why); /* its own key is no product's: not needed */
    add_record(r, record, after);
}

/* A key with U+0000 in it equals no product id, and neither does "". */
static const char *partition_key_of(const json_t *json) {
    const json_t *key = json_object_get(json, "PartitionKey");
    const char *text = json_string_value(key);
    return strlen(text) == json_string_length(key) ? text : "";
}

/* False if it is malformed. Its base64 is freed at once: the largest replies would else be in memory twice.
 */
static bool take_record(struct kinesis_reply *r, json_t *json, const struct position *after,
                        const struct aggregated_range *range) {
    struct kinesis_block *block = &r->blocks[r->n_blocks++];
    const json_t *data = json_object_get(json, "Data"), *number = json_object_get(json, "SequenceNumber");
    const char *sequence = json_string_value(number);
    struct source_record record = {0};
    *block = (struct kinesis_block){0};
    if (!position_parse(sequence, json_string_length(number), 0, &record.position))
        return false;
    if (r->n_blocks == 1)
        r->first = record.position;
    block->data = base64_decode(json_string_value(data), json_string_length(data), &record.length);
    if (!block->data)
        return false;
    json_object_del(json, "Data");

    double seconds = json_number_value(json_object_get(json, "ApproximateArrivalTimestamp"));
    record.arrived_ms =
        seconds ? kinesis_stream_time(seconds * 1000 + 0.5) : -1; /* it has whole milliseconds */
    record.data = block->data;
    r->bytes += record.length;
    if (aggregated_is_one(record.data, record.length)) {
        add_aggregated(r, &record, sequence, after, range);
    } else {
        record.partition_key = block->partition_key = mem_strdup(partition_key_of(json));
        add_record(r, &record, after);
    }
    r->memory_bytes += sizeof *block + (block->data ? record.length : 0) + block->aggregated.bytes;
    r->last_arrival_ms = kinesis_stream_time(seconds * 1000);
    if (r->n_blocks == 1)
        r->first_arrival_ms = r->last_arrival_ms;
    return true;
}

enum status kinesis_reply_take(struct kinesis_reply *r, json_t *json, const struct position *after,
                               const struct aggregated_range *range, struct error *e) {
    json_t *records = json_object_get(json, "Records");
    size_t n = json_array_size(records);
    r->blocks = mem_alloc(n * sizeof *r->blocks);
    r->first_arrival_ms = r->last_arrival_ms = -1;
    for (size_t i = 0; i < n; i++)
        if (!take_record(r, json_array_get(records, i), after, range))
            return error_set(e, STATUS_RETRY, "the reply has a malformed record");
    r->memory_bytes += r->capacity * sizeof *r->records;
    return STATUS_OK;
}

void kinesis_reply_take_children(struct kinesis_reply *r, const json_t *json) {
    const json_t *children = json_object_get(json, "ChildShards");
    r->children = mem_alloc(json_array_size(children) * sizeof *r->children);
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i);
        r->n_children += kinesis_stream_parse_shard(child, &r->children[r->n_children]);
    }
}

void kinesis_reply_deinit(struct kinesis_reply *r) {
    for (size_t i = 0; i < r->n_blocks; i++) {
        free(r->blocks[i].data);
        free(r->blocks[i].partition_key);
        aggregated_deinit(&r->blocks[i].aggregated);
    }
    free(r->blocks);
    free(r->records);
    free(r->children);
    *r = (struct kinesis_reply){0};
}
