/* Dead letters into an SQS queue, a message each (SQS API, SendMessage). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/json.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ingest/deadletter/internal.h"

struct sqs {
    struct deadletter_target target; /* first: what callers hold */
    struct aws_client *client;
    char *url;
    bool fifo;
};

static bool ends_with(const char *s, const char *end) {
    size_t length = strlen(s), n = strlen(end);
    return length >= n && strcmp(s + length - n, end) == 0;
}

static bool is_queue_name(const char *s) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strlen(s), stem = strspn(s, allowed);
    return stem >= 1 && length <= 80 && (stem == length || strcmp(s + stem, ".fifo") == 0);
}

bool deadletter_sqs_is_queue(const char *url) {
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    if (!host || *host == '/' || strlen(url) > LIMIT_URI_BYTES || strpbrk(url, " ?#@"))
        return false;
    const char *name = strrchr(host, '/');
    return name && is_queue_name(name + 1);
}

/* Equal for two messages of one letter. A hash, because SQS allows 128 characters. */
static void deduplication_id(const struct deadletter_letter *letter, char hex[DIGEST_HEX_SIZE]) {
    char sequence[POSITION_TEXT_SIZE];
    _cleanup_(mem_freep) char *text =
        mem_printf("%s:%s:%u", letter->shard_id, position_sequence(&letter->position, sequence),
                   position_sub_sequence(&letter->position));
    digest_sha256_hex(text, strlen(text), hex);
}

static void call_init(struct aws_call *call, const struct sqs *q, const struct deadletter_letter *letter,
                      int64_t now_real_ms) {
    _cleanup_(buffer_deinit) struct buffer message;
    buffer_init(&message, LIMIT_SQS_MESSAGE_BYTES);
    deadletter_append(&message, letter, LIMIT_SQS_MESSAGE_BYTES, now_real_ms);
    json_auto_t *body = json_pack("{s:s,s:s}", "QueueUrl", q->url, "MessageBody", message.data);
    if (q->fifo) {
        char id[DIGEST_HEX_SIZE];
        deduplication_id(letter, id);
        json_object_set_new(body, "MessageGroupId", json_string(letter->shard_id));
        json_object_set_new(body, "MessageDeduplicationId", json_string(id));
    }
    *call = (struct aws_call){.operation = "SendMessage"};
    call->body = aws_json_write(body, &call->length);
}

static void call_deinit(struct aws_call *call) {
    char *body = (char *)(uintptr_t)call->body; /* allocated by call_init */
    aws_call_deinit(call);
    free(body);
}

static struct sqs *sqs_of(struct deadletter_target *target) {
    return (struct sqs *)target;
}

/* The result of letters that were sent together. */
struct outcome {
    bool waits, refused, written; /* at least one */
    struct error error;           /* of the first that waits, else of the first that was refused */
};

static void settle(struct deadletter_letter *letter, const struct aws_call *call, struct outcome *out) {
    bool waits = call->status == STATUS_RETRY || strcmp(call->error.code, AWS_ERROR_CANCELLED) == 0;
    if (call->status && (waits ? !out->waits : !out->waits && !out->refused))
        out->error = call->error;
    if (waits) {
        out->waits = true;
    } else if (call->status) {
        letter->state = DEADLETTER_REFUSED;
        out->refused = true;
    } else {
        letter->state = DEADLETTER_TAKEN;
        out->written = true;
    }
}

enum { TOGETHER = LIMIT_AWS_CONCURRENCY };

/* Sends the first few that are pending. */
static void send_some(const struct sqs *q, struct deadletter_letter *letters, size_t n, int64_t now_real_ms,
                      int64_t deadline_boot_ms, struct outcome *out) {
    const struct aws_run run = {.concurrency = q->fifo ? 1 : TOGETHER, .deadline_boot_ms = deadline_boot_ms};
    struct aws_call calls[TOGETHER];
    struct deadletter_letter *sent[TOGETHER];
    size_t n_sent = 0;
    for (size_t i = 0; i < n && n_sent < TOGETHER; i++)
        if (letters[i].state == DEADLETTER_PENDING) {
            call_init(&calls[n_sent], q, &letters[i], now_real_ms);
            sent[n_sent++] = &letters[i];
        }
    aws_client_run(q->client, calls, n_sent, &run);
    for (size_t i = 0; i < n_sent; i++) {
        settle(sent[i], &calls[i], out);
        call_deinit(&calls[i]);
    }
}

static bool any_pending(const struct deadletter_letter *letters, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (letters[i].state == DEADLETTER_PENDING)
            return true;
    return false;
}

static enum status sqs_write(struct deadletter_target *target, struct deadletter_letter *letters, size_t n,
                             int64_t now_real_ms, struct error *e) {
    const struct sqs *q = sqs_of(target);
    int64_t deadline_ms = clock_boot_ms() + LIMIT_DEAD_LETTER_SEND_MS;
    bool refuses = false;
    while (!refuses && any_pending(letters, n)) {
        struct outcome out = {0};
        send_some(q, letters, n, now_real_ms, deadline_ms, &out);
        if (out.waits || out.refused) {
            *e = out.error;
            error_wrap(e, "cannot send dead letters to '%s'", q->url);
        }
        if (out.waits)
            return e->status = STATUS_RETRY;
        refuses = out.refused && !out.written;
    }
    return refuses ? e->status = STATUS_FAILED : STATUS_OK;
}

static void sqs_cancel(struct deadletter_target *target) {
    aws_client_cancel(sqs_of(target)->client);
}

static void sqs_free(struct deadletter_target *target) {
    struct sqs *q = sqs_of(target);
    aws_client_free(q->client);
    free(q->url);
    free(q);
}

static const struct deadletter_target_ops sqs_ops = {"sqs", sqs_write, sqs_cancel, sqs_free};

enum status deadletter_sqs_open(struct deadletter_target **target, const char *url,
                                const struct deadletter_options *options, struct error *e) {
    struct aws_client *client;
    enum status status = aws_client_new_for(&client, &aws_sqs, url, options->aws, options->transport, e);
    if (status)
        return status;
    struct sqs *q = mem_zalloc(sizeof *q);
    q->target.ops = &sqs_ops;
    q->client = client;
    q->url = mem_strdup(url);
    q->fifo = ends_with(url, ".fifo");
    *target = &q->target;
    return STATUS_OK;
}
