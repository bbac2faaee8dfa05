#include "aws/reply.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "aws/json.h"
#include "aws/promise.h"
#include "aws/service_error.h"
#include "aws/transport.h"

/* What a name may consist of. It becomes a label of a metric, and one label that is not UTF-8 makes
 * Prometheus drop all metrics of the process. */
#define NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

/* "com.amazonaws.dynamodb.v20120810#Name:http://..." -> "Name"; "" if that is no name. */
static void bare_name(const char *type, char *out, size_t size) {
    const char *hash = strchr(type, '#');
    const char *name = hash ? hash + 1 : type;
    size_t length = strcspn(name, ":");
    snprintf(out, size, "%.*s", strspn(name, NAME) == length ? (int)length : 0, name);
}

static const char *string_member(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static const char *error_type(const struct aws_exchange *x, const json_t *reply) {
    const char *type = string_member(reply, "__type");
    if (!type)
        type = string_member(reply, "code");
    return type ? type : x->error_type;
}

static const char *error_message(const json_t *reply) {
    const char *message = string_member(reply, "message");
    if (!message)
        message = string_member(reply, "Message");
    return message ? message : "no message";
}

static enum status service_error(const struct aws_exchange *x, const json_t *reply, struct error *e) {
    char name[sizeof e->code];
    bare_name(error_type(x, reply), name, sizeof name);
    enum status status = aws_service_error_status(name, x->http_status);
    if (*name)
        return error_set_code(e, status, name, "%s: %s", name, error_message(reply));
    return error_set(e, status, "HTTP %ld: %s", x->http_status, error_message(reply));
}

enum status aws_reply_read_exception(const char *type, const void *payload, size_t length,
                                     const char *message, struct error *e) {
    json_auto_t *reply = length ? aws_json_read(payload, length) : NULL;
    char name[sizeof e->code];
    bare_name(type, name, sizeof name);
    return error_set_code(e, aws_service_error_status(name, 0), name, "%s: %s",
                          *name ? name : "an unnamed error", message ? message : error_message(reply));
}

static bool checksum_holds(const struct aws_exchange *x) {
    if (!x->has_crc32)
        return true;
    const Bytef *bytes = (const Bytef *)(x->reply.data ? x->reply.data : "");
    return crc32_z(crc32_z(0, NULL, 0), bytes, x->reply.length) == x->crc32;
}

static enum status read_answer(const struct aws_exchange *x, json_t **reply, struct error *e) {
    if (x->streams && x->http_status >= 200 && x->http_status <= 299)
        return STATUS_OK;
    if (!checksum_holds(x))
        return aws_service_error_set(e, AWS_ERROR_CHECKSUM,
                                     "the reply is damaged: its CRC-32 differs from x-amz-crc32");

    if (x->reply.length)
        *reply = aws_json_read(x->reply.data, x->reply.length);
    if (x->http_status < 200 || x->http_status > 299)
        return service_error(x, *reply, e);
    return aws_promise_check(x->operation, *reply, e);
}

enum status aws_reply_read(const struct aws_exchange *x, json_t **reply, struct error *e) {
    enum status status;
    *reply = NULL;
    if (x->result == AWS_EXCHANGE_ANSWERED)
        status = read_answer(x, reply, e);
    else if (x->result == AWS_EXCHANGE_TOO_LARGE)
        status = aws_service_error_set(e, AWS_ERROR_TOO_LARGE, "the reply is larger than we accept");
    else if (x->result == AWS_EXCHANGE_DROPPED)
        status = aws_service_error_set(e, AWS_ERROR_DROPPED, "the reply was dropped while it arrived");
    else
        status = aws_service_error_set(e, AWS_ERROR_NO_ANSWER, x->problem);
    if (status)
        snprintf(e->request_id, sizeof e->request_id, "%s", x->request_id);
    return status;
}
