#include "ingest/kinesis/source.h"

#include <stdlib.h>
#include <string.h>

#include "aws/settings.h"
#include "aws/stream_arn.h"
#include "base/mem.h"
#include "ingest/kinesis/consumer.h"
#include "ingest/kinesis/fan_out.h"
#include "ingest/kinesis/reader.h"
#include "ingest/kinesis/stream.h"

static void cancel_calls(struct source *source) {
    aws_client_cancel(((struct kinesis_stream *)source)->client);
}

static void free_stream(struct source *source) {
    struct kinesis_stream *s = (struct kinesis_stream *)source;
    aws_client_free(s->client);
    kinesis_consumer_free(s->consumer);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->checked);
    free(s->name);
    free(s->resource);
    free(s);
}

static const struct source_ops polled = {
    .identify = kinesis_stream_identify,
    .list_shards = kinesis_stream_list_shards,
    .open = kinesis_reader_open,
    .read = kinesis_reader_read,
    .forget = kinesis_reader_forget,
    .wake = kinesis_reader_wake,
    .close = kinesis_reader_close,
    .cancel = cancel_calls,
    .free = free_stream,
};

static const struct source_ops pushed = {
    .identify = kinesis_stream_identify,
    .list_shards = kinesis_stream_list_shards,
    .open = kinesis_fan_out_open,
    .read = kinesis_fan_out_read,
    .forget = kinesis_fan_out_forget,
    .wake = kinesis_fan_out_wake,
    .close = kinesis_fan_out_close,
    .cancel = cancel_calls,
    .free = free_stream,
};

enum status source_kinesis_open(struct source **source, const struct source_kinesis_options *options,
                                struct aws_settings *settings, const struct aws_transport *transport,
                                struct error *e) {
    struct aws_client *client;
    bool is_arn = aws_stream_arn_is(options->stream);
    enum status status =
        aws_client_new_for(&client, &aws_kinesis, is_arn ? options->stream : NULL, settings, transport, e);
    if (status)
        return status;

    struct kinesis_stream *s = mem_zalloc(sizeof *s);
    s->source.ops = options->consumer ? &pushed : &polled;
    if (options->consumer)
        s->consumer = kinesis_consumer_new(options->consumer, options->on_consumer, options->context);
    s->client = client;
    s->clock = settings->clock;
    s->name = mem_strdup(options->stream);
    s->is_arn = is_arn;
    s->resource = s->is_arn ? mem_strdup(options->stream) : mem_printf("stream/%s", options->stream);
    s->poll_interval_ms = options->poll_interval_ms;
    s->retention_ms = KINESIS_LEAST_RETENTION_MS;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->checked, NULL);
    *source = &s->source;
    return STATUS_OK;
}
