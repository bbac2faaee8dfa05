#include "ingest/kinesis/refusal.h"

#include <string.h>

#include "aws/service_error.h"

/* GetShardIterator refuses every wrong position with one error, InvalidArgumentException: only the message
 * has the reason. The message quotes the names of shard and stream, which hold no blanks
 * ([a-zA-Z0-9_.-]): a phrase with a blank in it is never found in a name. */
static bool message_contains(const struct error *e, const char *phrase) {
    return strcasestr(e->message, phrase) != NULL;
}

/* "StartingSequenceNumber 4954... used in GetShardIterator on shard S in stream T under account A is invalid
 * because it did not come from this stream." */
static bool is_foreign(const struct error *e) {
    return message_contains(e, "did not come from this stream");
}

/* "Invalid SequenceNumber for ShardIteratorType AFTER_SEQUENCE_NUMBER, SequenceNumber has reached max
 * possible value for the shard." */
static bool is_past_the_end(const struct error *e) {
    return message_contains(e, "has reached max possible value");
}

/* AWS does not document this message, so any phrase counts that can mean nothing else. */
static bool is_out_of_retention(const struct error *e) {
    static const char *const phrases[] = {"is expired", "has expired", "been trimmed", "trim horizon",
                                          "retention period"};
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (message_contains(e, "SequenceNumber") && message_contains(e, phrases[i]))
            return true;
    return false;
}

enum kinesis_refusal kinesis_refusal(const struct error *e) {
    if (aws_service_error_is_throttle(e->code))
        return KINESIS_THROTTLED;
    if (strcmp(e->code, "ExpiredIteratorException") == 0)
        return KINESIS_EXPIRED_ITERATOR;
    if (strcmp(e->code, "ResourceNotFoundException") == 0)
        return KINESIS_NOT_FOUND;
    if (strcmp(e->code, AWS_ERROR_DROPPED) == 0 || strcmp(e->code, AWS_ERROR_TOO_LARGE) == 0)
        return KINESIS_TOO_MUCH;
    if (strcmp(e->code, "InvalidArgumentException") != 0)
        return KINESIS_OTHER;
    return is_foreign(e)            ? KINESIS_FOREIGN_POSITION
           : is_past_the_end(e)     ? KINESIS_PAST_THE_END
           : is_out_of_retention(e) ? KINESIS_OUT_OF_RETENTION
                                    : KINESIS_OTHER;
}
