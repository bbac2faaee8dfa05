/* source_kinesis: a Kinesis stream, read by polling, or pushed to a consumer. See ingest/source.h. */
#ifndef INGEST_KINESIS_SOURCE_H
#define INGEST_KINESIS_SOURCE_H

#include "aws/client.h"
#include "ingest/source.h"

struct source_kinesis_options {
    const char *stream; /* name or ARN */
    int poll_interval_ms;
    const char *consumer; /* its name (borrowed): the stream pushes to it (fan_out.h); NULL: polling */

    /* Receives the consumer's ARN, by a thread that may wait, before it is used; NULL: nobody. If it fails,
     * the consumer is not used. */
    enum status (*on_consumer)(void *context, const char *arn, struct error *e);
    void *context;
};

/* `settings` and `transport` (NULL: libcurl) are borrowed, to outlive the source. Makes no call yet. */
enum status source_kinesis_open(struct source **source, const struct source_kinesis_options *options,
                                struct aws_settings *settings, const struct aws_transport *transport,
                                struct error *e);

/* Removes the consumer with this ARN, whichever program registered it. OK also if there is none any more.
 * RETRY while it is being created. Blocks for two calls. */
enum status source_kinesis_deregister(const char *consumer_arn, struct aws_settings *settings,
                                      const struct aws_transport *transport, struct error *e);

#endif
