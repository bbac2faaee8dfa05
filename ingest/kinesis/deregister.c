/* The end of a consumer. */
#include <stdlib.h>
#include <string.h>

#include "aws/json.h"
#include "aws/settings.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ingest/kinesis/source.h"

static enum status call_about(struct aws_client *client, const char *operation, const char *arn,
                              json_t **reply, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *body = json_pack("{s:s}", "ConsumerARN", arn);
    size_t length;
    _cleanup_(mem_freep) char *text = aws_json_write(body, &length);
    struct aws_call call = {.operation = operation, .body = text, .length = length, .resource = arn};
    enum status status = aws_client_call(client, &call, &run);
    *reply = status ? NULL : json_incref(call.reply);
    *e = call.error;
    aws_call_deinit(&call);
    return status ? error_wrap(e, "cannot call %s on '%s'", operation, arn) : STATUS_OK;
}

/* OK: it is gone, or about to be. */
static enum status check_gone(struct aws_client *client, const char *arn, struct error *e) {
    json_auto_t *reply = NULL;
    enum status status = call_about(client, "DescribeStreamConsumer", arn, &reply, e);
    const json_t *description = json_object_get(reply, "ConsumerDescription");
    const char *state = json_string_value(json_object_get(description, "ConsumerStatus"));
    if (status == STATUS_NOT_FOUND || (state && strcmp(state, "DELETING") == 0))
        return STATUS_OK;
    return status ? status
                  : error_set(e, STATUS_RETRY, "the consumer '%s' is %s: try again", arn,
                              state ? state : "in no known state");
}

/* The reply of AWS is empty, as a broken gateway's may be: only the consumer itself says whether it goes. */
static enum status remove_consumer(struct aws_client *client, const char *arn, struct error *e) {
    json_auto_t *reply = NULL;
    enum status status = call_about(client, "DeregisterStreamConsumer", arn, &reply, e);
    bool is_unclear = status && strcmp(e->code, AWS_ERROR_MALFORMED) == 0;
    bool may_be_gone = status == STATUS_NOT_FOUND || status == STATUS_CONFLICT;
    return !status || is_unclear || may_be_gone ? check_gone(client, arn, e) : status;
}

enum status source_kinesis_deregister(const char *consumer_arn, struct aws_settings *settings,
                                      const struct aws_transport *transport, struct error *e) {
    const char *end = strstr(consumer_arn, "/consumer/");
    struct aws_client *client;
    if (!end)
        return error_set(e, STATUS_FAILED, "'%s' is no ARN of a consumer", consumer_arn);
    _cleanup_(mem_freep) char *stream = mem_printf("%.*s", (int)(end - consumer_arn), consumer_arn);
    enum status status = aws_client_new_for(&client, &aws_kinesis, stream, settings, transport, e);
    if (status)
        return status;
    status = remove_consumer(client, consumer_arn, e);
    aws_client_free(client);
    return status;
}
