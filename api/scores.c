/* scores: boards, contributors, ranks. See handlers.h. */
#include <string.h>

#include "api/handlers.h"
#include "api/listing.h"
#include "api/people.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/store.h"

enum { DEFAULT_LIMIT = 10, OLD_DEFAULT_LIMIT = 1 };

/* A merchant is called "creator" in the tables and by the old reader's clients. */
static const char *const role_words[PEOPLE_ROLES] = {
    [ROLE_CREATOR] = "merchant", [ROLE_PHOTOGRAPHER] = "photographer"};
static const char *const board_templates[PEOPLE_ROLES] = {
    [ROLE_CREATOR] = SCORES_MERCHANT, [ROLE_PHOTOGRAPHER] = SCORES_PHOTOGRAPHER};
static const enum listing listings[PEOPLE_ROLES] = {
    [ROLE_CREATOR] = LISTING_MERCHANTS, [ROLE_PHOTOGRAPHER] = LISTING_PHOTOGRAPHERS};

static bool parse_role(const char *word, enum role *role, struct problem *p) {
    for (*role = 0; *role < PEOPLE_ROLES; (*role)++)
        if (strcmp(word, role_words[*role]) == 0 || strcmp(word, role_name(*role)) == 0)
            return true;
    return problem_set_parameter(p, "role", word, "merchant, creator, photographer");
}

/* Boards. */

bool scores_prepare_board(const struct view *view, const struct request *request, struct cache_key *key,
                          struct problem *p) {
    enum role role;
    if (!parse_role(request->segments[1], &role, p))
        return false;
    cache_key_begin(key, board_templates[role]);
    return listing_add_page(view->sealer, listings[role], request, DEFAULT_LIMIT, key, p);
}

/* With `role`: one board in the JSON form of the old Lambda reader. Its cache key ends with the role. */
bool scores_prepare_all(const struct view *view, const struct request *request, struct cache_key *key,
                        struct problem *p) {
    (void)view;
    const char *word = request_parameter(request, "role");
    enum role role;
    if (word && !parse_role(word, &role, p))
        return false;
    cache_key_begin(key, "/scores");
    if (!listing_add_limit(request, word ? OLD_DEFAULT_LIMIT : DEFAULT_LIMIT, key, p))
        return false;
    if (word)
        cache_key_add(key, role_name(role));
    return true;
}

static void drop_unknown(struct store_board *board) {
    size_t n = 0;
    for (size_t i = 0; i < board->n; i++) {
        struct store_score item = board->items[i];
        if (contribution_is_unknown(item.user_id))
            store_score_deinit(&item);
        else
            board->items[n++] = item;
    }
    board->n = n;
}

static json_t *board_item(const struct view *view, const struct store_score *score, int64_t rank, bool tied) {
    json_t *json = json_object();
    json_object_set_new(json, "rank", json_integer(rank));
    json_object_set_new(json, "tied", json_boolean(tied));
    people_set(view, json, score->user_id);
    json_object_set_new(json, "score", json_integer(score->score));
    json_object_set_new(json, "updated", answer_time(score->updated_ms));
    return json;
}

/* At most `limit` rows as items. `last`: in: the last row of the page before; out: the last row of this page.
 * A row with the score of the row before shares its rank, also across pages. Any other row's rank is one more
 * than the number of rows before it on this and all earlier pages, so that ranks never decrease while the
 * board changes. */
static json_t *board_items(const struct view *view, const struct store_board *board, size_t limit,
                           struct listing_cursor *last) {
    json_t *items = json_array();
    for (size_t i = 0; i < board->n && i < limit; i++) {
        const struct store_score *row = &board->items[i];
        bool same = last->rows > 0 && row->score == last->score;
        bool tied = same || (i + 1 < board->n && row[1].score == row->score);
        if (!same)
            last->rank = last->rows + 1;
        last->score = row->score;
        last->rows++;
        json_array_append_new(items, board_item(view, row, last->rank, tied));
    }
    return items;
}

/* Reads two rows more than the page shows: UNKNOWN may be among them, and the row after the last shows
 * whether the last is tied and whether there is a next page. */
static enum status read_board(const struct route_load *load, enum role role, struct listing_page *page,
                              json_t **json, struct error *e) {
    _cleanup_(store_board_deinit) struct store_board board = {0};
    struct listing_cursor *from = &page->from;
    const struct store_place place = {from->score, from->after};
    enum status status =
        store_read_board(load->view->store, &board_all_time[role], page->is_first ? NULL : &place, STORE_DOWN,
                         page->limit + 2, load->deadline_ms, &board, e);
    if (status != STATUS_OK)
        return status;
    drop_unknown(&board);
    const char *after = board.n > page->limit ? board.items[page->limit - 1].user_id : NULL;
    *json = json_object();
    json_object_set_new(*json, "role", json_string(role_words[role]));
    json_object_set_new(*json, "items", board_items(load->view, &board, page->limit, from));
    json_object_set_new(*json, "next", listing_next(load->view->sealer, listings[role], from, after));
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}

enum status scores_load_board(const struct route_load *load, json_t **json, struct error *e) {
    enum role role = strcmp(load->parts[0], SCORES_MERCHANT) == 0 ? ROLE_CREATOR : ROLE_PHOTOGRAPHER;
    struct listing_page page;
    listing_read_page(load->parts, &page);
    return read_board(load, role, &page, json, e);
}

/* `[{"userId","score"}]`, UNKNOWN included: what the old reader's clients expect. */
static enum status load_old_shape(const struct route_load *load, enum role role, json_t **json,
                                  struct error *e) {
    _cleanup_(store_board_deinit) struct store_board board = {0};
    enum status status = store_read_board(load->view->store, &board_all_time[role], NULL, STORE_DOWN,
                                          listing_limit(load->parts), load->deadline_ms, &board, e);
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

enum status scores_load_all(const struct route_load *load, json_t **json, struct error *e) {
    enum role old;
    if (load->parts[2] && role_from_name(load->parts[2], &old))
        return load_old_shape(load, old, json, e);
    json_auto_t *boards = json_object();
    for (enum role role = 0; role < PEOPLE_ROLES; role++) {
        struct listing_page page;
        json_t *board = NULL;
        listing_read_page(load->parts, &page);
        enum status status = read_board(load, role, &page, &board, e);
        if (status != STATUS_OK)
            return status;
        json_object_set_new(boards, role_words[role], board);
    }
    *json = json_incref(boards);
    return STATUS_OK;
}

/* One contributor. */

bool scores_prepare_contributor(const struct view *view, const struct request *request, struct cache_key *key,
                                struct problem *p) {
    (void)p;
    _cleanup_(mem_freep) char *user_id = people_user_id(view, request->segments[1]);
    if (user_id)
        cache_key_make(key, SCORES_CONTRIBUTOR, user_id, NULL);
    else
        cache_key_clear(key);
    return true;
}

bool scores_prepare_rank(const struct view *view, const struct request *request, struct cache_key *key,
                         struct problem *p) {
    enum role role;
    if (!parse_role(request->segments[1], &role, p))
        return false;
    _cleanup_(mem_freep) char *user_id = people_user_id(view, request->segments[2]);
    if (user_id)
        cache_key_make(key, SCORES_RANK, role_name(role), user_id);
    else
        cache_key_clear(key);
    return true;
}

static void deinit_scores(struct store_score (*scores)[PEOPLE_ROLES]) {
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        store_score_deinit(&(*scores)[role]);
}

enum status scores_load_contributor(const struct route_load *load, json_t **json, struct error *e) {
    const char *user_id = load->parts[1];
    _cleanup_(deinit_scores) struct store_score scores[PEOPLE_ROLES] = {0};
    enum status status = store_read_scores(load->view->store, user_id, board_all_time, PEOPLE_ROLES,
                                           load->deadline_ms, scores, e);
    if (status != STATUS_OK)
        return status;
    *json = json_object();
    people_set(load->view, *json, user_id);
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        json_object_set_new(*json, role_words[role],
                            scores[role].user_id ? json_integer(scores[role].score) : json_null());
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}

enum status scores_load_rank(const struct route_load *load, json_t **json, struct error *e) {
    enum role role;
    const char *user_id = load->parts[2];
    role_from_name(load->parts[1], &role); /* the key has one */
    _cleanup_(deinit_scores) struct store_score scores[PEOPLE_ROLES] = {0};
    const struct store_score *score = &scores[role];
    size_t above = 0;
    bool tied = false;
    enum status status = store_read_scores(load->view->store, user_id, board_all_time, PEOPLE_ROLES,
                                           load->deadline_ms, scores, e);
    if (status == STATUS_OK && !score->user_id)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = store_read_rank(load->view->store, &board_all_time[role], score->score, user_id,
                                 LIMIT_RANKED, load->deadline_ms, &above, &tied, e);
    if (status != STATUS_OK)
        return status;
    *json = json_object();
    json_object_set_new(*json, "role", json_string(role_words[role]));
    people_set(load->view, *json, user_id);
    json_object_set_new(*json, "score", json_integer(score->score));
    json_object_set_new(*json, "rank",
                        above < LIMIT_RANKED ? json_integer((json_int_t)above + 1) : json_null());
    json_object_set_new(*json, "tied", json_boolean(tied));
    json_object_set_new(*json, "updated", answer_time(score->updated_ms));
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}
