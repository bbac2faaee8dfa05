/*
 * aws/throttle: which table, index, stream or queue was throttled. Each throttled attempt is counted in
 * winner_view_aws_throttles_total{service,resource}, once for each resource that it names.
 *
 * DynamoDB names them itself since 2025 (API reference, ThrottlingReason): `ThrottlingReasons` of a
 * ProvisionedThroughputExceededException, `throttlingReasons` of a ThrottlingException, each with the ARN of
 * a table or an index. It matters which: an index that is too slow throttles the writes of its table. For
 * other services the resource is read from the request.
 *
 * Resources are named as in the last part of their ARN: "table/x", "table/x/index/y", "stream/x", "queue/x".
 */
#ifndef AWS_THROTTLE_H
#define AWS_THROTTLE_H

#include <jansson.h>

struct aws_call; /* aws/client.h */

#define AWS_THROTTLE_RESOURCES 4
#define AWS_THROTTLE_NAME_SIZE 544 /* "table/" and "/index/" with 255 bytes behind each */

struct aws_throttle {
    char names[AWS_THROTTLE_RESOURCES][AWS_THROTTLE_NAME_SIZE]; /* cut to fit */
    size_t count;                                               /* more are left out */
};

/* Finds at least one: "unknown" if nothing names it. `reply` is that of the error (NULL: none). Pure; any
 * thread. */
void aws_throttle_find(struct aws_throttle *out, const json_t *reply, const struct aws_call *call);

/* Finds and counts them. Any thread. */
void aws_throttle_count(const char *service, const json_t *reply, const struct aws_call *call);

#endif
