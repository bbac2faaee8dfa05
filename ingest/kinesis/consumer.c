#include "ingest/kinesis/consumer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ingest/kinesis/stream.h"

struct kinesis_consumer {
    const char *name;
    enum status (*found)(void *context, const char *arn, struct error *e);
    void *context;

    pthread_mutex_t lock; /* guards what follows; a leaf */
    char arn[KINESIS_CONSUMER_ARN_SIZE];
    bool is_active;
    bool is_under_way; /* a try */
    int tries;         /* since it was found last, that found it in the making */
    int64_t due_ms;    /* the next */
    struct error last; /* why it is not ACTIVE */
};

struct kinesis_consumer *kinesis_consumer_new(
    const char *name, enum status (*found)(void *context, const char *arn, struct error *e), void *context) {
    struct kinesis_consumer *c = mem_zalloc(sizeof *c);
    c->name = name;
    c->found = found;
    c->context = context;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void kinesis_consumer_free(struct kinesis_consumer *c) {
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const char *kinesis_consumer_name(const struct kinesis_consumer *c) {
    return c->name;
}

/* RegisterStreamConsumer or DescribeStreamConsumer; both name the stream by its ARN only. */
static enum status call(const struct kinesis_consumer *c, struct kinesis_stream *s, const char *operation,
                        json_t **reply, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    const struct store_source identity = kinesis_stream_identity(s);
    json_t *body = json_pack("{s:s,s:s}", "StreamARN", *identity.name ? identity.name : s->name,
                             "ConsumerName", c->name);
    return kinesis_stream_call(s, operation, body, 0, &run, reply, NULL, e);
}

static enum status making(const struct kinesis_consumer *c, struct error *e) {
    return error_set(e, STATUS_CONFLICT, "consumer '%s' is being created", c->name);
}

/* CONFLICT: it is registered now, or another process was first. */
static enum status register_it(const struct kinesis_consumer *c, struct kinesis_stream *s, struct error *e) {
    json_auto_t *reply = NULL;
    enum status status = call(c, s, "RegisterStreamConsumer", &reply, e);
    return !status || status == STATUS_CONFLICT ? making(c, e) : status;
}

static enum status read_description(const struct kinesis_consumer *c, const json_t *reply,
                                    char arn[KINESIS_CONSUMER_ARN_SIZE], struct error *e) {
    const json_t *described = json_object_get(reply, "ConsumerDescription"),
                 *name = json_object_get(described, "ConsumerARN");
    const char *status = json_string_value(json_object_get(described, "ConsumerStatus"));
    if (strcmp(status, "CREATING") == 0)
        return making(c, e);
    if (strcmp(status, "ACTIVE") != 0)
        return error_set(e, STATUS_RETRY, "consumer '%s' is %s", c->name, status);
    if (json_string_length(name) >= KINESIS_CONSUMER_ARN_SIZE)
        return error_set(e, STATUS_FAILED, "the ARN of consumer '%s' is too long", c->name);
    strcpy(arn, json_string_value(name));
    return STATUS_OK;
}

static enum status try(const struct kinesis_consumer *c, struct kinesis_stream *s,
                       char arn[KINESIS_CONSUMER_ARN_SIZE], struct error *e) {
    json_auto_t *reply = NULL;
    enum status status = call(c, s, "DescribeStreamConsumer", &reply, e);
    if (status == STATUS_NOT_FOUND)
        status = register_it(c, s, e);
    else if (!status)
        status = read_description(c, reply, arn, e);
    if (status && status != STATUS_CONFLICT)
        error_wrap(e, "consumer '%s' cannot be used", c->name);
    return status;
}

/* Notes what a try brought. Under the lock. */
static enum status conclude(struct kinesis_consumer *c, enum status status, const char *arn,
                            struct error *e) {
    c->is_under_way = false;
    c->due_ms = clock_boot_ms() + LIMIT_CONSUMER_PAUSE_MS;
    c->is_active = !status;
    if (!status) {
        strcpy(c->arn, arn);
        c->tries = 0;
    } else if (status == STATUS_CONFLICT && ++c->tries >= LIMIT_CONSUMER_TRIES) {
        status = error_set(e, STATUS_RETRY, "consumer '%s' is still being created after %d looks", c->name,
                           c->tries);
    }
    c->last = *e;
    return status;
}

static enum status find_now(struct kinesis_consumer *c, struct kinesis_stream *s,
                            char arn[KINESIS_CONSUMER_ARN_SIZE], struct error *e) {
    enum status status = try(c, s, arn, e);
    if (!status && c->found)
        status = c->found(c->context, arn, e);
    pthread_mutex_lock(&c->lock);
    status = conclude(c, status, arn, e);
    pthread_mutex_unlock(&c->lock);
    return status;
}

enum status kinesis_consumer_find(struct kinesis_consumer *c, struct kinesis_stream *stream,
                                  char arn[KINESIS_CONSUMER_ARN_SIZE], struct error *e) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&c->lock);
    bool is_active = c->is_active, is_mine = !is_active && !c->is_under_way && clock_boot_ms() >= c->due_ms;
    if (is_active) {
        strcpy(arn, c->arn);
    } else if (is_mine) {
        c->is_under_way = true;
    } else {
        *e = c->last;
        status = c->last.status ? c->last.status : making(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return is_mine ? find_now(c, stream, arn, e) : status;
}

void kinesis_consumer_doubt(struct kinesis_consumer *c) {
    pthread_mutex_lock(&c->lock);
    c->is_active = false;
    c->last = (struct error){0};
    pthread_mutex_unlock(&c->lock);
}
