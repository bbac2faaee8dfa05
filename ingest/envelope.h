/*
 * envelope: a record's data into an event, or the reason why it is none (design, section 3).
 *
 * Part of what the views mean: a change here raises FOLD_VIEW_VERSION (views/fold.h).
 */
#ifndef INGEST_ENVELOPE_H
#define INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "views/event_id.h"
#include "views/fold.h"
#include "views/position.h"

/* Why a record is a dead letter; in the order in which it is checked. */
enum envelope_reason {
    ENVELOPE_NOT_UTF8,
    ENVELOPE_NOT_JSON,
    ENVELOPE_NOT_OBJECT,
    ENVELOPE_UNKNOWN_SCHEMA, /* the envelope's */
    ENVELOPE_INVALID_FIELD,  /* missing, not allowed, or of the wrong form; the envelope's fields, then the
                                data's */
    ENVELOPE_MALFORMED_EVENT_ID, /* checked before the data's fields */
    ENVELOPE_INVALID_ORIGIN,
    ENVELOPE_INVALID_PRODUCT_ID,
    ENVELOPE_PARTITION_KEY_MISMATCH,
    ENVELOPE_TOO_LONG,         /* checked first: there is no more than its beginning */
    ENVELOPE_BROKEN_AGGREGATE, /* checked first: the data is no event but what should have held some */
};
enum { ENVELOPE_REASONS = ENVELOPE_BROKEN_AGGREGATE + 1 };

/* "not-utf8", ...: stands in dead letters and in a metric's label. */
const char *envelope_reason_name(enum envelope_reason reason);

enum envelope_kind {
    ENVELOPE_EVENT,   /* `event` is it */
    ENVELOPE_SKIPPED, /* a schema that is not for us */
    ENVELOPE_DEAD,    /* `reason` and `detail` say why */
};

/* Where a record came from. All borrowed. */
struct envelope_record {
    const char *shard_id;
    const struct position *position;
    const char *partition_key; /* NULL where the source has none */
    const void *data;
    size_t length;
    bool cut;           /* `data` is only the beginning */
    const char *broken; /* an aggregated record that cannot be taken apart: why; else NULL */
};

struct envelope {
    enum envelope_kind kind;
    struct event event; /* its strings belong to the envelope */
    enum envelope_reason reason;
    char detail[160];

    char *strings; /* private: what `event` points into, one block */
};

/* Never fails; copies what it needs. envelope_deinit ends it. */
void envelope_decode(struct envelope *out, const struct envelope_record *record);
void envelope_deinit(struct envelope *envelope);

#endif
