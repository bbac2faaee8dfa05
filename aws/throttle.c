#include "aws/throttle.h"

#include <stdio.h>
#include <string.h>

#include "aws/client.h"
#include "base/metrics.h"

static struct metrics_family throttles_total = {
    .name = "winner_view_aws_throttles_total",
    .help = "Attempts that AWS answered by a throttle, by table, index, stream or queue.",
    .kind = METRICS_COUNTER,
    .labels = {"service", "resource"},
};

/* "arn:aws:dynamodb:eu-west-1:123:table/x" -> "table/x"; NULL if it is no ARN. */
static const char *resource_of_arn(const char *text) {
    if (strncmp(text, "arn:", 4) != 0)
        return NULL;
    for (int colons = 0; colons < 5; colons++) {
        text = strchr(text, ':');
        if (!text)
            return NULL;
        text++;
    }
    return text;
}

static void add(struct aws_throttle *t, const char *name) {
    if (t->count == AWS_THROTTLE_RESOURCES || !*name)
        return;
    char *next = t->names[t->count];
    snprintf(next, AWS_THROTTLE_NAME_SIZE, "%s", name);
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->names[i], next) == 0)
            return;
    t->count++;
}

/* A name or an ARN, of a thing of that kind, and an index of it or NULL. */
static void add_named(struct aws_throttle *t, const char *kind, const char *name, const char *index) {
    char text[AWS_THROTTLE_NAME_SIZE];
    const char *resource = resource_of_arn(name);
    if (resource)
        kind = "";
    snprintf(text, sizeof text, "%s%s%s%s", kind, resource ? resource : name, index ? "/index/" : "",
             index ? index : "");
    add(t, text);
}

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static void find_in_reply(struct aws_throttle *t, const json_t *reply) {
    const json_t *reasons = json_object_get(reply, "ThrottlingReasons"), *reason;
    if (!reasons)
        reasons = json_object_get(reply, "throttlingReasons");
    size_t i;
    json_array_foreach(reasons, i, reason) {
        const char *resource = text_of(reason, "resource");
        if (resource)
            add_named(t, "", resource, NULL);
    }
}

static void find_in_request(struct aws_throttle *t, const struct aws_call *call) {
    json_auto_t *body = json_loadb(call->body ? call->body : "", call->length, 0, NULL);
    const char *table = text_of(body, "TableName"), *queue = text_of(body, "QueueUrl");
    const char *stream = text_of(body, "StreamName"), *key;
    json_t *items = json_object_get(body, "RequestItems"), *one;
    if (table)
        add_named(t, "table/", table, text_of(body, "IndexName"));
    json_object_foreach(items, key, one) add_named(t, "table/", key, NULL);
    if (!stream)
        stream = text_of(body, "StreamARN");
    if (stream)
        add_named(t, "stream/", stream, NULL);
    if (queue && strrchr(queue, '/'))
        add_named(t, "queue/", strrchr(queue, '/') + 1, NULL);
}

void aws_throttle_find(struct aws_throttle *out, const json_t *reply, const struct aws_call *call) {
    out->count = 0;
    find_in_reply(out, reply);
    if (out->count == 0)
        find_in_request(out, call);
    if (out->count == 0)
        add_named(out, "", call->resource ? call->resource : "unknown", NULL);
}

void aws_throttle_count(const char *service, const json_t *reply, const struct aws_call *call) {
    struct aws_throttle found;
    aws_throttle_find(&found, reply, call);
    for (size_t i = 0; i < found.count; i++)
        metrics_count(&throttles_total, (const char *const[]){service, found.names[i], NULL}, 1);
}
