#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void batch_init(struct batch *b, const char *shard_id, size_t max) {
    memset(b, 0, sizeof *b);
    b->shard_id = shard_id;
    b->as_of_ms = -1;
    batch_set_max(b, max);
}

void batch_set_max(struct batch *b, size_t max) {
    b->max = max;
    if (max <= b->capacity)
        return;
    b->capacity = max;
    b->envelopes = mem_resize(b->envelopes, max, sizeof *b->envelopes);
    b->records = mem_resize(b->records, max, sizeof *b->records);
    b->letters = mem_resize(b->letters, max, sizeof *b->letters);
}

void batch_clear(struct batch *b) {
    for (size_t i = 0; i < b->n_records; i++)
        envelope_deinit(&b->envelopes[i]);
    for (size_t i = 0; i < b->n_letters; i++) {
        free((void *)(uintptr_t)b->letters[i].data);
        free((void *)(uintptr_t)b->letters[i].detail);
    }
    b->n = b->n_records = b->n_letters = b->n_skipped = b->bytes = 0;
    b->hash = (struct digest){0};
    b->as_of_ms = -1;
}

void batch_deinit(struct batch *b) {
    batch_clear(b);
    free(b->envelopes);
    free(b->records);
    free(b->letters);
    memset(b, 0, sizeof *b);
}

bool batch_is_full(const struct batch *b) {
    return b->n == b->max;
}

static void add_event(struct batch *b, const struct envelope *envelope, const struct position *position) {
    b->bytes += strlen(envelope->event.id) + strlen(envelope->event.product_id) +
                strlen(envelope->event.origin) + sizeof *b->envelopes + sizeof *b->records;
    b->records[b->n_records] = (struct apply_record){envelope->event, *position};
    b->envelopes[b->n_records++] = *envelope;
}

static void add_letter(struct batch *b, const struct envelope *envelope, const struct source_record *record) {
    b->bytes += record->length + strlen(envelope->detail) + sizeof *b->letters;
    b->letters[b->n_letters++] = (struct deadletter_letter){
        .shard_id = b->shard_id,
        .position = record->position,
        .reason = envelope->reason,
        .detail = mem_strdup(envelope->detail),
        .data = mem_dup(record->data, record->length),
        .length = record->length,
        .cut = record->cut,
    };
}

void batch_add(struct batch *b, const struct source_record *record, int64_t now_boot_ms) {
    struct envelope envelope;
    envelope_decode(&envelope, b->shard_id, record);
    if (b->n++ == 0)
        b->began_boot_ms = now_boot_ms;
    b->last = record->position;

    switch (envelope.kind) {
    case ENVELOPE_EVENT:
        add_event(b, &envelope, &record->position); /* the batch owns the envelope now */
        return;
    case ENVELOPE_DEAD:
        add_letter(b, &envelope, record);
        break;
    case ENVELOPE_SKIPPED:
        b->n_skipped++;
        break;
    }
    envelope_deinit(&envelope);
}
