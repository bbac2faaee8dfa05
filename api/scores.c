/* scores: boards, contributors, ranks. See resources.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cursor.h"
#include "api/internal.h"
#include "api/people.h"
#include "api/resources.h"
#include "base/mem.h"
#include "views/store.h"

enum { DEFAULT_LIMIT = 10, OLD_DEFAULT_LIMIT = 1 };

/* The words for roles in paths and answers; "creator" is what the old reader and the tables say. */
static const char *const words[ROLES] = {[ROLE_CREATOR] = "merchant", [ROLE_PHOTOGRAPHER] = "photographer"};
static const char *const board_templates[ROLES] = {"/scores/merchant", "/scores/photographer"};
static const enum cursor_listing listings[ROLES] = {
    [ROLE_CREATOR] = CURSOR_MERCHANTS, [ROLE_PHOTOGRAPHER] = CURSOR_PHOTOGRAPHERS};

static bool parse_role(const char *word, enum role *role, struct problem *p) {
    if (strcmp(word, "merchant") == 0 || strcmp(word, "creator") == 0) {
        *role = ROLE_CREATOR;
        return true;
    }
    if (strcmp(word, "photographer") == 0) {
        *role = ROLE_PHOTOGRAPHER;
        return true;
    }
    problem_set_parameter(p, "role", word, "merchant, creator, photographer");
    return false;
}

/* ---- boards ------------------------------------------------------------------------------------------- */

/* Keys of boards: template, limit, cursor if there is one. Of the old shape: template, limit, role. */

static bool add_limit(const struct request *request, unsigned fallback, struct key *key, struct problem *p) {
    unsigned limit;
    char text[16];
    if (!request_count(request, "limit", fallback, LIMIT_BOARD_ITEMS, &limit, p))
        return false;
    snprintf(text, sizeof text, "%u", limit);
    key_add(key, text);
    return true;
}

static size_t key_limit(const char *key, size_t key_length) {
    return strtoul(key_part(key, key_length, 1), NULL, 10);
}

bool scores_prepare_board(struct api *api, const struct request *request, struct key *key,
                          struct problem *p) {
    enum role role;
    if (!parse_role(request->segments[1], &role, p))
        return false;
    key_begin(key, board_templates[role]);
    return add_limit(request, DEFAULT_LIMIT, key, p) &&
           cursor_prepare(api->sealer, listings[role], request, key, p);
}

bool scores_prepare_all(struct api *api, const struct request *request, struct key *key, struct problem *p) {
    (void)api;
    const char *word = request_parameter(request, "role");
    enum role role;
    key_begin(key, "/scores");
    if (!word)
        return add_limit(request, DEFAULT_LIMIT, key, p);
    if (!parse_role(word, &role, p) || !add_limit(request, OLD_DEFAULT_LIMIT, key, p))
        return false;
    key_add(key, role_name(role));
    return true;
}

/* Leaves the rows of people. */
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

static json_t *board_item(const struct api *api, const struct store_score *score, int64_t rank, bool tied) {
    json_t *json = json_object();
    json_object_set_new(json, "rank", json_integer(rank));
    json_object_set_new(json, "tied", json_boolean(tied));
    api_set_person(api, json, score->user_id);
    json_object_set_new(json, "score", json_integer(score->score));
    json_object_set_new(json, "updated", answer_time(score->updated_ms));
    return json;
}

/* At most `limit` rows as items; `at` goes from the row before the first to the last of them. A row that has
 * the score of the one before shares its rank, also across pages; any other has one more than all that were
 * shown before it, so that ranks never go down, whatever has moved since. */
static json_t *board_items(const struct api *api, const struct store_board *board, size_t limit,
                           struct cursor *at) {
    json_t *items = json_array();
    for (size_t i = 0; i < board->n && i < limit; i++) {
        const struct store_score *row = &board->items[i];
        bool same = at->shown > 0 && row->score == at->score;
        bool tied = same || (i + 1 < board->n && row[1].score == row->score);
        if (!same)
            at->rank = at->shown + 1;
        at->score = row->score;
        at->shown++;
        json_array_append_new(items, board_item(api, row, at->rank, tied));
    }
    return items;
}

static json_t *next_json(const struct api *api, enum role role, const struct store_board *board, size_t limit,
                         struct cursor *at) {
    if (board->n <= limit)
        return json_null();
    snprintf(at->after, sizeof at->after, "%s", board->items[limit - 1].user_id);
    _cleanup_(mem_freep) char *sealed = cursor_seal(api->sealer, listings[role], at);
    return json_string(sealed);
}

/* The page after `from` (NULL: the first). Two more are read than are shown: UNKNOWN may be among them, and
 * the one after the last tells whether that is tied, and whether there is a next page. */
static enum status read_board(struct api *api, enum role role, const struct cursor *from, size_t limit,
                              int64_t deadline_ms, int64_t as_of_ms, json_t **json, struct error *e) {
    _cleanup_(store_board_deinit) struct store_board board = {0};
    struct cursor at = from ? *from : (struct cursor){0};
    const struct store_place place = {at.score, at.after};
    enum status status =
        store_read_board(api->store, role, from ? &place : NULL, limit + 2, deadline_ms, &board, e);
    if (status != STATUS_OK)
        return status;
    drop_unknown(&board);
    *json = json_object();
    json_object_set_new(*json, "role", json_string(words[role]));
    json_object_set_new(*json, "items", board_items(api, &board, limit, &at));
    json_object_set_new(*json, "next", next_json(api, role, &board, limit, &at));
    json_object_set_new(*json, "asOf", answer_time(as_of_ms));
    return STATUS_OK;
}

static struct answer *board_answer(const struct api *api, json_t *json, int64_t as_of_ms) {
    struct answer *answer = api_view_answer(api, json, as_of_ms);
    answer->kept.refreshable = true;
    return answer;
}

enum status scores_load_board(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                              struct answer **answer, struct error *e) {
    enum role role = strcmp(key, board_templates[ROLE_CREATOR]) == 0 ? ROLE_CREATOR : ROLE_PHOTOGRAPHER;
    int64_t as_of_ms = api_as_of(api, true);
    json_t *json = NULL;
    struct cursor from;
    bool is_first = !cursor_from_key(key, key_length, 2, &from);
    enum status status = read_board(api, role, is_first ? NULL : &from, key_limit(key, key_length),
                                    deadline_ms, as_of_ms, &json, e);
    if (status != STATUS_OK)
        return status;
    *answer = board_answer(api, json, as_of_ms);
    (*answer)->kept.refreshable = is_first; /* who goes through all pages does not come back to each */
    return STATUS_OK;
}

/* `[{"userId","score"}]`, UNKNOWN and all: what the old reader's clients expect. */
static enum status load_old_shape(struct api *api, enum role role, size_t limit, int64_t deadline_ms,
                                  int64_t as_of_ms, struct answer **answer, struct error *e) {
    _cleanup_(store_board_deinit) struct store_board board = {0};
    enum status status = store_read_board(api->store, role, NULL, limit, deadline_ms, &board, e);
    if (status != STATUS_OK)
        return status;
    json_t *items = json_array();
    for (size_t i = 0; i < board.n; i++) {
        _cleanup_(mem_freep) char *shown = api_shown_user_id(api, board.items[i].user_id);
        json_t *item = json_object();
        json_object_set_new(item, "userId", answer_text(shown));
        json_object_set_new(item, "score", json_integer(board.items[i].score));
        json_array_append_new(items, item);
    }
    *answer = board_answer(api, items, as_of_ms);
    return STATUS_OK;
}

enum status scores_load_all(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                            struct answer **answer, struct error *e) {
    size_t limit = key_limit(key, key_length);
    int64_t as_of_ms = api_as_of(api, true);
    const char *old_role = key_part(key, key_length, 2);
    if (old_role) {
        return load_old_shape(api, role_from_name(old_role), limit, deadline_ms, as_of_ms, answer, e);
    }
    json_auto_t *json = json_object();
    for (enum role role = 0; role < ROLES; role++) {
        json_t *board = NULL;
        enum status status = read_board(api, role, NULL, limit, deadline_ms, as_of_ms, &board, e);
        if (status != STATUS_OK)
            return status;
        json_object_set_new(json, words[role], board);
    }
    *answer = board_answer(api, json_incref(json), as_of_ms);
    return STATUS_OK;
}

/* ---- one contributor ---------------------------------------------------------------------------------- */

void scores_contributor_key(struct key *key, const char *user_id) {
    key_begin(key, SCORES_CONTRIBUTOR);
    key_add(key, user_id);
}

void scores_rank_key(struct key *key, enum role role, const char *user_id) {
    key_begin(key, SCORES_RANK);
    key_add(key, role_name(role));
    key_add(key, user_id);
}

bool scores_prepare_contributor(struct api *api, const struct request *request, struct key *key,
                                struct problem *p) {
    _cleanup_(mem_freep) char *user_id = api_user_id(api, request->segments[1], p);
    if (user_id)
        scores_contributor_key(key, user_id);
    return user_id;
}

bool scores_prepare_rank(struct api *api, const struct request *request, struct key *key, struct problem *p) {
    enum role role;
    if (!parse_role(request->segments[1], &role, p))
        return false;
    _cleanup_(mem_freep) char *user_id = api_user_id(api, request->segments[2], p);
    if (user_id)
        scores_rank_key(key, role, user_id);
    return user_id;
}

static void deinit_scores(struct store_score (*scores)[ROLES]) {
    for (enum role role = 0; role < ROLES; role++)
        store_score_deinit(&(*scores)[role]);
}

/* UNKNOWN has rows, but is nobody. */
static enum status read_contributor(struct api *api, const char *user_id, int64_t deadline_ms,
                                    struct store_score scores[ROLES], struct error *e) {
    if (contribution_is_unknown(user_id))
        return STATUS_NOT_FOUND;
    return store_read_scores(api->store, user_id, deadline_ms, scores, e);
}

enum status scores_load_contributor(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                                    struct answer **answer, struct error *e) {
    const char *user_id = key_part(key, key_length, 1);
    int64_t as_of_ms = api_as_of(api, false);
    _cleanup_(deinit_scores) struct store_score scores[ROLES] = {0};
    enum status status = read_contributor(api, user_id, deadline_ms, scores, e);
    if (status == STATUS_NOT_FOUND) {
        *answer = api_missing(api, as_of_ms, "contributor");
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    json_t *json = json_object();
    api_set_person(api, json, user_id);
    for (enum role role = 0; role < ROLES; role++)
        json_object_set_new(json, words[role],
                            scores[role].user_id ? json_integer(scores[role].score) : json_null());
    json_object_set_new(json, "asOf", answer_time(as_of_ms));
    *answer = api_view_answer(api, json, as_of_ms);
    return STATUS_OK;
}

static json_t *rank_json(const struct api *api, enum role role, const struct store_score *score, size_t above,
                         bool tied, int64_t as_of_ms) {
    json_t *json = json_object();
    json_object_set_new(json, "role", json_string(words[role]));
    api_set_person(api, json, score->user_id);
    json_object_set_new(json, "score", json_integer(score->score));
    json_object_set_new(json, "rank",
                        above < LIMIT_RANKED ? json_integer((json_int_t)above + 1) : json_null());
    json_object_set_new(json, "tied", json_boolean(tied));
    json_object_set_new(json, "updated", answer_time(score->updated_ms));
    json_object_set_new(json, "asOf", answer_time(as_of_ms));
    return json;
}

enum status scores_load_rank(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                             struct answer **answer, struct error *e) {
    enum role role = role_from_name(key_part(key, key_length, 1));
    const char *user_id = key_part(key, key_length, 2);
    int64_t as_of_ms = api_as_of(api, true), row_as_of_ms = api_as_of(api, false);
    _cleanup_(deinit_scores) struct store_score scores[ROLES] = {0};
    enum status status = read_contributor(api, user_id, deadline_ms, scores, e);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !scores[role].user_id)) {
        *answer =
            api_missing(api, row_as_of_ms, "contributor in this role"); /* only the rank is of the index */
        return STATUS_OK;
    }
    size_t above = 0;
    bool tied = false;
    if (status == STATUS_OK)
        status = store_read_rank(api->store, role, scores[role].score, user_id, LIMIT_RANKED, deadline_ms,
                                 &above, &tied, e);
    if (status != STATUS_OK)
        return status;
    /* Not refreshable: to count a thousand rows for each of many at every batch costs more than it is worth.
     */
    *answer = api_view_answer(api, rank_json(api, role, &scores[role], above, tied, as_of_ms), as_of_ms);
    return STATUS_OK;
}
