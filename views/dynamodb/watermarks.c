/*
 * The watermarks in Scores: their names, and removing those of shards that nobody can read again.
 *
 * One scan serves all the shards. It reads whole rows, because no filter could name thousands of attributes,
 * and is eventually consistent: nobody has written these attributes for a day. Each row is written once, to
 * remove all of its watermarks. Reads and writes are paced by the units that they consume. A scan passes
 * through the table's partitions one after the other, so the pace is a share of what one partition can do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/service_clock.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

#define REMOVED_AT "watermarksRemovedAt"

/* The watermark's attribute: `at` + the shard's number, or the whole id where it has another form. */
void store_dynamodb_watermark_name(const char *shard_id, char out[STORE_DYNAMODB_WATERMARK_SIZE]) {
    static const char prefix[] = "shardId-";
    const char *digits = shard_id + sizeof prefix - 1;
    if (strncmp(shard_id, prefix, sizeof prefix - 1) != 0 || strlen(digits) != 12 ||
        strspn(digits, "0123456789") != 12) {
        snprintf(out, STORE_DYNAMODB_WATERMARK_SIZE, "at%s", shard_id);
        return;
    }
    while (digits[0] == '0' && digits[1])
        digits++;
    snprintf(out, STORE_DYNAMODB_WATERMARK_SIZE, "at%s", digits);
}

/* What a scan removes. */
struct removal {
    struct store_dynamodb *d;
    json_t *names; /* of the watermarks, as keys */
    const struct store_pacer *pacer;
};

/* A call that is sent until it has an answer. */
struct request {
    const char *operation;
    json_t *body;
    json_t *reply; /* NULL until then, or if its condition failed */
    bool done;
};

static enum status pause_for(const struct removal *r, int64_t ms, struct error *e) {
    return !ms || r->pacer->wait(r->pacer->data, (int)ms)
               ? STATUS_OK
               : error_set(e, STATUS_RETRY, "stopped before its end");
}

static void settle(struct request *request, const struct aws_call *call) {
    request->done = call->status == STATUS_OK || call->status == STATUS_CONFLICT;
    request->reply = call->status ? NULL : json_incref(call->reply);
}

/* Sends once each request that is not done. RETRY: some failed for now. */
static enum status send_open(const struct removal *r, struct request *requests, size_t n, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS,
                                .pulse = r->pacer->pulse};
    struct aws_call calls[LIMIT_CLEANUP_WRITES];
    struct request *sent[LIMIT_CLEANUP_WRITES];
    enum status status = STATUS_OK;
    size_t n_calls = 0;
    for (size_t i = 0; i < n; i++)
        if (!requests[i].done) {
            sent[n_calls] = &requests[i];
            dynamodb_call_init(&calls[n_calls++], requests[i].operation, json_incref(requests[i].body));
        }
    dynamodb_run(r->d->client, calls, n_calls, &run);
    for (size_t i = 0; i < n_calls; i++) {
        settle(sent[i], &calls[i]);
        if (!sent[i]->done && (!status || status == STATUS_RETRY)) {
            status = calls[i].status;
            *e = calls[i].error;
        }
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static double units(const struct request *requests, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += dynamodb_units(json_object_get(requests[i].reply, "ConsumedCapacity"));
    return sum;
}

/* Sends until all are done, then waits as long as the pace requires. */
static enum status send_all(const struct removal *r, struct request *requests, size_t n, int units_per_s,
                            struct error *e) {
    enum status status = STATUS_RETRY;
    for (int round = 0; status == STATUS_RETRY; round++) {
        status = send_open(r, requests, n, e);
        if (status == STATUS_RETRY && round == LIMIT_CLEANUP_ROUNDS)
            return status;
        if (status == STATUS_RETRY && pause_for(r, LIMIT_CLEANUP_RETRY_MS, e))
            return status;
    }
    return status ? status : pause_for(r, (int64_t)(units(requests, n) * 1000 / units_per_s), e);
}

/* Writes that are sent together. */
struct slice {
    struct request requests[LIMIT_CLEANUP_WRITES];
    size_t n;
};

static void empty_slice(struct slice *slice) {
    for (size_t i = 0; i < slice->n; i++) {
        json_decref(slice->requests[i].body);
        json_decref(slice->requests[i].reply);
    }
    slice->n = 0;
}

/* Empties the slice, whatever the result. */
static enum status send_slice(const struct removal *r, struct slice *slice, struct error *e) {
    enum status status =
        slice->n ? send_all(r, slice->requests, slice->n, LIMIT_CLEANUP_WRITE_UNITS, e) : STATUS_OK;
    empty_slice(slice);
    return status;
}

/* On condition that the row is there: an update would make one. */
static json_t *remove_body(const struct removal *r, const json_t *item) {
    json_t *body = json_pack("{s:s,s:{s:O,s:O},s:s}", "TableName", r->d->scores_table, "Key", "userId",
                             json_object_get(item, "userId"), "role", json_object_get(item, "role"),
                             "ConditionExpression", "attribute_exists(#u)");
    dynamodb_name(body, "#u", "userId");
    return body;
}

static enum status remove_some(const struct removal *r, struct slice *slice, const json_t *item,
                               const char *const names[], size_t n, struct error *e) {
    json_t *body = remove_body(r, item);
    struct buffer removes;
    buffer_init(&removes, LIMIT_CLEANUP_EXPRESSION_BYTES);
    for (size_t i = 0; i < n; i++) {
        char placeholder[16];
        snprintf(placeholder, sizeof placeholder, "#w%zu", i);
        dynamodb_name(body, placeholder, names[i]);
        buffer_printf(&removes, "%s%s", i ? "," : "REMOVE ", placeholder);
    }
    json_object_set_new(body, "UpdateExpression", json_string(removes.data));
    buffer_deinit(&removes);
    slice->requests[slice->n++] = (struct request){.operation = "UpdateItem", .body = body};
    return slice->n == LIMIT_CLEANUP_WRITES ? send_slice(r, slice, e) : STATUS_OK;
}

/* Rows with `expires` are left alone: they are deleted soon, with all that they have. */
static enum status clean_row(const struct removal *r, struct slice *slice, json_t *item, struct error *e) {
    const char *names[LIMIT_CLEANUP_NAMES], *name;
    enum status status = STATUS_OK;
    size_t n = 0;
    json_t *value;
    if (!dynamodb_get_s(item, "userId") || !dynamodb_get_s(item, "role"))
        return error_set(e, STATUS_FAILED, "a row has no userId or no role");
    if (json_object_get(item, "expires"))
        return STATUS_OK;
    json_object_foreach(item, name, value) {
        if (!json_object_get(r->names, name))
            continue;
        names[n++] = name;
        if (n < LIMIT_CLEANUP_NAMES)
            continue;
        status = remove_some(r, slice, item, names, n, e);
        n = 0;
        if (status)
            return status;
    }
    return n ? remove_some(r, slice, item, names, n, e) : STATUS_OK;
}

static enum status clean_page(const struct removal *r, const json_t *page, struct error *e) {
    _cleanup_(empty_slice) struct slice slice = {.n = 0};
    enum status status = STATUS_OK;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(page, "Items"), i, item) {
        if (!status)
            status = clean_row(r, &slice, item, e);
    }
    return status ? status : send_slice(r, &slice, e);
}

static enum status clean_table(const struct removal *r, struct error *e) {
    json_auto_t *body = json_pack("{s:s,s:i}", "TableName", r->d->scores_table, "Limit", LIMIT_CLEANUP_ROWS);
    enum status status = STATUS_OK;
    for (bool more = true; !status && more;) {
        struct request scan = {.operation = "Scan", .body = body};
        status = send_all(r, &scan, 1, LIMIT_CLEANUP_READ_UNITS, e);
        if (!status)
            status = clean_page(r, scan.reply, e);
        more = dynamodb_next_page(body, scan.reply);
        json_decref(scan.reply);
    }
    return status;
}

/* Claims the scan of this interval, so that only one worker makes it. A time in the future is ignored: a
 * wrong clock wrote it. If the answer is lost, the repetition finds the claim, and no scan is made for a day.
 */
static enum status claim(struct store_dynamodb *d, int64_t now_ms, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS};
    json_t *body =
        json_pack("{s:s,s:o,s:s,s:s}", "TableName", d->leases_table, "Key", rows_lease_key(ROWS_SOURCE_KEY),
                  "UpdateExpression", "SET #r = :now", "ConditionExpression",
                  "attribute_exists(#k) AND (attribute_not_exists(#r) OR #r <= :before OR #r > :ahead)");
    dynamodb_name(body, "#k", "identityKey");
    dynamodb_name(body, "#r", REMOVED_AT);
    dynamodb_value(body, ":now", dynamodb_n(now_ms));
    dynamodb_value(body, ":before", dynamodb_n(now_ms - LIMIT_CLEANUP_INTERVAL_MS));
    dynamodb_value(body, ":ahead", dynamodb_n(now_ms + SERVICE_CLOCK_AHEAD_MS));
    return dynamodb_once(d->client, "UpdateItem", body, &run, NULL, e);
}

enum status store_dynamodb_remove_watermarks(struct store *store, const char *const shard_ids[], size_t n,
                                             int64_t now_ms, const struct store_pacer *pacer,
                                             struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    json_auto_t *names = json_object();
    enum status status = claim(d, now_ms, e);
    if (status == STATUS_CONFLICT)
        return status;
    for (size_t i = 0; i < n; i++) {
        char name[STORE_DYNAMODB_WATERMARK_SIZE];
        store_dynamodb_watermark_name(shard_ids[i], name);
        json_object_set_new(names, name, json_true());
    }
    if (!status)
        status = clean_table(&(struct removal){d, names, pacer}, e);
    return status ? error_wrap(e, "cannot remove watermarks from table '%s'", d->scores_table) : STATUS_OK;
}
