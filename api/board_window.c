#include "api/board_window.h"

#include <string.h>

#include "base/mem.h"

/* How often a window is read again because the contributor was not in its middle. */
enum { ROUNDS = 3 };

void board_window_deinit(struct board_window *w) {
    store_board_deinit(&w->rows);
    *w = (struct board_window){0};
}

static void drop_unknown(enum role role, struct store_board *rows) {
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        struct store_score row = rows->items[i];
        if (role_is_listed(role, row.user_id))
            rows->items[n++] = row;
        else
            store_score_deinit(&row);
    }
    rows->n = n;
}

static void reverse(struct store_board *rows) {
    for (size_t i = 0, k = rows->n; i + 1 < k; i++) {
        struct store_score row = rows->items[i];
        rows->items[i] = rows->items[--k];
        rows->items[k] = row;
    }
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static struct store_place place_of(const struct store_score *row) {
    return (struct store_place){row->score, row->user_id};
}

static enum status read_rows(const struct route_load *load, const struct board *board,
                             const struct store_place *from, enum store_direction direction, size_t limit,
                             struct store_board *rows, struct error *e) {
    return store_read_board(load->view->store, board, from, direction, limit, load->deadline_ms, rows, e);
}

/* Two rows more than the page shows: UNKNOWN may be among them, and the row after the last shows whether the
 * last is tied and whether there is a next page. */
enum status board_window_read(const struct route_load *load, const struct board *board,
                              const struct listing_page *page, struct board_window *w, struct error *e) {
    const struct store_place from = {page->from.score, page->from.after};
    enum store_direction direction = page->from.up ? STORE_UP : STORE_DOWN;
    enum status status =
        read_rows(load, board, page->is_first ? NULL : &from, direction, page->limit + 2, &w->rows, e);
    if (status != STATUS_OK)
        return status;
    w->at_top = page->is_first || (page->from.up && w->rows.n < page->limit + 2);
    drop_unknown(board->role, &w->rows);
    w->n = least(w->rows.n, page->limit);
    if (page->from.up) {
        reverse(&w->rows);
        w->first = w->rows.n - w->n;
    }
    return STATUS_OK;
}

/* Around a contributor. */

struct search {
    const struct route_load *load;
    const struct board *board;
    const char *user_id;
    size_t above, below; /* rows to show */
};

static bool find(const struct store_board *rows, const char *user_id, size_t *at) {
    for (*at = 0; *at < rows->n; ++*at)
        if (strcmp(rows->items[*at].user_id, user_id) == 0)
            return true;
    return false;
}

/* Moves `more` to the end of `rows`, but for contributors that are in `rows` already: they moved down between
 * the two reads. */
static void append(struct store_board *rows, struct store_board *more) {
    size_t at;
    rows->items = mem_resize(rows->items, rows->n + more->n + 1, sizeof *rows->items);
    for (size_t i = 0; i < more->n; i++) {
        struct store_score *row = &more->items[i];
        if (find(rows, row->user_id, &at))
            store_score_deinit(row);
        else
            rows->items[rows->n++] = *row;
    }
    more->n = 0;
    store_board_deinit(more);
}

/* The rows around a place, which include its own: the second read begins after the row above it. `*split`:
 * how many are above. */
static enum status read_around(const struct search *s, const struct store_place *place,
                               struct board_window *w, size_t *split, struct error *e) {
    struct store_board below = {0};
    const size_t limit = s->above + 2;
    enum status status = read_rows(s->load, s->board, place, STORE_UP, limit, &w->rows, e);
    if (status != STATUS_OK)
        return status;
    w->at_top = w->rows.n < limit;
    const struct store_place from = w->rows.n ? place_of(&w->rows.items[0]) : (struct store_place){0};
    status = read_rows(s->load, s->board, w->rows.n ? &from : NULL, STORE_DOWN, s->below + 3, &below, e);
    if (status != STATUS_OK)
        return status;
    drop_unknown(s->board->role, &w->rows);
    reverse(&w->rows);
    drop_unknown(s->board->role, &below);
    *split = w->rows.n;
    append(&w->rows, &below);
    return STATUS_OK;
}

/* Where the index has the contributor, if it is so late that this is below the rows of a window. */
static enum status search_below(const struct search *s, struct store_place *place, bool *found,
                                struct error *e) {
    struct store_board rows = {0};
    size_t at;
    enum status status = read_rows(s->load, s->board, place, STORE_DOWN, LIMIT_RANKED, &rows, e);
    *found = status == STATUS_OK && find(&rows, s->user_id, &at);
    if (*found)
        place->score = rows.items[at].score;
    store_board_deinit(&rows);
    return status;
}

static void insert(struct store_board *rows, size_t at, const struct store_score *row) {
    rows->items = mem_resize(rows->items, rows->n + 1, sizeof *rows->items);
    memmove(rows->items + at + 1, rows->items + at, (rows->n - at) * sizeof *rows->items);
    rows->items[at] = (struct store_score){mem_strdup(row->user_id), row->score, row->updated_ms};
    rows->n++;
}

/* Reads until the contributor's entry is in the middle; `*at` is it. */
static enum status read_centred(const struct search *s, const struct store_score *row, struct board_window *w,
                                size_t *at, struct error *e) {
    struct store_place place = place_of(row);
    size_t split = 0;
    for (unsigned round = 1;; round++) {
        bool found = false;
        enum status status = read_around(s, &place, w, &split, e);
        if (status != STATUS_OK)
            return status;
        if (find(&w->rows, s->user_id, at)) {
            if (*at == split || round == ROUNDS)
                return STATUS_OK;
            place.score = w->rows.items[*at].score;
            found = true;
        } else if (round < ROUNDS) {
            status = search_below(s, &place, &found, e);
            if (status != STATUS_OK)
                return status;
        }
        if (!found)
            break;
        board_window_deinit(w);
    }
    insert(&w->rows, split, row);
    *at = split;
    return STATUS_OK;
}

enum status board_window_around(const struct route_load *load, const struct board *board, const char *user_id,
                                size_t limit, struct board_window *w, struct error *e) {
    const size_t above = (limit - 1) / 2;
    const struct search s = {load, board, user_id, above, limit - 1 - above};
    struct store_score row = {0};
    size_t at;
    enum status status = store_read_scores(load->view->store, user_id, board, 1, load->deadline_ms, &row, e);
    if (status == STATUS_OK)
        status = read_centred(&s, &row, w, &at, e);
    store_score_deinit(&row);
    if (status != STATUS_OK)
        return status;
    w->first = at > above ? at - above : 0;
    w->n = least(w->rows.n, at + s.below + 1) - w->first;
    return STATUS_OK;
}
