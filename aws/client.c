#include "aws/client.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "aws/run.h"
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/mem.h"

const struct aws_service aws_dynamodb = {
    .name = "dynamodb",
    .target_prefix = "DynamoDB_20120810",
    .content_type = "application/x-amz-json-1.0",
    .endpoint_key = "DYNAMODB",
    .max_attempts = 4,
    .backoff_base_ms = 25,
};

const struct aws_service aws_kinesis = {
    .name = "kinesis",
    .target_prefix = "Kinesis_20131202",
    .content_type = "application/x-amz-json-1.1",
    .endpoint_key = "KINESIS",
    .max_attempts = 3,
    .backoff_base_ms = 50,
};

const struct aws_service aws_sqs = {
    .name = "sqs",
    .target_prefix = "AmazonSQS",
    .content_type = "application/x-amz-json-1.0",
    .endpoint_key = "SQS",
    .max_attempts = 3,
    .backoff_base_ms = 50,
};

/* The endpoint is filled in by the caller. */
static struct aws_client *make(const struct aws_service *service, struct aws_settings *settings,
                               const struct aws_transport *transport) {
    struct aws_client *c = mem_zalloc(sizeof *c);
    c->service = service;
    c->settings = settings;
    c->transport = transport ? transport : &aws_transport_curl;
    aws_retry_quota_init(&c->quota);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

/* Returns the client in `*client`, or frees it if there is no endpoint. */
static enum status conclude(struct aws_client **client, struct aws_client *c, enum status status) {
    if (status)
        aws_client_free(c);
    *client = status ? NULL : c;
    return status;
}

enum status aws_client_new_for(struct aws_client **client, const struct aws_service *service,
                               const char *resource, struct aws_settings *settings,
                               const struct aws_transport *transport, struct error *e) {
    const struct aws_endpoint_query query = {service->name, service->endpoint_key, settings->region,
                                             settings->profile, resource};
    struct aws_client *c = make(service, settings, transport);
    return conclude(client, c, aws_endpoint_resolve(&c->endpoint, &query, settings->profiles, e));
}

enum status aws_client_new(struct aws_client **client, const struct aws_service *service,
                           struct aws_settings *settings, const struct aws_transport *transport,
                           struct error *e) {
    return aws_client_new_for(client, service, NULL, settings, transport, e);
}

void aws_client_free(struct aws_client *client) {
    if (!client)
        return;
    while (client->all) {
        struct aws_lane *lane = client->all;
        client->all = lane->next;
        aws_session_free(lane->session);
        OPENSSL_cleanse(&lane->key, sizeof lane->key);
        free(lane);
    }
    aws_endpoint_deinit(&client->endpoint);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

struct aws_lane *aws_client_take_lane(struct aws_client *client) {
    pthread_mutex_lock(&client->lock);
    struct aws_lane *lane = client->idle;
    if (lane)
        client->idle = lane->next_idle;
    pthread_mutex_unlock(&client->lock);
    if (lane)
        return lane;

    lane = mem_zalloc(sizeof *lane);
    lane->session = aws_session_new();
    pthread_mutex_lock(&client->lock);
    lane->next = client->all;
    client->all = lane;
    pthread_mutex_unlock(&client->lock);
    return lane;
}

void aws_client_give_lane(struct aws_client *client, struct aws_lane *lane) {
    pthread_mutex_lock(&client->lock);
    lane->next_idle = client->idle;
    client->idle = lane;
    pthread_mutex_unlock(&client->lock);
}

void aws_client_cancel(struct aws_client *client) {
    atomic_store(&client->cancelled, true);
    pthread_mutex_lock(&client->lock);
    struct aws_lane *all = client->all;
    pthread_mutex_unlock(&client->lock);
    for (struct aws_lane *lane = all; lane; lane = lane->next)
        aws_session_wake(lane->session);
}

void aws_client_run(struct aws_client *client, struct aws_call *calls, size_t n, const struct aws_run *run) {
    struct aws_lane *lane = aws_client_take_lane(client);
    aws_run_calls(client, lane, calls, n, run);
    aws_client_give_lane(client, lane);
}

enum status aws_client_call(struct aws_client *client, struct aws_call *call, const struct aws_run *run) {
    aws_client_run(client, call, 1, run);
    return call->status;
}

void aws_call_deinit(struct aws_call *call) {
    json_decref(call->reply);
    call->reply = NULL;
}
