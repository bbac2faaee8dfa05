/*
 * Boards, read from the index of scores: rows in order, ranks, and counts.
 *
 * A board of N partitions (--board-partitions) is merged from N queries, side by side. Its order, down: score
 * descending, then partition descending, then the index's own order; up is the same backwards. A
 * contributor's partition follows from the userId, so a place is a score and a userId whatever N is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* A partition while it is read. */
struct partition {
    json_t *query; /* for its next rows; NULL: it has no more */
    json_t *rows;  /* of the last page: those from `at` on are left */
    size_t at;
    int64_t score; /* of the first that is left */
};

struct merge {
    struct store_dynamodb *d;
    enum store_direction direction;
    size_t n;
    struct partition *partitions;
};

/* Which rows of a board: all, or by their score; and from where on. */
struct range {
    const char *condition; /* " AND #s > :s", of `score`; NULL: all */
    int64_t score;
    const struct store_place *from; /* NULL: from the first on; only without a condition */
};

static size_t count_partitions(const struct store_dynamodb *d) {
    return d->store.shape.board_partitions > 1 ? d->store.shape.board_partitions : 1;
}

static bool is_partitioned(const struct store_dynamodb *d) {
    return count_partitions(d) > 1;
}

static const char *index_name(const struct store_dynamodb *d) {
    return is_partitioned(d) ? SCORES_BY_BOARD : SCORES_INDEX;
}

/* The index's hash key of a partition: a name and its value. */
static const char *partition_key(const struct store_dynamodb *d, const struct board *board, size_t partition,
                                 char out[ROWS_PARTITION_SIZE]) {
    if (is_partitioned(d))
        rows_partition_format(board, (unsigned)partition, out);
    else
        board_format(board, out);
    return is_partitioned(d) ? "board" : "role";
}

static json_t *index_query(const struct store_dynamodb *d, const struct board *board, size_t partition,
                           enum store_direction direction) {
    char key[ROWS_PARTITION_SIZE];
    const char *name = partition_key(d, board, partition, key);
    json_t *body = json_pack("{s:s,s:s,s:b,s:s}", "TableName", d->scores_table, "IndexName", index_name(d),
                             "ScanIndexForward", direction == STORE_UP, "KeyConditionExpression", "#k = :k");
    dynamodb_name(body, "#k", name);
    dynamodb_value(body, ":k", dynamodb_s(key));
    return body;
}

static void set_condition(json_t *body, const char *condition, int64_t score) {
    _cleanup_(mem_freep) char *whole = mem_printf("#k = :k%s", condition);
    json_object_set_new(body, "KeyConditionExpression", json_string(whole));
    dynamodb_name(body, "#s", "score");
    dynamodb_value(body, ":s", dynamodb_n(score));
}

/* Starts after a place in its own partition. ExclusiveStartKey is made of the keys of the index and of the
 * table (API reference, Query). It is a place in their order; no item need be there. */
static void set_start(const struct store_dynamodb *d, json_t *body, const struct board *board,
                      size_t partition, const struct store_place *from) {
    char key[ROWS_PARTITION_SIZE];
    const char *name = partition_key(d, board, partition, key);
    json_t *start = rows_score_key(from->user_id, board);
    json_object_set_new(start, name, dynamodb_s(key));
    json_object_set_new(start, "score", dynamodb_n(from->score));
    json_object_set_new(body, "ExclusiveStartKey", start);
}

/* Starts in partition `k` after a place in partition `home`: with the rows of its score or after them. */
static void start_after(const struct merge *m, json_t *body, const struct board *board, size_t k, size_t home,
                        const struct store_place *from) {
    bool down = m->direction == STORE_DOWN, is_later = down ? k < home : k > home;
    if (k == home)
        set_start(m->d, body, board, k, from);
    else if (is_later)
        set_condition(body, down ? " AND #s <= :s" : " AND #s >= :s", from->score);
    else
        set_condition(body, down ? " AND #s < :s" : " AND #s > :s", from->score);
}

static void merge_init(struct merge *m, struct store_dynamodb *d, const struct board *board,
                       enum store_direction direction, const struct range *range) {
    *m = (struct merge){.d = d, .direction = direction, .n = count_partitions(d)};
    m->partitions = mem_zalloc(m->n * sizeof *m->partitions);
    size_t home = range->from ? rows_partition_of(range->from->user_id, (unsigned)m->n) : 0;
    for (size_t k = 0; k < m->n; k++) {
        json_t *body = index_query(d, board, k, direction);
        if (range->condition)
            set_condition(body, range->condition, range->score);
        if (range->from)
            start_after(m, body, board, k, home, range->from);
        m->partitions[k].query = body;
    }
}

static void merge_deinit(struct merge *m) {
    for (size_t k = 0; k < m->n; k++) {
        json_decref(m->partitions[k].query);
        json_decref(m->partitions[k].rows);
    }
    free(m->partitions);
}

static json_t *head(const struct partition *p) {
    return json_array_get(p->rows, p->at);
}

/* No row is left, and it may have more. */
static bool is_open(const struct partition *p) {
    return p->query && !head(p);
}

static void set_head(struct partition *p, size_t at) {
    p->at = at;
    p->score = 0; /* a row without a score is refused when it is returned */
    dynamodb_get_n(head(p), "score", &p->score);
}

static enum status take_page(struct partition *p, struct aws_call *call, struct error *e) {
    if (call->status) {
        *e = call->error;
        return call->status;
    }
    json_decref(p->rows);
    p->rows = json_incref(json_object_get(call->reply, "Items"));
    set_head(p, 0);
    if (!dynamodb_next_page(p->query, call->reply)) {
        json_decref(p->query);
        p->query = NULL;
    }
    return STATUS_OK;
}

/* Of several partitions more rows are read than are returned, so that one round of queries is mostly enough.
 */
static json_int_t page_size(const struct merge *m, size_t left) {
    return (json_int_t)(m->n == 1 ? left : 2 * left / m->n + 2);
}

/* Reads the next page of each open partition, side by side. */
static enum status refill(struct merge *m, size_t left, const struct aws_run *run, struct error *e) {
    _cleanup_(mem_freep) struct aws_call *calls = mem_alloc(m->n * sizeof *calls);
    _cleanup_(mem_freep) struct partition **open = mem_alloc(m->n * sizeof *open);
    enum status status = STATUS_OK;
    size_t n = 0;
    for (size_t k = 0; k < m->n; k++)
        if (is_open(&m->partitions[k])) {
            json_t *body = json_copy(m->partitions[k].query);
            json_object_set_new(body, "Limit", json_integer(page_size(m, left)));
            open[n] = &m->partitions[k];
            dynamodb_call_init(&calls[n++], "Query", body);
        }
    if (n)
        dynamodb_run(m->d->client, calls, n, run);
    for (size_t i = 0; i < n; i++) {
        struct error another;
        enum status one = take_page(open[i], &calls[i], status ? &another : e);
        status = status ? status : one;
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static bool any_open(const struct merge *m) {
    for (size_t k = 0; k < m->n; k++)
        if (is_open(&m->partitions[k]))
            return true;
    return false;
}

/* The partition whose first row is the next of the board; NULL: there are no more. Equal scores: the last
 * partition is first down, the first one up. */
static struct partition *next_partition(const struct merge *m) {
    struct partition *best = NULL;
    for (size_t k = 0; k < m->n; k++) {
        struct partition *p = &m->partitions[k];
        bool precedes =
            !best || (m->direction == STORE_DOWN ? p->score >= best->score : p->score < best->score);
        if (head(p) && precedes)
            best = p;
    }
    return best;
}

/* Appends the next rows to `items`, until it has `limit` or there are no more. */
static enum status take_rows(struct merge *m, size_t limit, const struct aws_run *run, json_t *items,
                             struct error *e) {
    while (json_array_size(items) < limit) {
        if (any_open(m)) {
            enum status status = refill(m, limit - json_array_size(items), run, e);
            if (status)
                return store_dynamodb_read_failed(e, m->d->scores_table, index_name(m->d));
            continue; /* a page may be empty, and not the last */
        }
        struct partition *p = next_partition(m);
        if (!p)
            return STATUS_OK;
        json_array_append(items, head(p));
        set_head(p, p->at + 1);
    }
    return STATUS_OK;
}

/* Rows of a board as items: a new array, or NULL. */
static enum status read_rows(struct store_dynamodb *d, const struct board *board,
                             enum store_direction direction, const struct range *range, size_t limit,
                             int64_t deadline_boot_ms, json_t **items, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    _cleanup_(merge_deinit) struct merge m;
    merge_init(&m, d, board, direction, range);
    *items = json_array();
    enum status status = take_rows(&m, limit, &run, *items, e);
    if (!status)
        return STATUS_OK;
    json_decref(*items);
    *items = NULL;
    return error_wrap(e, "cannot read a board of role '%s' from table '%s'", role_name(board->role),
                      d->scores_table);
}

enum status store_dynamodb_read_board(struct store *store, const struct board *board,
                                      const struct store_place *from, enum store_direction direction,
                                      size_t limit, int64_t deadline_boot_ms, struct store_board *rows,
                                      struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct range range = {.from = from};
    json_auto_t *items = NULL;
    *rows = (struct store_board){0};
    enum status status = read_rows(d, board, direction, &range, limit, deadline_boot_ms, &items, e);
    if (status)
        return status;
    rows->items = mem_alloc(json_array_size(items) * sizeof *rows->items);
    for (; !status && rows->n < json_array_size(items); rows->n += status == STATUS_OK)
        status = store_dynamodb_parse_score(d, json_array_get(items, rows->n), board->role,
                                            &rows->items[rows->n], e);
    if (status)
        store_board_deinit(rows);
    return status;
}

/* Ranks. */

static size_t count_contributors(const struct board *board, const json_t *items, const char *except) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *user_id = dynamodb_get_s(json_array_get(items, i), "userId");
        n += user_id && role_is_listed(board->role, user_id) && strcmp(user_id, except) != 0;
    }
    return n;
}

enum status store_dynamodb_read_rank(struct store *store, const struct board *board, int64_t score,
                                     const char *user_id, size_t max, int64_t deadline_boot_ms, size_t *above,
                                     bool *tied, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct range higher = {" AND #s > :s", score, NULL}, equal = {" AND #s = :s", score, NULL};
    json_auto_t *higher_items = NULL, *equal_items = NULL;
    enum { SELF_AND_UNKNOWN = 2 };

    enum status status =
        read_rows(d, board, STORE_DOWN, &higher, max + SELF_AND_UNKNOWN, deadline_boot_ms, &higher_items, e);
    if (!status)
        status =
            read_rows(d, board, STORE_DOWN, &equal, 1 + SELF_AND_UNKNOWN, deadline_boot_ms, &equal_items, e);
    if (status)
        return status;
    size_t n = count_contributors(board, higher_items, user_id);
    *above = n < max ? n : max;
    *tied = count_contributors(board, equal_items, user_id) > 0;
    return STATUS_OK;
}

/* One page: LIMIT_RANK_PAGE_ROWS rows of one partition after another, each from its best. */

static enum status count_items(const struct store_dynamodb *d, const struct board *board, const json_t *items,
                               struct store_score_counts *counts, struct error *e) {
    enum status status = STATUS_OK;
    counts->items = mem_alloc((json_array_size(items) + 1) * sizeof *counts->items);
    for (size_t i = 0; !status && i < json_array_size(items); i++) {
        struct store_score row;
        status = store_dynamodb_parse_score(d, json_array_get(items, i), board->role, &row, e);
        if (!status && role_is_listed(board->role, row.user_id))
            store_score_counts_add(counts, row.score, 1);
        store_score_deinit(&row);
    }
    counts->rows = json_array_size(items);
    return status;
}

/* Where the next page begins. */
static enum status move_on(const struct store_dynamodb *d, struct store_pass *pass, const json_t *reply,
                           struct error *e) {
    const json_t *last = json_object_get(reply, "LastEvaluatedKey");
    const char *user_id = dynamodb_get_s(last, "userId");
    store_pass_deinit(pass);
    if (!json_object_size(last)) {
        pass->is_done = ++pass->partition == count_partitions(d);
        return STATUS_OK;
    }
    if (!user_id || !dynamodb_get_n(last, "score", &pass->score))
        return error_set(e, STATUS_FAILED, "table '%s' continues a page at no row", d->scores_table);
    pass->user_id = mem_strdup(user_id);
    return STATUS_OK;
}

enum status store_dynamodb_count_board(struct store *store, const struct board *board,
                                       struct store_pass *pass, int64_t deadline_boot_ms,
                                       struct store_score_counts *out, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    const struct store_place from = {pass->score, pass->user_id};
    json_auto_t *reply = NULL;
    json_t *body = index_query(d, board, pass->partition, STORE_DOWN);
    json_object_set_new(body, "Limit", json_integer(LIMIT_RANK_PAGE_ROWS));
    if (pass->user_id)
        set_start(d, body, board, pass->partition, &from);
    *out = (struct store_score_counts){0};
    enum status status = dynamodb_once(d->client, "Query", body, &run, &reply, e);
    if (status) {
        store_dynamodb_read_failed(e, d->scores_table, index_name(d));
        return error_wrap(e, "cannot count role '%s' in table '%s'", role_name(board->role), d->scores_table);
    }
    status = count_items(d, board, json_object_get(reply, "Items"), out, e);
    out->units = dynamodb_units(json_object_get(reply, "ConsumedCapacity"));
    if (!status)
        status = move_on(d, pass, reply, e);
    if (status)
        store_score_counts_deinit(out);
    return status;
}
