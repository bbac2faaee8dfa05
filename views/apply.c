#include "views/apply.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "base/service_clock.h"
#include "views/credits.h"
#include "views/fold.h"
#include "views/pace.h"
#include "views/row_cache.h"

static struct metrics_family sales_family = {
    .name = "winner_view_sales_total",
    .help = "Purchases that were newly counted. One whose write had no answer is not in it.",
    .kind = METRICS_COUNTER,
};

/* The batch under way. */
struct batch {
    struct credits *credits; /* NULL: not folded; there is no batch, or its rows are in doubt */
    struct apply_counts counts;
    size_t n;            /* records */
    struct position end; /* of the last one */

    /* To fold it again: the records. Else only what the credits need of them. */
    struct arena texts;
    const struct apply_record **records;
    size_t capacity;
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
    struct pace pace;
    bool in_doubt;             /* a batch failed: the store may have rows of it that it did not acknowledge */
    struct position doubt_end; /* of the last record that such a batch had */
    struct row_cache cache;
    struct batch batch;
};

struct apply *apply_new(struct store *store, const char *shard_id, const struct fence *fence,
                        const struct apply_listener *listener, size_t cache_bytes) {
    struct apply *a = mem_zalloc(sizeof *a);
    a->store = store;
    a->shard_id = mem_strdup(shard_id);
    a->fence = fence;
    a->listener = listener;
    pace_init(&a->pace);
    row_cache_init(&a->cache, cache_bytes);
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

void apply_free(struct apply *a) {
    if (!a)
        return;
    apply_drop(a);
    row_cache_deinit(&a->cache);
    free(a->shard_id);
    free(a);
}

/* Whether parts of a batch may be written, and it must be folded again then. */
static bool is_kept(const struct apply *a) {
    return store_has_watermarks(a->store);
}

/* The batch under way. */

size_t apply_size(const struct apply *a) {
    const struct batch *b = &a->batch;
    if (!b->n)
        return 0;
    return a->cache.held_bytes + a->cache.n_held * (sizeof(struct packed *) + sizeof(struct row *)) +
           (b->credits ? credits_size(b->credits) : 0) + arena_size(&b->texts) +
           b->capacity * sizeof *b->records;
}

static size_t count_rows(const struct apply *a) {
    return a->cache.n_held + (a->batch.credits ? credits_count(a->batch.credits) : 0);
}

bool apply_is_full(const struct apply *a) {
    return !is_kept(a) && count_rows(a) >= a->pace.rows;
}

/* Counted, not asked for: what was read is applied, or no memory is ever given back. */
static void hold_memory(struct apply *a) {
    size_t bytes = apply_size(a);
    row_cache_make_room(&a->cache, bytes);
    budget_set(a->budget, &a->claim, bytes);
}

/* What was folded. */
static void forget_rows(struct apply *a) {
    credits_free(a->batch.credits);
    a->batch.credits = NULL;
    a->batch.counts = (struct apply_counts){.throttles = a->batch.counts.throttles};
    row_cache_drop_held(&a->cache);
}

static void end_batch(struct apply *a) {
    struct batch *b = &a->batch;
    credits_free(b->credits);
    arena_clear(&b->texts);
    free(b->records);
    *b = (struct batch){0};
    hold_memory(a);
}

/* A backlog takes tens of megabytes, which the allocator would keep. */
static void return_memory(const struct apply *a, size_t bytes_before) {
    if (bytes_before - a->cache.kept_bytes >= LIMIT_RETURNED_BYTES)
        malloc_trim(0);
}

static void finish_batch(struct apply *a) {
    size_t bytes = apply_size(a) + a->cache.kept_bytes;
    row_cache_keep_held(&a->cache);
    end_batch(a);
    return_memory(a, bytes);
}

void apply_rest(struct apply *a) {
    size_t bytes = a->cache.kept_bytes;
    row_cache_rest(&a->cache);
    return_memory(a, bytes);
}

void apply_drop(struct apply *a) {
    forget_rows(a);
    if (a->batch.n)
        end_batch(a);
}

/* The strings of a record in one piece with it. */
static const struct apply_record *copy_record(struct arena *arena, const struct apply_record *record) {
    struct apply_record *copy = arena_alloc(arena, sizeof *copy);
    *copy = *record;
    const char **const texts[] = {&copy->event.id,   &copy->event.product_id, &copy->event.origin,
                                  &copy->event.name, &copy->event.brand,      &copy->event.category,
                                  &copy->event.image};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_strdup(arena, *texts[i]);
    return copy;
}

static const struct apply_record *keep_record(struct batch *b, const struct apply_record *record) {
    if (b->n == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 64;
        b->records = mem_resize(b->records, b->capacity, sizeof *b->records);
    }
    return b->records[b->n] = copy_record(&b->texts, record);
}

/* By the service's clock, never ahead of it; 0: unknown. Our own clock proves nothing. */
static int64_t now_ms(const struct apply *a) {
    bool is_taught = a->clock && !service_clock_is_local(a->clock);
    int64_t now = is_taught ? service_clock_now(a->clock) : SERVICE_CLOCK_UNKNOWN;
    return now == SERVICE_CLOCK_UNKNOWN ? 0 : now;
}

static struct store_context make_context(const struct apply *a) {
    return (struct store_context){.fence = a->fence, .pulse = a->pulse, .now_ms = now_ms(a)};
}

/* 1. Read. */

/* Rows that are not here, in the order in which they are asked for. */
struct missing {
    struct row **rows;
    const char **ids;
    size_t n;
};

static void missing_deinit(struct missing *m) {
    free(m->rows);
    free(m->ids);
}

/* Holds the rows of these records: `row_of` each. One that is not here stands empty. */
static void hold_rows(struct apply *a, const struct apply_record *const records[], size_t n,
                      struct row *row_of[], struct missing *missing) {
    _cleanup_(mem_freep) const char **ids = mem_alloc(n * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = records[i]->event.product_id;
    row_cache_find_all(&a->cache, ids, n, row_of);
    for (size_t i = 0; i < n; i++) {
        if (!row_of[i])
            row_of[i] = row_cache_find(&a->cache, ids[i]); /* perhaps added meanwhile */
        if (row_of[i]) {
            row_cache_hold(&a->cache, row_of[i]);
            continue;
        }
        row_of[i] = row_cache_add(&a->cache, &(struct contribution){.product_id = ids[i]});
        missing->rows[missing->n] = row_of[i];
        missing->ids[missing->n++] = packed_product_id(row_of[i]->packed);
    }
}

static enum status read_missing(struct apply *a, const struct missing *missing, struct error *e) {
    _cleanup_(mem_freep) struct contribution **found = mem_alloc(missing->n * sizeof(struct contribution *));
    struct store_context context = make_context(a);
    enum status status = store_read_contributions(a->store, missing->ids, missing->n, found, &context, e);
    a->batch.counts.throttles += context.throttles;
    for (size_t i = 0; i < missing->n; i++) {
        if (status) {
            row_cache_drop(&a->cache, missing->rows[i]);
        } else if (found[i]) {
            row_cache_fill(&a->cache, missing->rows[i], found[i]);
            contribution_free(found[i]);
        }
    }
    return status;
}

static enum status read_rows(struct apply *a, const struct apply_record *const records[], size_t n,
                             struct row *row_of[], struct error *e) {
    _cleanup_(missing_deinit) struct missing missing = {mem_alloc(n * sizeof *missing.rows),
                                                        mem_alloc(n * sizeof *missing.ids), 0};
    hold_rows(a, records, n, row_of, &missing);
    return missing.n ? read_missing(a, &missing, e) : STATUS_OK;
}

/* 2. Fold. */

static void earn(struct apply *a, struct row *row, const struct apply_record *record, size_t place,
                 const struct fold_credits *credits) {
    const struct event *event = &record->event;
    const struct credits_sale sale = {
        .product_id = event->product_id,
        .time_ms = event->time_ms,
        .period_time_ms = fold_period_time(event),
        .origin = is_kept(a) ? event->origin : arena_strdup(&a->batch.texts, event->origin),
        .position = is_kept(a) ? &record->position : NULL,
    };
    row->n_sales++;
    row->last_sale = (uint32_t)place;
    row->last_sale_ms = event->time_ms;
    credits_earn(a->batch.credits, &sale, credits, row->earners);
}

static void fold_record(struct apply *a, struct row *row, const struct apply_record *record, size_t place) {
    struct apply_counts *counts = &a->batch.counts;
    struct contribution contribution = packed_row(row->packed);
    struct fold_credits credits;

    switch (fold_event(&contribution, &record->event, &credits)) {
    case FOLD_DUPLICATE:
        counts->duplicate++;
        return;
    case FOLD_STALE:
        counts->stale++;
        return;
    case FOLD_APPLIED:
        counts->applied++;
        break;
    }
    if (credits.user_id[ROLE_CREATOR]) /* it was a purchase; by ids in the row, whose texts move below */
        earn(a, row, record, place, &credits);
    row_cache_change(&a->cache, row, &contribution);
}

/* In order. `place`: of the first in the batch. */
static void fold_records(struct apply *a, const struct apply_record *const records[], size_t n,
                         struct row *const row_of[], size_t place) {
    if (!a->batch.credits)
        a->batch.credits = credits_new(store_shape(a->store), a->shard_id);
    for (size_t i = 0; i < n; i++)
        fold_record(a, row_of[i], records[i], place + i);
}

/* After a write that failed. */
static enum status fold_again(struct apply *a, struct error *e) {
    struct batch *b = &a->batch;
    _cleanup_(mem_freep) struct row **row_of = mem_alloc(b->n * sizeof *row_of);
    enum status status = read_rows(a, b->records, b->n, row_of, e);
    if (!status)
        fold_records(a, b->records, b->n, row_of, 0);
    return status;
}

enum status apply_add(struct apply *a, const struct apply_record *records, size_t n, struct error *e) {
    struct batch *b = &a->batch;
    _cleanup_(mem_freep) const struct apply_record **added = mem_alloc(n * sizeof *added);
    _cleanup_(mem_freep) struct row **row_of = mem_alloc(n * sizeof *row_of);
    for (size_t i = 0; i < n; i++)
        added[i] = &records[i];
    enum status status = b->n && !b->credits ? fold_again(a, e) : STATUS_OK;
    if (!status)
        status = read_rows(a, added, n, row_of, e);
    if (status || !n)
        return status;
    size_t place = b->n;
    for (size_t i = 0; i < n; i++, b->n++)
        if (is_kept(a))
            added[i] = keep_record(b, &records[i]);
    b->end = records[n - 1].position;
    fold_records(a, added, n, row_of, place);
    hold_memory(a);
    return STATUS_OK;
}

/* 3 and 4. Write. */

static size_t list_changed(const struct apply *a, const struct row **rows, struct packed **packed) {
    const struct row *row;
    size_t n = 0;
    DL_FOREACH2(a->cache.held, row, later) {
        if (row->packed->has_changed) {
            packed[n] = row->packed;
            rows[n++] = row;
        }
    }
    return n;
}

/* The records of a failed batch are in doubt until each was in a batch that the store acknowledged. */
static void note_doubt(struct apply *a, bool acknowledged) {
    const struct position *end = &a->batch.end;
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
static void report_changes(struct apply *a, const struct store_batch *batch, bool all) {
    size_t max_products = a->cache.n_held + (all ? 0 : batch->n_scores);
    _cleanup_(mem_freep) const char **products = mem_alloc(max_products * sizeof *products);
    _cleanup_(mem_freep) const char **users = mem_alloc(batch->n_scores * sizeof *users);
    size_t n_products = 0, n_users = 0;
    const struct row *row;

    for (size_t i = 0; i < batch->n_contributions; i++)
        if (all || batch->contributions_written[i])
            products[n_products++] = packed_product_id(batch->contributions[i]);
    DL_FOREACH2(a->cache.held, row, later) {
        if (all && a->in_doubt && !row->packed->has_changed)
            products[n_products++] = packed_product_id(row->packed);
    }
    for (size_t i = 0; i < batch->n_scores; i++)
        if (all || batch->scores_written[i])
            add_scored(&batch->scores[i], all, products, &n_products, users, &n_users);
    note_doubt(a, all);
    if (a->listener && a->listener->rows_changed && (n_products || n_users))
        a->listener->rows_changed(a->listener->data, products, n_products, users, n_users);
}

/* What of a failed batch was written is a duplicate when its records are applied again: its sales are
 * reported now. */
static void report_sales(const struct apply *a, const struct store_batch *batch, bool all,
                         const struct row *const rows[]) {
    struct apply_sales sales = {0};
    struct contribution product;
    const struct row *newest = NULL;
    for (size_t i = 0; i < batch->n_contributions; i++) {
        bool is_written = all || batch->contributions_written[i];
        if (!is_written || !rows[i]->n_sales)
            continue;
        sales.n += rows[i]->n_sales;
        if (!newest || rows[i]->last_sale >= newest->last_sale)
            newest = rows[i];
    }
    if (!newest)
        return;
    product = packed_row(newest->packed);
    sales.product = &product;
    sales.time_ms = newest->last_sale_ms;
    metrics_count(&sales_family, NULL, (int64_t)sales.n);
    if (a->listener && a->listener->sold)
        a->listener->sold(a->listener->data, &sales);
}

static enum status write_batch(struct apply *a, const struct store_checkpoint *checkpoint, struct error *e) {
    size_t n_scores = credits_count(a->batch.credits), n_rows = a->cache.n_held;
    _cleanup_(mem_freep) struct store_score_write *scores = mem_alloc(n_scores * sizeof *scores);
    _cleanup_(mem_freep) const struct row **rows = mem_alloc(n_rows * sizeof *rows);
    _cleanup_(mem_freep) struct packed **packed = mem_alloc(n_rows * sizeof *packed);
    _cleanup_(mem_freep) bool *written = mem_zalloc(n_scores + n_rows);
    struct store_batch batch = {
        .shard_id = a->shard_id,
        .scores = scores,
        .n_scores = n_scores,
        .contributions = packed,
        .n_contributions = list_changed(a, rows, packed),
        .checkpoint = checkpoint,
        .scores_written = written,
        .contributions_written = written + n_scores,
    };
    struct store_context context = make_context(a);
    enum status status = STATUS_OK;
    int64_t began_ms = clock_boot_ms();
    credits_list(a->batch.credits, scores);
    if (batch.n_contributions) /* none: all were duplicates */
        status = store_write_batch(a->store, &batch, &context, e);
    pace_note(&a->pace, n_scores + n_rows, clock_boot_ms() - began_ms);
    a->batch.counts.throttles += context.throttles;
    report_changes(a, &batch, status == STATUS_OK);
    report_sales(a, &batch, status == STATUS_OK, rows);
    return status;
}

/* Rows count as kept only when all of the batch is acknowledged: else a later batch may be folded over a row
 * that the store does not have. */
static enum status write_once(struct apply *a, const struct store_checkpoint *checkpoint, struct error *e) {
    enum status status = a->batch.credits ? STATUS_OK : fold_again(a, e);
    if (!status)
        status = write_batch(a, checkpoint, e);
    if (status && is_kept(a))
        forget_rows(a);
    hold_memory(a);
    return status;
}

enum status apply_write(struct apply *a, const struct store_checkpoint *checkpoint,
                        struct apply_counts *counts, struct error *e) {
    enum status status = STATUS_CONFLICT;
    *counts = (struct apply_counts){0};
    if (!a->batch.n)
        return STATUS_OK;
    for (int round = 0; status == STATUS_CONFLICT && round < (is_kept(a) ? LIMIT_APPLY_ROUNDS : 1); round++)
        status = write_once(a, checkpoint, e);
    *counts = a->batch.counts;
    a->batch.counts.throttles = 0;
    if (!status)
        finish_batch(a);
    if (status != STATUS_CONFLICT || !is_kept(a))
        return status;
    error_wrap(e, "gave up after %d rounds: another worker keeps writing these products", LIMIT_APPLY_ROUNDS);
    return e->status = STATUS_RETRY;
}
