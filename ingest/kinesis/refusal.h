/* refusal: what an error of GetShardIterator or GetRecords means for the shard's reader. Pure. */
#ifndef INGEST_KINESIS_REFUSAL_H
#define INGEST_KINESIS_REFUSAL_H

#include "base/error.h"

enum kinesis_refusal {
    KINESIS_OTHER,            /* any other error: use its status */
    KINESIS_THROTTLED,        /* read more slowly */
    KINESIS_EXPIRED_ITERATOR, /* get another */
    KINESIS_NOT_FOUND,        /* the shard is gone, or the stream */
    KINESIS_TOO_MUCH,         /* ask for fewer records: no memory for the reply, or it is too large */
    /* Only where GetShardIterator was given a position. */
    KINESIS_OUT_OF_RETENTION, /* the position's record was trimmed */
    KINESIS_FOREIGN_POSITION, /* the position is one of another stream */
    KINESIS_PAST_THE_END,     /* the closed shard has nothing after the position */
};

enum kinesis_refusal kinesis_refusal(const struct error *e);

#endif
