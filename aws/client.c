#include "aws/client.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "aws/endpoint.h"
#include "aws/retry.h"
#include "aws/run.h"
#include "aws/settings.h"
#include "aws/sigv4.h"
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

/* What a run takes from the client's pool: connections, and the signing key of the day. */
struct lane {
    struct aws_session *session;
    struct sigv4_key key;
    struct lane *next_idle;
    struct lane *next; /* of all; set before the lane is listed and never changed, so a walk needs no lock */
};

struct aws_client {
    const struct aws_service *service;
    const struct aws_settings *settings;
    const struct aws_transport *transport;
    struct aws_endpoint endpoint;
    struct aws_retry_quota quota;
    _Atomic int64_t correction_ms; /* what to add to our clock when signing; aws/skew.h */
    atomic_bool cancelled;

    pthread_mutex_t lock; /* guards the heads of both lists. A leaf, held for a few instructions. */
    struct lane *idle;
    struct lane *all;
};

/* A client whose endpoint is yet to be filled in. */
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

enum status aws_client_new(struct aws_client **client, const struct aws_service *service,
                           struct aws_settings *settings, const struct aws_transport *transport,
                           struct error *e) {
    *client = make(service, settings, transport);
    enum status status = aws_settings_endpoint(settings, service, &(*client)->endpoint, e);
    if (status) {
        aws_client_free(*client);
        *client = NULL;
    }
    return status;
}

enum status aws_client_new_for_queue(struct aws_client **client, const char *queue_url,
                                     struct aws_settings *settings, const struct aws_transport *transport,
                                     struct error *e) {
    *client = make(&aws_sqs, settings, transport);
    enum status status = aws_settings_queue_endpoint(settings, queue_url, &(*client)->endpoint, e);
    if (status) {
        aws_client_free(*client);
        *client = NULL;
    }
    return status;
}

void aws_client_free(struct aws_client *client) {
    if (!client)
        return;
    while (client->all) {
        struct lane *lane = client->all;
        client->all = lane->next;
        aws_session_free(lane->session);
        OPENSSL_cleanse(&lane->key, sizeof lane->key);
        free(lane);
    }
    aws_endpoint_deinit(&client->endpoint);
    pthread_mutex_destroy(&client->lock);
    free(client);
}

static struct lane *take_lane(struct aws_client *client) {
    pthread_mutex_lock(&client->lock);
    struct lane *lane = client->idle;
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

static void give_lane(struct aws_client *client, struct lane *lane) {
    pthread_mutex_lock(&client->lock);
    lane->next_idle = client->idle;
    client->idle = lane;
    pthread_mutex_unlock(&client->lock);
}

void aws_client_cancel(struct aws_client *client) {
    atomic_store(&client->cancelled, true);
    pthread_mutex_lock(&client->lock);
    struct lane *all = client->all;
    pthread_mutex_unlock(&client->lock);
    for (struct lane *lane = all; lane; lane = lane->next)
        aws_session_wake(lane->session);
}

void aws_client_run(struct aws_client *client, struct aws_call *calls, size_t n, const struct aws_run *run) {
    struct lane *lane = take_lane(client);
    const struct aws_run_with with = {
        .service = client->service,
        .settings = client->settings,
        .endpoint = &client->endpoint,
        .transport = client->transport,
        .quota = &client->quota,
        .correction_ms = &client->correction_ms,
        .cancelled = &client->cancelled,
        .session = lane->session,
        .key = &lane->key,
    };
    aws_run_calls(&with, calls, n, run);
    give_lane(client, lane);
}

enum status aws_client_call(struct aws_client *client, struct aws_call *call, const struct aws_run *run) {
    aws_client_run(client, call, 1, run);
    return call->status;
}

void aws_call_deinit(struct aws_call *call) {
    json_decref(call->reply);
    call->reply = NULL;
}
