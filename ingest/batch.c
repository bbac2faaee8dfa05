#include "ingest/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CAPACITY = 64, KEPT_CAPACITY = 1024 };

/* What an event takes besides its strings: with three NULs and what the allocator adds. */
enum { EVENT_BYTES = sizeof(struct apply_record) + sizeof(char *) + 3 + 2 * sizeof(size_t) };

void batch_init(struct batch *b, const char *shard_id) {
    memset(b, 0, sizeof *b);
    b->shard_id = shard_id;
    b->as_of_ms = -1;
}

void batch_set_limits(struct batch *b, const struct batch_limits *limits) {
    b->limits = *limits;
}

/* Frees what a large batch needed: each shard has several batches, and most are small. */
static void drop_large_arrays(struct batch *b) {
    if (b->records_capacity > KEPT_CAPACITY) {
        mem_freep(&b->records);
        mem_freep(&b->strings);
        b->records_capacity = 0;
    }
    if (b->letters_capacity > KEPT_CAPACITY) {
        mem_freep(&b->letters);
        b->letters_capacity = 0;
    }
}

void batch_clear(struct batch *b) {
    for (size_t i = 0; i < b->n_records; i++)
        free(b->strings[i]);
    for (size_t i = 0; i < b->n_letters; i++) {
        free((void *)(uintptr_t)b->letters[i].data);
        free((void *)(uintptr_t)b->letters[i].detail);
    }
    b->n = b->n_records = b->n_letters = b->n_skipped = b->bytes = 0;
    drop_large_arrays(b);
    b->hash = (struct digest){0};
    b->as_of_ms = -1;
    b->foreign_arrivals = false;
}

void batch_deinit(struct batch *b) {
    batch_clear(b);
    free(b->records);
    free(b->strings);
    free(b->letters);
    memset(b, 0, sizeof *b);
}

bool batch_is_full(const struct batch *b) {
    return b->n >= b->limits.records || b->bytes >= b->limits.bytes;
}

static size_t larger(size_t capacity) {
    return capacity ? 2 * capacity : FIRST_CAPACITY;
}

static size_t text_size(const char *text) {
    return text ? strlen(text) + 1 : 0;
}

/* The batch owns the envelope's strings from now on. */
static void add_event(struct batch *b, struct envelope *envelope, const struct position *position) {
    const struct event *event = &envelope->event;
    if (b->n_records == b->records_capacity) {
        b->records_capacity = larger(b->records_capacity);
        b->records = mem_resize(b->records, b->records_capacity, sizeof *b->records);
        b->strings = mem_resize(b->strings, b->records_capacity, sizeof *b->strings);
    }
    b->bytes += strlen(event->id) + strlen(event->product_id) + strlen(event->origin) +
                text_size(event->name) + text_size(event->brand) + text_size(event->category) +
                text_size(event->image) + EVENT_BYTES;
    b->foreign_arrivals = b->foreign_arrivals || envelope->foreign_arrival;
    b->records[b->n_records] = (struct apply_record){*event, *position};
    b->strings[b->n_records++] = envelope->strings;
    envelope->strings = NULL;
}

static void add_letter(struct batch *b, const struct envelope *envelope, const struct source_record *record) {
    if (b->n_letters == b->letters_capacity) {
        b->letters_capacity = larger(b->letters_capacity);
        b->letters = mem_resize(b->letters, b->letters_capacity, sizeof *b->letters);
    }
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

void batch_add(struct batch *b, const struct source_record *record) {
    struct envelope envelope;
    envelope_decode(&envelope, b->shard_id, record);
    b->n++;
    b->last = record->position;

    switch (envelope.kind) {
    case ENVELOPE_EVENT:
        add_event(b, &envelope, &record->position);
        break;
    case ENVELOPE_DEAD:
        add_letter(b, &envelope, record);
        break;
    case ENVELOPE_SKIPPED:
        b->n_skipped++;
        break;
    }
    envelope_deinit(&envelope);
}
