#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "ingest/kinesis/internal.h"

static bool was_handed_out(const struct kinesis_reader *r, const struct position *position) {
    return r->next.checkpoint == LEASE_AT_POSITION && position_compare(position, &r->next.position) <= 0;
}

static void add_record(struct kinesis_reader *r, const struct source_record *record) {
    if (was_handed_out(r, &record->position))
        return;
    if (r->n == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 64;
        r->records = mem_resize(r->records, r->capacity, sizeof *r->records);
    }
    r->records[r->n++] = *record;
}

/* Part i is at (sequence number, i), whether those before it are handed out or not: its place is its name. */
static void add_parts(struct kinesis_reader *r, const struct aggregated *a, const char *sequence) {
    size_t length = strlen(sequence), strays = 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct aggregated_part *part = &a->parts[i];
        struct source_record record = {
            .partition_key = part->partition_key, .data = part->data, .length = part->length};
        position_parse(sequence, length, (uint32_t)i, &record.position);
        if (aggregated_is_stray(part, &r->range))
            strays++;
        else
            add_record(r, &record);
    }
    metrics_add(r->count.parts, (int64_t)a->n);
    metrics_add(r->count.strays, (int64_t)strays);
}

/* A record that others were packed into, or the pieces of one. */
static void add_aggregated(struct kinesis_reader *r, struct kinesis_block *block,
                           struct source_record *record, const char *sequence) {
    char why[AGGREGATED_WHY_SIZE];
    if (aggregated_open(&block->aggregated, record->data, record->length, why)) {
        add_parts(r, &block->aggregated, sequence);
        free(block->data);
        block->data = NULL;
        return;
    }
    block->partition_key =
        mem_strdup(why); /* of the whole record, which is nobody's product: not looked at */
    record->broken = block->partition_key;
    add_record(r, record);
}

/* A key with U+0000 in it equals no product id, and neither does "". */
static const char *partition_key_of(const json_t *json) {
    const json_t *key = json_object_get(json, "PartitionKey");
    const char *text = json_string_value(key);
    return text && strlen(text) != json_string_length(key) ? "" : text;
}

/* False if the reply's record is not one. Its base64 is not needed any more then: the largest replies are not
 * there twice. */
static bool take_record(struct kinesis_reader *r, json_t *json, struct kinesis_block *block, size_t *length) {
    const json_t *data = json_object_get(json, "Data");
    const char *sequence = json_string_value(json_object_get(json, "SequenceNumber"));
    const char *partition_key = partition_key_of(json);
    struct source_record record = {0};
    if (!sequence || !json_is_string(data) || !partition_key ||
        !position_parse(sequence, json_string_length(json_object_get(json, "SequenceNumber")), 0,
                        &record.position))
        return false;
    block->data = base64_decode(json_string_value(data), json_string_length(data), &record.length);
    if (!block->data)
        return false;
    json_object_del(json, "Data");

    record.data = block->data;
    *length = record.length;
    if (aggregated_is_one(record.data, record.length)) {
        add_aggregated(r, block, &record, sequence);
        return true;
    }
    record.partition_key = block->partition_key = mem_strdup(partition_key);
    add_record(r, &record);
    return true;
}

static size_t memory_of(const struct kinesis_block *block, size_t length) {
    return sizeof *block + (block->data ? length : 0) + block->aggregated.bytes;
}

enum status kinesis_take_records(struct kinesis_reader *r, json_t *reply, struct kinesis_reply *out,
                                 struct error *e) {
    json_t *records = json_object_get(reply, "Records");
    *out = (struct kinesis_reply){.n = json_array_size(records), .last_arrival_ms = -1};
    r->blocks = mem_alloc(out->n * sizeof *r->blocks);
    for (size_t i = 0; i < out->n; i++) {
        json_t *json = json_array_get(records, i);
        struct kinesis_block *block = &r->blocks[r->n_blocks++];
        size_t length;
        *block = (struct kinesis_block){0};
        if (!take_record(r, json, block, &length))
            return error_set(e, STATUS_RETRY, "a reply of GetRecords on shard '%s' has a record that is none",
                             r->shard_id);
        out->bytes += length;
        out->held += memory_of(block, length);
        out->last_arrival_ms =
            (int64_t)(json_number_value(json_object_get(json, "ApproximateArrivalTimestamp")) * 1000);
    }
    out->held += r->capacity * sizeof *r->records;
    return STATUS_OK;
}

void kinesis_take_children(struct kinesis_reader *r, const json_t *reply, struct source_batch *batch) {
    const json_t *children = json_object_get(reply, "ChildShards");
    size_t n = 0;
    r->children = mem_alloc(json_array_size(children) * sizeof *r->children);
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i), *parents = json_object_get(child, "ParentShards");
        if (!kinesis_parse_shard(child, &r->children[n]))
            continue;
        for (size_t p = 0; p < STORE_LEASE_PARENTS && p < json_array_size(parents); p++) {
            const char *parent = json_string_value(json_array_get(parents, p));
            if (parent && strlen(parent) <= LIMIT_SHARD_ID_BYTES)
                strcpy(r->children[n].parents[p], parent);
        }
        n++;
    }
    batch->children = r->children;
    batch->n_children = n;
}

void kinesis_free_records(struct kinesis_reader *r) {
    for (size_t i = 0; i < r->n_blocks; i++) {
        free(r->blocks[i].data);
        free(r->blocks[i].partition_key);
        aggregated_deinit(&r->blocks[i].aggregated);
    }
    free(r->blocks);
    free(r->records);
    free(r->children);
    r->blocks = NULL;
    r->records = NULL;
    r->children = NULL;
    r->n_blocks = r->n = r->capacity = 0;
}
