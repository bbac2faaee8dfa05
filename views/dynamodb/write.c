/* Reading and writing the views: steps 1, 3 and 4 of views/README.md, "Applying a batch". */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* The rows of a step are sent in slices of LIMIT_SLICE_ROWS. So requests and replies are in memory for one
 * slice only, however many rows the batch has. Slices change nothing else: each score is one write with all
 * of its positions, and all scores are acknowledged before the first contribution is sent.
 *
 * A round sends once what is pending, slice by slice: calls that failed for now are sent again in the next
 * round, those that succeeded are not. Of a round, or a slice: whether any call succeeded, and the first
 * failure that may pass. */
struct round {
    bool progress;
    enum status status; /* OK or RETRY */
    struct error error;
};

static size_t slice_size(size_t n) {
    return n < LIMIT_SLICE_ROWS ? n : LIMIT_SLICE_ROWS;
}

static void note_failure(struct round *round, const struct error *e) {
    if (!round->status)
        round->error = *e;
    round->status = STATUS_RETRY;
}

/* False: the store does not answer, so the round ends: each further slice would wait as long as this one. A
 * store that throttles does answer. */
static bool add_slice(struct round *round, const struct round *slice, bool throttled) {
    round->progress |= slice->progress;
    if (slice->status)
        note_failure(round, &slice->error);
    return !slice->status || slice->progress || throttled;
}

/* Whether to send what is left in another round, after a pause: as long as each round makes progress. So a
 * table that throttles takes a batch in parts. If it were given up, it would begin again each time and never
 * end. */
static bool may_continue(const struct round *round, int n) {
    if (!round->status)
        return true;
    if (!round->progress || n >= LIMIT_ROUNDS)
        return false;
    int64_t pause_ms = LIMIT_ROUND_PAUSE_MS << (n < 4 ? n : 4);
    poll(NULL, 0, (int)pause_ms);
    return true;
}

static struct aws_run run_of(const struct store_context *context) {
    return (struct aws_run){.fence = context->fence,
                            .pulse = context->pulse,
                            .deadline_boot_ms = context->deadline_boot_ms,
                            .patience_ms = context->deadline_boot_ms ? 0 : LIMIT_STORE_PATIENCE_MS};
}

static void run_all(const struct store_dynamodb *d, struct aws_call *calls, size_t n,
                    const struct store_context *context) {
    const struct aws_run run = run_of(context);
    dynamodb_run(d->client, calls, n, &run);
}

static void run_writes(const struct store_dynamodb *d, struct aws_call *calls, size_t n,
                       struct store_context *context) {
    run_all(d, calls, n, context);
    for (size_t i = 0; i < n; i++)
        context->throttles += calls[i].throttles;
}

static void mark(bool *written) {
    if (written)
        *written = true;
}

/* A key in an error message: short enough to leave room for the store's reason. */
struct short_key {
    char text[100];
};

static struct short_key shorten(const char *key) {
    struct short_key out;
    size_t length = strlen(key);
    if (length < sizeof out.text) {
        memcpy(out.text, key, length + 1);
        return out;
    }
    length = utf8_cut(key, sizeof out.text - sizeof "...");
    snprintf(out.text, sizeof out.text, "%.*s...", (int)length, key);
    return out;
}

/* 1. Read. */

static json_t *batch_get_body(const struct store_dynamodb *d, json_t *keys) {
    return json_pack("{s:{s:{s:o,s:b}}}", "RequestItems", d->contributions_table, "Keys", keys,
                     "ConsistentRead", 1);
}

/* Places the rows of one reply at the index of their ids. */
static enum status place_items(const struct store_dynamodb *d, const json_t *reply, const char *const ids[],
                               size_t n, struct contribution *rows[], struct error *e) {
    const json_t *items = json_object_get(json_object_get(reply, "Responses"), d->contributions_table);
    json_t *item;
    size_t i;
    json_array_foreach(items, i, item) {
        struct contribution *row;
        enum status status = rows_parse_contribution(d, item, &row, e);
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
    json_t *keys; /* still open: to be asked for; NULL: none */
};

static void chunk_init(struct chunk *c, const char *const ids[], size_t first, size_t n) {
    *c = (struct chunk){first, n, json_array()};
    for (size_t i = first; i < first + n; i++)
        json_array_append_new(c->keys, rows_contribution_key(ids[i]));
}

/* A row is absent only if the reply lists the rows of its table: not if it leaves out the table. */
static void require_table(const struct store_dynamodb *d, struct aws_call *call) {
    const json_t *rows = json_object_get(json_object_get(call->reply, "Responses"), d->contributions_table);
    json_auto_t *open = unprocessed_keys(d, call->reply);
    if (!call->status && !rows && !open)
        call->status = error_set_code(&call->error, STATUS_RETRY, AWS_ERROR_MALFORMED,
                                      "the reply of BatchGetItem has neither rows nor keys left to process");
}

/* Places the rows of one reply, and leaves in the chunk the keys that are still open. */
static enum status settle_chunk(const struct store_dynamodb *d, struct chunk *c, struct aws_call *call,
                                const char *const ids[], struct contribution *rows[], struct round *round,
                                struct error *e) {
    require_table(d, call);
    if (call->status) {
        *e = call->error;
        error_wrap(e, "cannot read '%s' and %zu more from table '%s'", shorten(ids[c->first]).text, c->n - 1,
                   d->contributions_table);
        if (call->status == STATUS_RETRY)
            note_failure(round, e);
        return call->status == STATUS_RETRY ? STATUS_OK : call->status;
    }
    json_decref(c->keys);
    c->keys = unprocessed_keys(d, call->reply);
    round->progress = true;
    return place_items(d, call->reply, ids + c->first, c->n, rows + c->first, e);
}

/* One round: asks for the open keys of all chunks. */
static enum status read_chunks(struct store_dynamodb *d, struct chunk *chunks, size_t n_chunks,
                               const char *const ids[], struct contribution *rows[],
                               struct store_context *context, struct round *round, struct error *e) {
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(n_chunks * sizeof *calls);
    _cleanup_(mem_freep) struct chunk **asked = mem_zalloc(n_chunks * sizeof *asked);
    enum status status = STATUS_OK;
    size_t n = 0;

    for (size_t i = 0; i < n_chunks; i++)
        if (chunks[i].keys) {
            asked[n] = &chunks[i];
            dynamodb_call_init(&calls[n++], "BatchGetItem", batch_get_body(d, json_incref(chunks[i].keys)));
        }
    run_all(d, calls, n, context);

    for (size_t i = 0; i < n; i++) {
        if (!status)
            status = settle_chunk(d, asked[i], &calls[i], ids, rows, round, e);
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

static enum status read_slice(struct store_dynamodb *d, const char *const ids[], size_t n,
                              struct contribution *rows[], struct store_context *context, struct error *e) {
    size_t n_chunks = (n + LIMIT_DYNAMODB_BATCH_GET - 1) / LIMIT_DYNAMODB_BATCH_GET;
    _cleanup_(mem_freep) struct chunk *chunks = mem_zalloc(n_chunks * sizeof *chunks);
    enum status status = STATUS_OK;

    for (size_t i = 0, first = 0; i < n_chunks; i++, first += LIMIT_DYNAMODB_BATCH_GET)
        chunk_init(&chunks[i], ids, first,
                   n - first < LIMIT_DYNAMODB_BATCH_GET ? n - first : LIMIT_DYNAMODB_BATCH_GET);

    for (int sent = 0; !status && any_open(chunks, n_chunks); sent++) {
        struct round round = {0};
        status = read_chunks(d, chunks, n_chunks, ids, rows, context, &round, e);
        if (!status && any_open(chunks, n_chunks) && !round.status) /* keys left unprocessed: throttled */
            error_set(&round.error, round.status = STATUS_RETRY, "table '%s' leaves keys unprocessed",
                      d->contributions_table);
        if (!status && any_open(chunks, n_chunks) && !may_continue(&round, sent)) {
            *e = round.error;
            status = STATUS_RETRY;
        }
    }

    for (size_t i = 0; i < n_chunks; i++)
        json_decref(chunks[i].keys);
    return status;
}

enum status store_dynamodb_read_contributions(struct store *store, const char *const ids[], size_t n,
                                              struct contribution *rows[], struct store_context *context,
                                              struct error *e) {
    enum status status = STATUS_OK;
    memset(rows, 0, n * sizeof *rows);
    for (size_t at = 0, size; !status && at < n; at += size) {
        size = slice_size(n - at);
        status = read_slice(store_dynamodb_of(store), ids + at, size, rows + at, context, e);
    }
    for (size_t i = 0; status && i < n; i++) {
        contribution_free(rows[i]);
        rows[i] = NULL;
    }
    return status;
}

/* 3. Scores. */

/* A score that is being written: what of it is still to be counted. */
struct pending_score {
    const struct store_score_write *write;
    bool *written;  /* may be NULL */
    size_t dropped; /* positions at or below the row's watermark: counted already */
    bool done;
};

/* Attributes that only some rows have, and that never change. Each returns its part of the expression. */

static const char *set_expires(json_t *body, const struct store_score_write *w) {
    if (w->board.period.kind == PERIOD_ALL_TIME)
        return "";
    dynamodb_name(body, "#e", "expires");
    dynamodb_value(body, ":e", dynamodb_n(period_expires_ms(w->board.period) / 1000));
    return ", #e = :e";
}

static const char *set_partition(json_t *body, const struct store_dynamodb *d,
                                 const struct store_score_write *w) {
    unsigned partitions = store_shape(&d->store)->board_partitions;
    char text[ROWS_PARTITION_SIZE];
    if (partitions < 2 || w->board.role == ROLE_SHOP)
        return "";
    dynamodb_name(body, "#p", "board");
    dynamodb_value(
        body, ":p",
        dynamodb_s(rows_partition_format(&w->board, rows_partition_of(w->user_id, partitions), text)));
    return ", #p = :p";
}

/* The shop counts in another attribute, which keeps its rows out of the index. */
static json_t *score_body(const struct store_dynamodb *d, const struct pending_score *p,
                          const char *watermark) {
    const struct store_score_write *w = p->write;
    const struct position *first = w->positions[p->dropped], *last = w->positions[w->n - 1];
    json_t *body = json_pack("{s:s,s:o,s:s,s:s}", "TableName", d->scores_table, "Key",
                             rows_score_key(w->user_id, &w->board), "ConditionExpression",
                             "attribute_not_exists(#w) OR #w < :first", "ReturnValuesOnConditionCheckFailure",
                             "ALL_OLD");
    json_object_set_new(
        body, "UpdateExpression",
        json_sprintf("SET #s = if_not_exists(#s, :zero) + :n, #w = :last, #u = :u, #b = :b%s%s",
                     set_expires(body, w), set_partition(body, d, w)));
    dynamodb_name(body, "#s", rows_count_name(w->board.role));
    dynamodb_name(body, "#w", watermark);
    dynamodb_name(body, "#u", "updated");
    dynamodb_name(body, "#b", "updatedBy");
    dynamodb_value(body, ":zero", dynamodb_n(0));
    dynamodb_value(body, ":n", dynamodb_n((int64_t)(w->n - p->dropped)));
    dynamodb_value(body, ":first", dynamodb_b(first->bytes, first->length));
    dynamodb_value(body, ":last", dynamodb_b(last->bytes, last->length));
    dynamodb_value(body, ":u", dynamodb_n(w->updated_ms));
    dynamodb_value(body, ":b", dynamodb_s(w->updated_by));
    return body;
}

static bool parse_watermark(const json_t *item, const char *watermark, struct position *out) {
    uint8_t bytes[POSITION_BYTES];
    size_t length;
    return dynamodb_get_b(item, watermark, bytes, sizeof bytes, &length) &&
           position_from_bytes(bytes, length, out);
}

/* The row's watermark for this shard: from the failed call's reply if it has the item (ALL_OLD), else read.
 */
static enum status find_watermark(struct store_dynamodb *d, const struct aws_call *failed,
                                  const struct store_score_write *w, const char *watermark,
                                  struct store_context *context, struct position *out, struct error *e) {
    if (parse_watermark(json_object_get(failed->reply, "Item"), watermark, out))
        return STATUS_OK;

    json_auto_t *item = NULL;
    const struct aws_run run = run_of(context);
    enum status status =
        dynamodb_get_item(d->client, d->scores_table, rows_score_key(w->user_id, &w->board), &run, &item, e);
    if (status)
        return status;
    if (!parse_watermark(item, watermark, out))
        return error_set(e, STATUS_FAILED, "the row refused a write, but has no watermark '%s'", watermark);
    return STATUS_OK;
}

/* The condition failed: drops the positions that are counted already. If there are none, the condition had no
 * reason to fail: an error, because any further write would be a guess. */
static enum status drop_counted(struct pending_score *p, const struct position *watermark, struct error *e) {
    const struct store_score_write *w = p->write;
    size_t before = p->dropped;
    while (p->dropped < w->n && position_compare(w->positions[p->dropped], watermark) <= 0)
        p->dropped++;
    if (p->dropped == before)
        return error_set(e, STATUS_FAILED,
                         "the row refused a write, but its watermark is below all positions");
    p->done = p->dropped == w->n;
    return STATUS_OK;
}

static enum status settle_score(struct store_dynamodb *d, struct pending_score *p, struct aws_call *call,
                                const char *watermark, struct store_context *context, struct round *round,
                                struct error *e) {
    enum status status = call->status;
    if (status == STATUS_CONFLICT && round->status && !json_object_get(call->reply, "Item"))
        return STATUS_OK; /* needs a read, and the store is failing: it stays for the next round */
    if (status == STATUS_CONFLICT) {
        struct position counted;
        status = find_watermark(d, call, p->write, watermark, context, &counted, e);
        if (!status)
            status = drop_counted(p, &counted, e);
    } else if (status) {
        *e = call->error;
    } else {
        p->done = true;
        mark(p->written);
    }
    if (status) {
        error_wrap(e, "cannot count for a %s in table '%s'", role_name(p->write->board.role),
                   d->scores_table);
        if (p->write->board.role < PEOPLE_ROLES)
            error_note_person(e, p->write->user_id);
    } else {
        round->progress = true;
    }
    if (status == STATUS_RETRY)
        note_failure(round, e);
    return status == STATUS_RETRY ? STATUS_OK : status;
}

/* One slice of those from `*at` on. After OK some may still be pending, with less to count, or because they
 * failed for now. */
static enum status send_scores(struct store_dynamodb *d, struct pending_score *pending, size_t n, size_t *at,
                               const char *watermark, struct store_context *context, struct round *round,
                               struct error *e) {
    size_t size = slice_size(n - *at), n_sent = 0;
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(size * sizeof *calls);
    _cleanup_(mem_freep) struct pending_score **sent = mem_zalloc(size * sizeof *sent);
    enum status status = STATUS_OK;

    for (; *at < n && n_sent < size; ++*at)
        if (!pending[*at].done) {
            sent[n_sent] = &pending[*at];
            dynamodb_call_init(&calls[n_sent++], "UpdateItem", score_body(d, &pending[*at], watermark));
        }
    run_writes(d, calls, n_sent, context);

    for (size_t i = 0; i < n_sent; i++) {
        struct error another;
        enum status one =
            settle_score(d, sent[i], &calls[i], watermark, context, round, status ? &another : e);
        status = status ? status : one;
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static enum status send_scores_once(struct store_dynamodb *d, struct pending_score *pending, size_t n,
                                    const char *watermark, struct store_context *context, struct round *round,
                                    struct error *e) {
    enum status status = STATUS_OK;
    bool answers = true;
    for (size_t at = 0; !status && answers && at < n;) {
        struct round slice = {0};
        int throttles = context->throttles;
        status = send_scores(d, pending, n, &at, watermark, context, &slice, e);
        answers = add_slice(round, &slice, context->throttles > throttles);
    }
    return status;
}

static bool all_done(const struct pending_score *pending, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!pending[i].done)
            return false;
    return true;
}

/* Such a row may be gone, and its watermarks with it: a write could count again. Nobody reads it: it is not
 * written, which counts as done. */
static bool has_expired(const struct store_score_write *w, const struct store_context *context) {
    return context->now_ms && period_expires_ms(w->board.period) <= context->now_ms;
}

static enum status write_scores(struct store_dynamodb *d, const struct store_batch *batch,
                                struct store_context *context, struct error *e) {
    _cleanup_(mem_freep) struct pending_score *pending = mem_zalloc(batch->n_scores * sizeof *pending);
    char watermark[STORE_DYNAMODB_WATERMARK_SIZE];
    enum status status = STATUS_OK;

    store_dynamodb_watermark_name(batch->shard_id, watermark);
    for (size_t i = 0; i < batch->n_scores; i++)
        pending[i] = (struct pending_score){&batch->scores[i],
                                            batch->scores_written ? &batch->scores_written[i] : NULL, 0,
                                            has_expired(&batch->scores[i], context)};
    for (int n = 0; !status && !all_done(pending, batch->n_scores); n++) {
        struct round round = {0};
        status = send_scores_once(d, pending, batch->n_scores, watermark, context, &round, e);
        if (!status && !may_continue(&round, n)) {
            *e = round.error;
            status = STATUS_RETRY;
        }
    }
    return status;
}

/* 4. Contributions. */

static json_t *contribution_body(const struct store_dynamodb *d, const struct packed *packed) {
    const struct contribution row = packed_row(packed);
    const char *old = packed_old_last_event_id(packed);
    json_t *body =
        json_pack("{s:s,s:o,s:s}", "TableName", d->contributions_table, "Item", rows_contribution_item(&row),
                  "ConditionExpression", old ? "#last = :old" : "attribute_not_exists(#last)");
    dynamodb_name(body, "#last", "lastEventId");
    if (old)
        dynamodb_value(body, ":old", dynamodb_s(old));
    return body;
}

/* A row that is being written. */
struct pending_row {
    const struct packed *packed;
    bool *written; /* may be NULL */
    bool done;
};

/* Any other failure replaces a conflict, because its status is more important to the caller. */
static enum status worse(enum status a, enum status b) {
    return a == STATUS_OK || (a == STATUS_CONFLICT && b != STATUS_OK) ? b : a;
}

static enum status settle_row(const struct store_dynamodb *d, struct pending_row *p,
                              const struct aws_call *call, enum status so_far, struct round *round,
                              struct error *e) {
    struct error failure = call->error;
    p->done = call->status != STATUS_RETRY;
    round->progress |= p->done;
    if (!call->status) {
        mark(p->written);
        return so_far;
    }
    error_wrap(&failure, "cannot write '%s' to table '%s'", shorten(packed_product_id(p->packed)).text,
               d->contributions_table);
    if (call->status == STATUS_RETRY) {
        note_failure(round, &failure);
        return so_far;
    }
    enum status now = worse(so_far, call->status);
    if (now != so_far)
        *e = failure;
    return now;
}

/* One slice of those from `*at` on. `status` is that of the slices before. */
static enum status send_rows(struct store_dynamodb *d, struct pending_row *pending, size_t n, size_t *at,
                             enum status status, struct store_context *context, struct round *round,
                             struct error *e) {
    size_t size = slice_size(n - *at), n_sent = 0;
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(size * sizeof *calls);
    _cleanup_(mem_freep) struct pending_row **sent = mem_zalloc(size * sizeof *sent);

    for (; *at < n && n_sent < size; ++*at)
        if (!pending[*at].done) {
            sent[n_sent] = &pending[*at];
            dynamodb_call_init(&calls[n_sent++], "PutItem", contribution_body(d, pending[*at].packed));
        }
    run_writes(d, calls, n_sent, context);
    for (size_t i = 0; i < n_sent; i++) {
        status = settle_row(d, sent[i], &calls[i], status, round, e);
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

/* A row that conflicts is done; the others are still written. */
static enum status send_rows_once(struct store_dynamodb *d, struct pending_row *pending, size_t n,
                                  struct store_context *context, struct round *round, struct error *e) {
    enum status status = STATUS_OK;
    bool answers = true;
    for (size_t at = 0; (!status || status == STATUS_CONFLICT) && answers && at < n;) {
        struct round slice = {0};
        int throttles = context->throttles;
        status = send_rows(d, pending, n, &at, status, context, &slice, e);
        answers = add_slice(round, &slice, context->throttles > throttles);
    }
    return status;
}

static bool all_rows_done(const struct pending_row *pending, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!pending[i].done)
            return false;
    return true;
}

static enum status write_contributions(struct store_dynamodb *d, const struct store_batch *batch,
                                       struct store_context *context, struct error *e) {
    size_t n_rows = batch->n_contributions;
    _cleanup_(mem_freep) struct pending_row *pending = mem_zalloc(n_rows * sizeof *pending);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < n_rows; i++)
        pending[i] = (struct pending_row){
            batch->contributions[i], batch->contributions_written ? &batch->contributions_written[i] : NULL,
            false};
    for (int n = 0; !status && !all_rows_done(pending, n_rows); n++) {
        struct round round = {0};
        status = send_rows_once(d, pending, n_rows, context, &round, e);
        if (!status && !may_continue(&round, n)) {
            *e = round.error;
            status = STATUS_RETRY;
        }
    }
    return status;
}

/* All scores are written before any contribution: a replay takes the events of a row that was written for
 * duplicates, so credit that was not counted by then would be lost. */
enum status store_dynamodb_write_batch(struct store *store, const struct store_batch *batch,
                                       struct store_context *context, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    enum status status = write_scores(d, batch, context, e);
    if (!status)
        status = write_contributions(d, batch, context, e);
    return status;
}
