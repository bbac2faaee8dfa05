/* The writing side of the DynamoDB store: the protocol of design, section 5, steps 1, 3 and 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/limits.h"
#include "server/base/mem.h"
#include "views/dynamodb.h"
#include "views/store_dynamodb_internal.h"

/* ---- 1. read ------------------------------------------------------------------------------------------------------ */

static json_t *batch_get_body(const struct store_dynamodb *d, json_t *keys) {
    return json_pack("{s:{s:{s:o,s:b}}}", "RequestItems", d->contributions_table, "Keys", keys, "ConsistentRead", 1);
}

/* Puts the rows of one reply where their ids stand in the request. */
static enum status place_items(const struct store_dynamodb *d, const json_t *reply, const char *const ids[], size_t n,
                               struct contribution *rows[], struct error *e) {
    const json_t *items = json_object_get(json_object_get(reply, "Responses"), d->contributions_table);
    json_t *item;
    size_t i;
    json_array_foreach(items, i, item) {
        struct contribution *row;
        enum status status = store_dynamodb_parse_contribution(d, item, &row, e);
        if (status)
            return status;
        size_t at = 0;
        while (at < n && strcmp(ids[at], row->product_id) != 0)
            at++;
        if (at < n && !rows[at])
            rows[at] = row;
        else
            contribution_free(row);
    }
    return STATUS_OK;
}

/* Keys that DynamoDB left unprocessed (over 16 MB, or throttled), a new reference; NULL if none. */
static json_t *unprocessed_keys(const struct store_dynamodb *d, const json_t *reply) {
    json_t *keys = json_object_get(
        json_object_get(json_object_get(reply, "UnprocessedKeys"), d->contributions_table), "Keys");
    return json_array_size(keys) ? json_incref(keys) : NULL;
}

struct chunk {
    size_t first, n;
    json_t *keys; /* what is still to be asked for; NULL: nothing */
};

static void chunk_init(struct chunk *c, const char *const ids[], size_t first, size_t n) {
    *c = (struct chunk){first, n, json_array()};
    for (size_t i = first; i < first + n; i++)
        json_array_append_new(c->keys, json_pack("{s:o}", "productId", dynamodb_s(ids[i])));
}

/* Asks once for what is open of all chunks, and leaves in them what is open then. */
static enum status read_chunks(struct store_dynamodb *d, struct chunk *chunks, size_t n_chunks, const char *const ids[],
                               struct contribution *rows[], const struct aws_run *run, struct error *e) {
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(n_chunks * sizeof *calls);
    _cleanup_(mem_freep) struct chunk **asked = mem_zalloc(n_chunks * sizeof *asked);
    enum status status = STATUS_OK;
    size_t n = 0;

    for (size_t i = 0; i < n_chunks; i++)
        if (chunks[i].keys) {
            asked[n] = &chunks[i];
            dynamodb_call_init(&calls[n++], "BatchGetItem", batch_get_body(d, chunks[i].keys));
            chunks[i].keys = NULL;
        }
    dynamodb_run(d->client, calls, n, run);

    for (size_t i = 0; i < n; i++) {
        const struct chunk *c = asked[i];
        if (!status && calls[i].status) {
            *e = calls[i].error;
            status = error_wrap(e, "cannot read table '%s'", d->contributions_table);
        }
        if (!status)
            status = place_items(d, calls[i].reply, ids + c->first, c->n, rows + c->first, e);
        if (!status)
            asked[i]->keys = unprocessed_keys(d, calls[i].reply);
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static bool any_open(const struct chunk *chunks, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (chunks[i].keys)
            return true;
    return false;
}

enum status store_dynamodb_read_contributions(struct store *store, const char *const ids[], size_t n,
                                              struct contribution *rows[], const struct fence *fence, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.fence = fence};
    size_t n_chunks = (n + LIMIT_DYNAMODB_BATCH_GET - 1) / LIMIT_DYNAMODB_BATCH_GET;
    _cleanup_(mem_freep) struct chunk *chunks = mem_zalloc(n_chunks * sizeof *chunks);
    enum status status = STATUS_OK;

    memset(rows, 0, n * sizeof *rows);
    for (size_t i = 0, first = 0; i < n_chunks; i++, first += LIMIT_DYNAMODB_BATCH_GET)
        chunk_init(&chunks[i], ids, first, n - first < LIMIT_DYNAMODB_BATCH_GET ? n - first : LIMIT_DYNAMODB_BATCH_GET);

    for (int round = 0; !status && any_open(chunks, n_chunks); round++)
        status = round < LIMIT_UNPROCESSED_ROUNDS
                     ? read_chunks(d, chunks, n_chunks, ids, rows, &run, e)
                     : error_set(e, STATUS_RETRY, "table '%s' leaves keys unprocessed", d->contributions_table);

    for (size_t i = 0; i < n_chunks; i++)
        json_decref(chunks[i].keys);
    for (size_t i = 0; status && i < n; i++) {
        contribution_free(rows[i]);
        rows[i] = NULL;
    }
    return status;
}

/* ---- 3. scores ---------------------------------------------------------------------------------------------------- */

/* The watermark's attribute: `at` + the shard's number, or the whole id where it has another form. */
static void watermark_name(const char *shard_id, char *out, size_t size) {
    static const char prefix[] = "shardId-";
    const char *digits = shard_id + sizeof prefix - 1;
    if (strncmp(shard_id, prefix, sizeof prefix - 1) != 0 || strlen(digits) != 12 ||
        strspn(digits, "0123456789") != 12) {
        snprintf(out, size, "at%s", shard_id);
        return;
    }
    while (digits[0] == '0' && digits[1])
        digits++;
    snprintf(out, size, "at%s", digits);
}

/* A score on its way: what of it is still to be counted. */
struct pending_score {
    const struct store_score_write *write;
    size_t dropped; /* positions that the row's watermark has counted already */
    bool done;
};

static json_t *score_key(const struct store_score_write *w) {
    return json_pack("{s:o,s:o}", "userId", dynamodb_s(w->user_id), "role", dynamodb_s(role_name(w->role)));
}

static json_t *score_body(const struct store_dynamodb *d, const struct pending_score *p, const char *watermark) {
    const struct store_score_write *w = p->write;
    const struct position *first = &w->positions[p->dropped], *last = &w->positions[w->n_positions - 1];
    json_t *body = json_pack("{s:s,s:o,s:s,s:s,s:s}", "TableName", d->scores_table, "Key", score_key(w),
                             "UpdateExpression", "SET #s = if_not_exists(#s, :zero) + :n, #w = :last, #u = :u, #b = :b",
                             "ConditionExpression", "attribute_not_exists(#w) OR #w < :first",
                             "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    dynamodb_name(body, "#s", "score");
    dynamodb_name(body, "#w", watermark);
    dynamodb_name(body, "#u", "updated");
    dynamodb_name(body, "#b", "updatedBy");
    dynamodb_value(body, ":zero", dynamodb_n(0));
    dynamodb_value(body, ":n", dynamodb_n((int64_t)(w->n_positions - p->dropped)));
    dynamodb_value(body, ":first", dynamodb_b(first->bytes, first->length));
    dynamodb_value(body, ":last", dynamodb_b(last->bytes, last->length));
    dynamodb_value(body, ":u", dynamodb_n(w->updated_ms));
    dynamodb_value(body, ":b", dynamodb_s(w->updated_by));
    return body;
}

static bool parse_watermark(const json_t *item, const char *watermark, struct position *out) {
    uint8_t bytes[POSITION_BYTES];
    size_t length;
    return dynamodb_get_b(item, watermark, bytes, sizeof bytes, &length) && position_from_bytes(bytes, length, out);
}

/* What the row has counted of this shard: from the failed call's reply if the store put the item there, else read. */
static enum status find_watermark(struct store_dynamodb *d, const struct aws_call *failed,
                                  const struct store_score_write *w, const char *watermark, const struct aws_run *run,
                                  struct position *out, struct error *e) {
    if (parse_watermark(json_object_get(failed->reply, "Item"), watermark, out))
        return STATUS_OK;

    json_auto_t *reply = NULL;
    json_t *body =
        json_pack("{s:s,s:o,s:b}", "TableName", d->scores_table, "Key", score_key(w), "ConsistentRead", 1);
    enum status status = dynamodb_once(d->client, "GetItem", body, run, &reply, e);
    if (status)
        return status;
    if (!parse_watermark(json_object_get(reply, "Item"), watermark, out))
        return error_set(e, STATUS_FAILED, "the row refused a write, but has no watermark '%s'", watermark);
    return STATUS_OK;
}

/* The condition failed: drops what is counted already. An error if that is nothing: then the condition had no reason
 * to fail, and to go on would be to guess. */
static enum status drop_counted(struct pending_score *p, const struct position *watermark, struct error *e) {
    const struct store_score_write *w = p->write;
    size_t before = p->dropped;
    while (p->dropped < w->n_positions && position_compare(&w->positions[p->dropped], watermark) <= 0)
        p->dropped++;
    if (p->dropped == before)
        return error_set(e, STATUS_FAILED, "the row refused a write, but its watermark is below all of it");
    p->done = p->dropped == w->n_positions;
    return STATUS_OK;
}

static enum status settle_score(struct store_dynamodb *d, struct pending_score *p, struct aws_call *call,
                                const char *watermark, const struct aws_run *run, struct error *e) {
    enum status status = call->status;
    if (status == STATUS_CONFLICT) {
        struct position counted;
        status = find_watermark(d, call, p->write, watermark, run, &counted, e);
        if (!status)
            status = drop_counted(p, &counted, e);
    } else if (status) {
        *e = call->error;
    } else {
        p->done = true;
    }
    if (status)
        error_wrap(e, "cannot count for '%s' as %s in table '%s'", p->write->user_id, role_name(p->write->role),
                   d->scores_table);
    return status;
}

/* Sends what is pending once. OK: some may be pending still, with less to count. */
static enum status send_scores(struct store_dynamodb *d, struct pending_score *pending, size_t n, const char *watermark,
                               const struct aws_run *run, struct error *e) {
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(n * sizeof *calls);
    _cleanup_(mem_freep) struct pending_score **sent = mem_zalloc(n * sizeof *sent);
    enum status status = STATUS_OK;
    size_t n_sent = 0;

    for (size_t i = 0; i < n; i++)
        if (!pending[i].done) {
            sent[n_sent] = &pending[i];
            dynamodb_call_init(&calls[n_sent++], "UpdateItem", score_body(d, &pending[i], watermark));
        }
    dynamodb_run(d->client, calls, n_sent, run);

    for (size_t i = 0; i < n_sent; i++) {
        if (!status)
            status = settle_score(d, sent[i], &calls[i], watermark, run, e);
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static bool all_done(const struct pending_score *pending, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!pending[i].done)
            return false;
    return true;
}

static enum status write_scores(struct store_dynamodb *d, const struct store_batch *batch, const struct aws_run *run,
                                struct error *e) {
    _cleanup_(mem_freep) struct pending_score *pending = mem_zalloc(batch->n_scores * sizeof *pending);
    char watermark[2 + LIMIT_SHARD_ID_BYTES + 1];
    enum status status = STATUS_OK;

    watermark_name(batch->shard_id, watermark, sizeof watermark);
    for (size_t i = 0; i < batch->n_scores; i++)
        pending[i].write = &batch->scores[i];
    for (int round = 0; !status && !all_done(pending, batch->n_scores); round++)
        status = round < LIMIT_APPLY_ROUNDS ? send_scores(d, pending, batch->n_scores, watermark, run, e)
                                            : error_set(e, STATUS_RETRY, "somebody else keeps counting for '%s' in '%s'",
                                                        batch->shard_id, d->scores_table);
    return status;
}

/* ---- 4. contributions --------------------------------------------------------------------------------------------- */

static json_t *contribution_body(const struct store_dynamodb *d, const struct store_contribution_write *w) {
    json_t *body = json_pack("{s:s,s:o,s:s}", "TableName", d->contributions_table, "Item",
                             store_dynamodb_contribution_item(w->row), "ConditionExpression",
                             w->old_last_event_id ? "#last = :old" : "attribute_not_exists(#last)");
    dynamodb_name(body, "#last", "lastEventId");
    if (w->old_last_event_id)
        dynamodb_value(body, ":old", dynamodb_s(w->old_last_event_id));
    return body;
}

/* A conflict is told last: anything worse says more about what to do. */
static enum status worse(enum status a, enum status b) {
    return a == STATUS_OK || (a == STATUS_CONFLICT && b != STATUS_OK) ? b : a;
}

static enum status write_contributions(struct store_dynamodb *d, const struct store_batch *batch,
                                       const struct aws_run *run, struct error *e) {
    size_t n = batch->n_contributions;
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(n * sizeof *calls);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < n; i++)
        dynamodb_call_init(&calls[i], "PutItem", contribution_body(d, &batch->contributions[i]));
    dynamodb_run(d->client, calls, n, run);

    for (size_t i = 0; i < n; i++) {
        enum status now = worse(status, calls[i].status);
        if (now != status) {
            status = now;
            *e = calls[i].error;
            error_wrap(e, "cannot write '%s' to table '%s'", batch->contributions[i].row->product_id,
                       d->contributions_table);
        }
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

/* All scores are in before any contribution moves: a product's row that moved decides nothing on a replay, so credit
 * that was not counted by then would be lost. */
enum status store_dynamodb_write_batch(struct store *store, const struct store_batch *batch, const struct fence *fence,
                                       struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.fence = fence};
    enum status status = write_scores(d, batch, &run, e);
    if (!status)
        status = write_contributions(d, batch, &run, e);
    return status;
}
