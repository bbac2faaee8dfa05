/* boards: page by page, around somebody, both at once, and in the old reader's form. See handlers.h. */
#include <string.h>

#include "api/board_ranks.h"
#include "api/board_window.h"
#include "api/handlers.h"
#include "api/listing.h"
#include "api/people.h"
#include "api/period_parameter.h"
#include "api/products.h"
#include "api/role_words.h"
#include "base/limits.h"
#include "base/mem.h"

enum { DEFAULT_LIMIT = 10, OLD_DEFAULT_LIMIT = 1, AROUND_DEFAULT_LIMIT = 11 };

/* The parts of a key: template, period, limit; then a cursor, or "around" and a userId; of /scores: the role,
 * if it is for the old reader's form. */
enum { PART_PERIOD = 1, PART_PAGE, PART_OLD_ROLE, PART_AROUND = 3, PART_USER_ID };
static const char around_word[] = "around";

/* What a page of this board lists. */
static void begin_key(struct cache_key *key, const struct board *board) {
    char period[PERIOD_TEXT_SIZE];
    cache_key_begin(key, role_board_template(board->role));
    cache_key_add(key, period_format(board->period, period));
}

static struct board board_of_key(const struct route_load *load) {
    struct board board = {.role = ROLE_CREATOR, .period = period_of_key(load->parts[PART_PERIOD])};
    while (strcmp(load->parts[0], role_board_template(board.role)) != 0)
        board.role++;
    return board;
}

static bool is_around(const struct route_load *load) {
    return load->parts[PART_AROUND] && strcmp(load->parts[PART_AROUND], around_word) == 0;
}

/* The first page, of all time or of a period under way; one that has ended changes for an hour more,
 * and little. */
bool boards_is_refreshable(const struct route_load *load) {
    struct period period = period_of_key(load->parts[PART_PERIOD]);
    bool is_first = strcmp(load->parts[0], SCORES) == 0 || listing_is_first_page(load->parts + PART_PAGE);
    return is_first && (period.kind == PERIOD_ALL_TIME ||
                        period.start_ms == period_of(period.kind, load->now_ms).start_ms);
}

/* Requests. */

static bool add_around(const struct view *view, const struct request *request, const struct board *board,
                       const char *id, struct cache_key *key, struct problem *p) {
    const char *cursor = request_parameter(request, "cursor");
    _cleanup_(mem_freep) char *user_id = role_user_id(view, board->role, id);
    if (!*id)
        return problem_set_parameter(p, "around", id, "an id");
    if (cursor)
        return problem_set_parameter(p, "cursor", cursor, "no cursor beside `around`");
    if (!listing_add_limit(request, AROUND_DEFAULT_LIMIT, key, p))
        return false;
    cache_key_add(key, around_word);
    if (user_id)
        cache_key_add(key, user_id);
    else
        cache_key_clear(key);
    return true;
}

static bool prepare_board(const struct view *view, const struct request *request, enum role role,
                          struct cache_key *key, struct problem *p) {
    struct board board = {.role = role};
    const char *id = request_parameter(request, "around");
    if (!period_read_parameter(view, request, &board.period, p))
        return false;
    begin_key(key, &board);
    return (id ? add_around(view, request, &board, id, key, p)
               : listing_add_page(view, request, DEFAULT_LIMIT, key, p)) &&
           period_check(view, request, board.period, p);
}

bool boards_prepare_people(const struct view *view, const struct request *request, struct cache_key *key,
                           struct problem *p) {
    enum role role;
    return role_parse_people(request->segments[1], &role, p) && prepare_board(view, request, role, key, p);
}

bool boards_prepare_products(const struct view *view, const struct request *request, struct cache_key *key,
                             struct problem *p) {
    return prepare_board(view, request, ROLE_PRODUCT, key, p) && role_check_products(view, p);
}

/* With `role`: one board in the JSON form of the old Lambda reader, which knows no periods. */
bool boards_prepare_all(const struct view *view, const struct request *request, struct cache_key *key,
                        struct problem *p) {
    const char *word = request_parameter(request, "role"), *given = request_parameter(request, "period");
    char text[PERIOD_TEXT_SIZE];
    struct period period;
    enum role role;
    if (word && !role_parse_people(word, &role, p))
        return false;
    if (word && given)
        return problem_set_parameter(p, "period", given, "no period beside `role`");
    if (!period_read_parameter(view, request, &period, p))
        return false;
    cache_key_begin(key, SCORES);
    cache_key_add(key, period_format(period, text));
    if (!listing_add_limit(request, word ? OLD_DEFAULT_LIMIT : DEFAULT_LIMIT, key, p))
        return false;
    if (word)
        cache_key_add(key, role_name(role));
    return period_check(view, request, period, p);
}

/* Items. */

/* A page that is made. `last`: the row before the one that is next. */
struct making {
    const struct route_load *load;
    const struct board *board;
    struct board_window *window;
    struct board_ranks *ranks;
    struct products *products; /* of the page, on a board of products */
    struct listing_cursor last;
    bool has_last;
};

/* Competition ranks. A row with the score of the row before shares its rank, also across pages. Where it is
 * known how many rows are before it, any other row's rank is one more, so that ranks never decrease while the
 * board changes. Else it is looked up, and if it was counted, the rows before are known from there on. */
static enum status next_rank(struct making *m, const struct store_score *row, struct error *e) {
    struct listing_cursor *last = &m->last;
    struct board_rank found;
    bool same = m->has_last && row->score == last->score;
    int64_t before = last->rank;
    enum status status = STATUS_OK;
    if (last->rows != LISTING_UNCOUNTED)
        last->rows++;
    if (!same && last->rows != LISTING_UNCOUNTED) {
        last->rank = last->rows;
    } else if (!same || !last->rank) {
        status = board_ranks_find(m->ranks, row->score, row->user_id, &found, e);
        last->rank = found.rank && found.rank <= before ? before + 1 : found.rank;
        if (m->has_last && !same && found.is_counted)
            last->rows = last->rank;
    }
    last->score = row->score;
    m->has_last = true;
    return status;
}

static enum status read_products(struct making *m, struct error *e) {
    const struct board_window *w = m->window;
    const char *ids[LIMIT_BOARD_ITEMS];
    if (m->board->role != ROLE_PRODUCT)
        return STATUS_OK;
    for (size_t i = 0; i < w->n; i++)
        ids[i] = w->rows.items[w->first + i].user_id;
    return products_read_names(m->load, ids, w->n, m->products, e);
}

static json_t *item_json(const struct making *m, const struct store_score *row, bool tied) {
    json_t *json = json_object();
    json_object_set_new(json, "rank", m->last.rank ? json_integer(m->last.rank) : json_null());
    json_object_set_new(json, "tied", json_boolean(tied));
    role_set_contributor(m->load->view, json, m->board->role, row->user_id,
                         products_find(m->products, row->user_id));
    json_object_set_new(json, "score", json_integer(row->score));
    json_object_set_new(json, "updated", answer_time(row->updated_ms));
    return json;
}

/* `below`: the score of the row after the last one of the window, if that is known. */
static enum status items_json(struct making *m, const int64_t *below, json_t *items, struct error *e) {
    const struct board_window *w = m->window;
    for (size_t i = w->first; i < w->first + w->n; i++) {
        const struct store_score *row = &w->rows.items[i];
        bool tied = m->has_last && row->score == m->last.score;
        tied |= i + 1 < w->rows.n ? row[1].score == row->score : below && *below == row->score;
        enum status status = next_rank(m, row, e);
        if (status != STATUS_OK)
            return status;
        json_array_append_new(items, item_json(m, row, tied));
    }
    return STATUS_OK;
}

/* Pages. */

/* What is known before the first row of a window in the middle of a board. */
static void begin_in_the_middle(struct making *m) {
    const struct board_window *w = m->window;
    m->last = (struct listing_cursor){.rows = w->at_top ? (int64_t)w->first : LISTING_UNCOUNTED};
    m->has_last = w->first > 0;
    if (m->has_last)
        m->last.score = w->rows.items[w->first - 1].score;
}

/* A cursor at the first row of the page, if there are rows above. */
static json_t *previous_json(const struct making *m, const struct cache_key *key) {
    const struct board_window *w = m->window;
    struct listing_cursor cursor = {.up = true};
    if (w->first == 0 || w->n == 0)
        return json_null();
    const struct store_score *row = &w->rows.items[w->first];
    cursor.score = row->score;
    return listing_next(m->load->view, key, &cursor, row->user_id);
}

/* At the last row, if there are rows below, as there are where the listing went up from. */
static json_t *next_json(struct making *m, bool is_up, const struct cache_key *key) {
    const struct board_window *w = m->window;
    size_t end = w->first + w->n;
    bool has_next = w->n > 0 && (is_up || end < w->rows.n);
    return listing_next(m->load->view, key, &m->last, has_next ? w->rows.items[end - 1].user_id : NULL);
}

/* A page of a listing that began in the middle has `previous` too. */
static enum status page_json(struct making *m, const struct listing_page *page, bool is_middle, json_t **json,
                             struct error *e) {
    const bool is_up = page && page->from.up;
    struct cache_key key;
    json_t *items = json_array();
    *json = json_object();
    json_object_set_new(*json, "role", json_string(role_word(m->board->role)));
    json_object_set_new(*json, "items", items);
    enum status status = read_products(m, e);
    if (status == STATUS_OK)
        status = items_json(m, is_up ? &page->from.score : NULL, items, e);
    begin_key(&key, m->board);
    if (is_middle)
        json_object_set_new(*json, "previous", previous_json(m, &key));
    json_object_set_new(*json, "next", next_json(m, is_up, &key));
    json_object_set_new(*json, "period", period_json(m->load, m->board->period));
    json_object_set_new(*json, "asOf", view_time(m->load->view, m->load->as_of_ms));
    if (status != STATUS_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
}

static enum status load_page(struct making *m, const struct listing_page *page, json_t **json,
                             struct error *e) {
    if (page->from.up || page->from.rows == LISTING_UNCOUNTED)
        board_ranks_init(m->ranks, m->load, m->board);
    enum status status = board_window_read(m->load, m->board, page, m->window, e);
    if (status != STATUS_OK)
        return status;
    m->last = page->from;
    m->has_last = !page->is_first;
    if (page->from.up)
        begin_in_the_middle(m);
    return page_json(m, page, page->from.up, json, e);
}

static enum status load_around(struct making *m, json_t **json, struct error *e) {
    board_ranks_init(m->ranks, m->load, m->board);
    enum status status = board_window_around(m->load, m->board, m->load->parts[PART_USER_ID],
                                             listing_limit(m->load->parts + PART_PAGE), m->window, e);
    if (status != STATUS_OK)
        return status;
    begin_in_the_middle(m);
    return page_json(m, NULL, true, json, e);
}

/* `page` NULL: around somebody. */
static enum status load_board(const struct route_load *load, const struct board *board,
                              const struct listing_page *page, json_t **json, struct error *e) {
    _cleanup_(board_window_deinit) struct board_window window = {0};
    _cleanup_(board_ranks_deinit) struct board_ranks ranks = {.load = load, .board = board};
    _cleanup_(products_deinit) struct products products = {0};
    struct making m = {
        .load = load, .board = board, .window = &window, .ranks = &ranks, .products = &products};
    return page ? load_page(&m, page, json, e) : load_around(&m, json, e);
}

enum status boards_load(const struct route_load *load, json_t **json, struct error *e) {
    const struct board board = board_of_key(load);
    struct listing_page page;
    if (is_around(load))
        return load_board(load, &board, NULL, json, e);
    listing_read_page(load->parts + PART_PAGE, &page);
    return load_board(load, &board, &page, json, e);
}

/* Both boards. */

/* `[{"userId","score"}]`, UNKNOWN included: what the old reader's clients expect. */
static enum status load_old_form(const struct route_load *load, enum role role, json_t **json,
                                 struct error *e) {
    _cleanup_(store_board_deinit) struct store_board board = {0};
    enum status status =
        store_read_board(load->view->store, &board_all_time[role], NULL, STORE_DOWN,
                         listing_limit(load->parts + PART_PAGE), load->deadline_ms, &board, e);
    if (status != STATUS_OK)
        return status;
    *json = json_array();
    for (size_t i = 0; i < board.n; i++) {
        _cleanup_(mem_freep) char *shown = people_shown_user_id(load->view, board.items[i].user_id);
        json_t *item = json_object();
        json_object_set_new(item, "userId", answer_text(shown));
        json_object_set_new(item, "score", json_integer(board.items[i].score));
        json_array_append_new(*json, item);
    }
    return STATUS_OK;
}

enum status boards_load_all(const struct route_load *load, json_t **json, struct error *e) {
    const char *old_role = load->parts[PART_OLD_ROLE];
    struct listing_page page = {.limit = listing_limit(load->parts + PART_PAGE), .is_first = true};
    struct board board = {.period = period_of_key(load->parts[PART_PERIOD])};
    if (old_role && role_from_name(old_role, &board.role))
        return load_old_form(load, board.role, json, e);
    json_auto_t *boards = json_object();
    for (board.role = 0; board.role < PEOPLE_ROLES; board.role++) {
        json_t *one = NULL;
        enum status status = load_board(load, &board, &page, &one, e);
        if (status != STATUS_OK)
            return status;
        json_object_set_new(boards, role_word(board.role), one);
    }
    *json = json_incref(boards);
    return STATUS_OK;
}
