/*
 * consumer: the registered consumer to which a Kinesis stream pushes (Kinesis API, RegisterStreamConsumer),
 * found by its name, or registered. All readers of a process share it, and its calls: one at a time, a second
 * apart. Thread-safe.
 *
 * It is described first, so that the right to register is needed only where there is no consumer yet. It is
 * never deregistered here: the next process uses it again.
 */
#ifndef INGEST_KINESIS_CONSUMER_H
#define INGEST_KINESIS_CONSUMER_H

#include "base/error.h"

struct kinesis_consumer;
struct kinesis_stream;

enum { KINESIS_CONSUMER_ARN_SIZE = 1024 };

/* `name` is borrowed. `found` (NULL: nobody) receives its ARN by a reader's thread, each time that it was
 * found ACTIVE after it was not; if that fails, it is not used. */
struct kinesis_consumer *kinesis_consumer_new(
    const char *name, enum status (*found)(void *context, const char *arn, struct error *e), void *context);
void kinesis_consumer_free(struct kinesis_consumer *c);

const char *kinesis_consumer_name(const struct kinesis_consumer *c);

/* OK: it is ACTIVE, and has this ARN. CONFLICT: not yet, ask again in LIMIT_CONSUMER_LOOK_MS. Else: it cannot
 * be used, as the last try showed; the next call makes the next, once that is due. */
enum status kinesis_consumer_find(struct kinesis_consumer *c, struct kinesis_stream *stream,
                                  char arn[KINESIS_CONSUMER_ARN_SIZE], struct error *e);

/* A call did not find it: it is described again before it is used. */
void kinesis_consumer_doubt(struct kinesis_consumer *c);

#endif
