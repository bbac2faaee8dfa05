#include "views/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "base/service_clock.h"
#include "views/credits.h"
#include "views/fold.h"

static struct metrics_family sales_family = {
    .name = "winner_view_sales_total",
    .help = "Purchases that were newly counted. One whose write had no answer is not in it.",
    .kind = METRICS_COUNTER,
};

/* A product's row: in the cache, or taken out of it for the batch under way. */
struct row {
    struct contribution *contribution;
    char *old_last_event_id; /* in a batch: the store's; NULL: no such row, or the row has not changed */
    bool changed;
    struct earner *earners[ROLES]; /* in a batch: views/credits.h */
    size_t sales, last_sale;       /* in a batch: purchases that were applied, and the last one's record */
    size_t bytes;                  /* in the cache: its share of cache_bytes */
    UT_hash_handle hh;
};

struct apply {
    struct store *store;
    char *shard_id;
    const struct fence *fence;
    struct pulse *pulse;
    const struct apply_listener *listener;
    struct budget *budget;
    struct service_clock *clock;
    struct budget_claim claim; /* of the batch under way */
    bool in_doubt;             /* a batch failed: the store may have rows of it that it did not acknowledge */
    struct position doubt_end; /* of the last record that such a batch had */
    struct row *cache;         /* in the order of last use: uthash keeps insertion order */
    size_t cache_bytes, cache_max;
};

struct batch {
    const struct apply_record *records;
    size_t n;
    const struct store_checkpoint *checkpoint;
    struct store_context context;
    struct row *rows;
    struct row **row_of; /* of each record */
    struct credits *credits;
};

struct apply *apply_new(struct store *store, const char *shard_id, const struct fence *fence,
                        const struct apply_listener *listener, size_t cache_bytes) {
    struct apply *a = mem_zalloc(sizeof *a);
    a->store = store;
    a->shard_id = mem_strdup(shard_id);
    a->fence = fence;
    a->listener = listener;
    a->cache_max = cache_bytes;
    metrics_count(&sales_family, NULL, 0); /* increase() in PromQL lacks what a series begins with */
    return a;
}

void apply_set_pulse(struct apply *a, struct pulse *pulse) {
    a->pulse = pulse;
}

void apply_set_clock(struct apply *a, struct service_clock *clock) {
    a->clock = clock;
}

void apply_set_budget(struct apply *a, struct budget *budget) {
    a->budget = budget;
}

/* What a row has at most, besides texts: its parts, and what the allocator adds. */
enum { ROW_BYTES = sizeof(struct row) + sizeof(struct store_contribution_write) + 14 * 2 * sizeof(size_t) };

static size_t text_size(const char *text) {
    return text ? strlen(text) : 0;
}

/* A row has the event's id up to three times, its origin up to four times. */
size_t apply_cost(const struct view_shape *shape, const struct event *event, bool is_new_product,
                  bool is_new_period) {
    size_t cost = sizeof(struct row *);
    if (is_new_product)
        cost += ROW_BYTES + sizeof(struct contribution) + 3 * strlen(event->id) + strlen(event->product_id) +
                4 * strlen(event->origin);
    cost += text_size(event->name) + text_size(event->brand) + text_size(event->category) +
            text_size(event->image);
    return cost + credits_cost(shape, event, is_new_product, is_new_period);
}

static size_t row_size(const struct row *row) {
    return ROW_BYTES + contribution_size(row->contribution);
}

static void row_free(struct row *row) {
    contribution_free(row->contribution);
    free(row->old_last_event_id);
    free(row);
}

static void rows_free(struct row **rows) {
    struct row *row, *next;
    HASH_ITER(hh, *rows, row, next) {
        HASH_DEL(*rows, row);
        row_free(row);
    }
}

static void batch_deinit(struct batch *b) {
    rows_free(&b->rows);
    free(b->row_of);
    credits_free(b->credits);
}

void apply_free(struct apply *a) {
    if (!a)
        return;
    rows_free(&a->cache);
    free(a->shard_id);
    free(a);
}

static struct row *cache_take(struct apply *a, const char *product_id) {
    struct row *row;
    HASH_FIND_STR(a->cache, product_id, row);
    if (row) {
        HASH_DEL(a->cache, row);
        a->cache_bytes -= row->bytes;
    }
    return row;
}

static void cache_put(struct apply *a, struct row *row) {
    row->bytes = sizeof *row + contribution_size(row->contribution);
    a->cache_bytes += row->bytes;
    HASH_ADD_KEYPTR(hh, a->cache, row->contribution->product_id, strlen(row->contribution->product_id), row);

    while (a->cache_bytes > a->cache_max) {
        struct row *oldest = a->cache;
        HASH_DEL(a->cache, oldest);
        a->cache_bytes -= oldest->bytes;
        row_free(oldest);
    }
}

/* 1. Read. */

static void batch_add_row(struct batch *b, struct row *row) {
    HASH_ADD_KEYPTR(hh, b->rows, row->contribution->product_id, strlen(row->contribution->product_id), row);
}

static struct row *batch_find_row(const struct batch *b, const char *product_id) {
    struct row *row;
    HASH_FIND_STR(b->rows, product_id, row);
    return row;
}

/* Takes rows out of the cache. A row that is not cached stands empty in the batch, its id in `missing`. */
static size_t collect_rows(struct apply *a, struct batch *b, const char **missing) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const char *product_id = b->records[i].event.product_id;
        struct row *row = batch_find_row(b, product_id);
        if (!row && (row = cache_take(a, product_id)))
            batch_add_row(b, row);
        if (!row) {
            row = mem_zalloc(sizeof *row);
            row->contribution = contribution_new(product_id);
            missing[n++] = product_id;
            batch_add_row(b, row);
        }
        b->row_of[i] = row;
    }
    return n;
}

static void place_row(struct batch *b, struct contribution *contribution) {
    struct row *row = batch_find_row(b, contribution->product_id);
    HASH_DEL(b->rows, row);
    contribution_free(row->contribution);
    row->contribution = contribution;
    batch_add_row(b, row);
}

static enum status read_rows(struct apply *a, struct batch *b, struct error *e) {
    _cleanup_(mem_freep) const char **missing = mem_alloc(b->n * sizeof *missing);
    b->row_of = mem_alloc(b->n * sizeof *b->row_of);
    size_t n = collect_rows(a, b, missing);
    if (!n)
        return STATUS_OK;

    _cleanup_(mem_freep) struct contribution **found = mem_alloc(n * sizeof(struct contribution *));
    enum status status = store_read_contributions(a->store, missing, n, found, &b->context, e);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++)
        if (found[i])
            place_row(b, found[i]);
    return STATUS_OK;
}

/* 2. Fold. */

static void fold_record(struct batch *b, size_t i, struct apply_counts *counts) {
    const struct apply_record *record = &b->records[i];
    struct row *row = b->row_of[i];
    struct fold_credits credits;

    if (!row->changed && row->contribution->last_event_id && !row->old_last_event_id)
        row->old_last_event_id = mem_strdup(row->contribution->last_event_id);

    switch (fold_event(row->contribution, &record->event, &credits)) {
    case FOLD_DUPLICATE:
        counts->duplicate++;
        return;
    case FOLD_STALE:
        counts->stale++;
        return;
    case FOLD_APPLIED:
        counts->applied++;
        row->changed = true;
        break;
    }
    if (credits.user_id[ROLE_CREATOR]) { /* it was a purchase */
        row->sales++;
        row->last_sale = i;
        credits_earn(b->credits, &record->event, &record->position, &credits, row->earners);
    }
}

/* 3 and 4. Write. */

static size_t list_contributions(const struct batch *b, struct store_contribution_write *writes) {
    size_t n = 0;
    for (const struct row *row = b->rows; row; row = row->hh.next)
        if (row->changed)
            writes[n++] = (struct store_contribution_write){row->contribution, row->old_last_event_id};
    return n;
}

/* The records of a failed batch are in doubt until each was in a batch that the store acknowledged. */
static void note_doubt(struct apply *a, const struct batch *b, bool acknowledged) {
    const struct position *end = &b->records[b->n - 1].position;
    if (a->in_doubt && position_compare(end, &a->doubt_end) < 0)
        return;
    a->in_doubt = !acknowledged;
    a->doubt_end = *end;
}

/* Whose score was written, each once: a contributor's scores lie together. If all was written, the products
 * are in the list already. */
static void add_scored(const struct store_score_write *score, bool all, const char **products,
                       size_t *n_products, const char **users, size_t *n_users) {
    bool is_person = score->board.role < PEOPLE_ROLES, is_product = score->board.role == ROLE_PRODUCT;
    if (is_person && (!*n_users || users[*n_users - 1] != score->user_id))
        users[(*n_users)++] = score->user_id;
    if (is_product && !all && (!*n_products || products[*n_products - 1] != score->user_id))
        products[(*n_products)++] = score->user_id;
}

/* Reports what the store has acknowledged: all of the batch, or what is flagged. A failed batch may have
 * written a row and lost the answer. Its records, applied again, do not change that row: so while they are in
 * doubt, all rows are reported. */
static void report_changes(struct apply *a, const struct batch *b, const struct store_batch *batch,
                           bool all) {
    size_t max_products = HASH_COUNT(b->rows) + (all ? 0 : batch->n_scores);
    _cleanup_(mem_freep) const char **products = mem_alloc(max_products * sizeof *products);
    _cleanup_(mem_freep) const char **users = mem_alloc(batch->n_scores * sizeof *users);
    size_t n_products = 0, n_users = 0;

    for (size_t i = 0; i < batch->n_contributions; i++)
        if (all || batch->contributions_written[i])
            products[n_products++] = batch->contributions[i].row->product_id;
    for (const struct row *row = b->rows; all && a->in_doubt && row; row = row->hh.next)
        if (!row->changed)
            products[n_products++] = row->contribution->product_id;
    for (size_t i = 0; i < batch->n_scores; i++)
        if (all || batch->scores_written[i])
            add_scored(&batch->scores[i], all, products, &n_products, users, &n_users);
    note_doubt(a, b, all);
    if (a->listener && a->listener->rows_changed && (n_products || n_users))
        a->listener->rows_changed(a->listener->data, products, n_products, users, n_users);
}

/* What of a failed batch was written is a duplicate when its records are applied again: its sales are
 * reported now. */
static void report_sales(const struct apply *a, const struct batch *b, const struct store_batch *batch,
                         bool all) {
    struct apply_sales sales = {0};
    size_t i = 0, newest = 0;
    for (const struct row *row = b->rows; row; row = row->hh.next) {
        bool is_written = row->changed && (all || batch->contributions_written[i]);
        i += row->changed; /* as list_contributions lists them */
        if (!is_written || !row->sales)
            continue;
        sales.n += row->sales;
        if (sales.product && row->last_sale < newest)
            continue;
        newest = row->last_sale;
        sales.product = row->contribution;
    }
    if (!sales.n)
        return;
    metrics_count(&sales_family, NULL, (int64_t)sales.n);
    sales.time_ms = b->records[newest].event.time_ms;
    if (a->listener && a->listener->sold)
        a->listener->sold(a->listener->data, &sales);
}

/* Counted, not asked for: a batch that was read is applied, or no memory is ever given back. */
static void hold_memory(struct apply *a, const struct batch *b) {
    size_t bytes = b->n * sizeof *b->row_of;
    for (const struct row *row = b->rows; row; row = row->hh.next)
        bytes += row_size(row);
    bytes += credits_size(b->credits);
    budget_set(a->budget, &a->claim, bytes);
}

static enum status write_batch(struct apply *a, struct batch *b, struct error *e) {
    size_t n_scores = credits_count(b->credits), n_rows = HASH_COUNT(b->rows);
    _cleanup_(mem_freep) struct store_score_write *scores = mem_alloc(n_scores * sizeof *scores);
    _cleanup_(mem_freep) struct store_contribution_write *rows = mem_alloc(n_rows * sizeof *rows);
    _cleanup_(mem_freep) bool *written = mem_zalloc(n_scores + n_rows);
    struct store_batch batch = {
        .shard_id = a->shard_id,
        .scores = scores,
        .n_scores = n_scores,
        .contributions = rows,
        .n_contributions = list_contributions(b, rows),
        .checkpoint = b->checkpoint,
        .scores_written = written,
        .contributions_written = written + n_scores,
    };
    enum status status = STATUS_OK;
    credits_list(b->credits, scores);
    if (batch.n_contributions) /* none: all were duplicates */
        status = store_write_batch(a->store, &batch, &b->context, e);
    report_changes(a, b, &batch, status == STATUS_OK);
    report_sales(a, b, &batch, status == STATUS_OK);
    return status;
}

/* Only when all of the batch is acknowledged: else a later batch may be folded over a row that the store does
 * not have. */
static void keep_rows(struct apply *a, struct batch *b) {
    struct row *row, *next;
    HASH_ITER(hh, b->rows, row, next) {
        HASH_DEL(b->rows, row);
        free(row->old_last_event_id);
        row->old_last_event_id = NULL;
        row->changed = false;
        row->sales = 0;
        memset(row->earners, 0, sizeof row->earners);
        cache_put(a, row);
    }
}

/* By the service's clock, never ahead of it; 0: unknown. Our own clock proves nothing. */
static int64_t now_ms(const struct apply *a) {
    bool is_taught = a->clock && !service_clock_is_local(a->clock);
    int64_t now = is_taught ? service_clock_now(a->clock) : SERVICE_CLOCK_UNKNOWN;
    return now == SERVICE_CLOCK_UNKNOWN ? 0 : now;
}

static enum status apply_once(struct apply *a, const struct apply_record *records, size_t n,
                              const struct store_checkpoint *checkpoint, struct apply_counts *counts,
                              struct error *e) {
    _cleanup_(batch_deinit) struct batch b = {
        .records = records,
        .n = n,
        .checkpoint = checkpoint,
        .credits = credits_new(store_shape(a->store), a->shard_id),
        .context = {.fence = a->fence, .pulse = a->pulse, .now_ms = now_ms(a)},
    };
    *counts = (struct apply_counts){.throttles = counts->throttles};

    enum status status = read_rows(a, &b, e);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++)
        fold_record(&b, i, counts);
    hold_memory(a, &b);
    status = write_batch(a, &b, e);
    counts->throttles += b.context.throttles;
    if (!status)
        keep_rows(a, &b);
    return status;
}

enum status apply_batch(struct apply *a, const struct apply_record *records, size_t n,
                        const struct store_checkpoint *checkpoint, struct apply_counts *counts,
                        struct error *e) {
    enum status status = STATUS_OK;
    counts->throttles = 0;
    for (int round = 0; round < LIMIT_APPLY_ROUNDS; round++) {
        status = apply_once(a, records, n, checkpoint, counts, e);
        budget_set(a->budget, &a->claim, 0);
        if (status != STATUS_CONFLICT)
            return status;
    }
    error_wrap(e, "gave up after %d rounds: another worker keeps writing these products", LIMIT_APPLY_ROUNDS);
    return e->status = STATUS_RETRY;
}
