/*
 * envelope: decodes a record's data into an event, or finds the reason why it is not one. The format of
 * events is in README.md; tests/data/envelopes.json has a case for each rule.
 *
 * It is part of what the views mean: a change here raises FOLD_VIEW_VERSION (views/fold.h).
 */
#ifndef INGEST_ENVELOPE_H
#define INGEST_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "ingest/source.h"
#include "views/event_id.h"
#include "views/fold.h"

/* Why a record is a dead letter. Checked in this order, but where noted. */
enum envelope_reason {
    ENVELOPE_NOT_UTF8,
    ENVELOPE_NOT_JSON,
    ENVELOPE_NOT_OBJECT,
    ENVELOPE_UNKNOWN_SCHEMA,     /* the envelope's */
    ENVELOPE_INVALID_FIELD,      /* missing, not allowed, or malformed; first the envelope's fields, then the
                                    data's */
    ENVELOPE_MALFORMED_EVENT_ID, /* checked before the data's fields */
    ENVELOPE_INVALID_ORIGIN,
    ENVELOPE_INVALID_PRODUCT_ID,
    ENVELOPE_PARTITION_KEY_MISMATCH,
    ENVELOPE_TOO_LONG,         /* checked first: only the record's beginning is here */
    ENVELOPE_BROKEN_AGGREGATE, /* checked first: an aggregated record that cannot be taken apart */
};
enum { ENVELOPE_REASONS = ENVELOPE_BROKEN_AGGREGATE + 1 };

/* "not-utf8", ...: written in dead letters and in a metric's label. */
const char *envelope_reason_name(enum envelope_reason reason);

enum envelope_kind {
    ENVELOPE_EVENT,   /* in `event` */
    ENVELOPE_SKIPPED, /* blank, or of a schema that the views do not use */
    ENVELOPE_DEAD,    /* for `reason`; `detail` in words */
};

struct envelope {
    enum envelope_kind kind;
    struct event event;   /* its strings belong to the envelope */
    bool foreign_arrival; /* the event's arrival is another stream's, or unknown */
    enum envelope_reason reason;
    char detail[160]; /* UTF-8 */

    char *strings; /* what `event` points into, one block; who takes it sets it to NULL, and frees it */
};

/* Never fails; copies what it needs. The caller calls envelope_deinit. An event whose JSON is plain
 * (ingest/event_json.h) is decoded without jansson. */
void envelope_decode(struct envelope *out, const char *shard_id, const struct source_record *record);

/* The same, by jansson alone, which decides what is no event. For envelope_decode, and for tests that compare
 * the two. */
void envelope_judge(struct envelope *out, const char *shard_id, const struct source_record *record);
void envelope_deinit(struct envelope *envelope);

#endif
