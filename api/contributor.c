/* contributor: the scores of one contributor, and the score and rank in one role. See handlers.h. */
#include <string.h>

#include "api/board_ranks.h"
#include "api/handlers.h"
#include "api/people.h"
#include "api/period_parameter.h"
#include "api/products.h"
#include "api/role_words.h"
#include "base/mem.h"

/* The parts of a rank's key: template, board, userId. */
enum { PART_USER_ID = 1, PART_BOARD = 1, PART_RANKED = 2 };

bool contributor_prepare(const struct view *view, const struct request *request, struct cache_key *key,
                         struct problem *p) {
    (void)p;
    _cleanup_(mem_freep) char *user_id = people_user_id(view, request->segments[1]);
    if (user_id)
        cache_key_make(key, SCORES_CONTRIBUTOR, user_id, NULL);
    else
        cache_key_clear(key);
    return true;
}

static void deinit_scores(struct store_score (*scores)[PEOPLE_ROLES]) {
    for (size_t i = 0; i < PEOPLE_ROLES; i++)
        store_score_deinit(&(*scores)[i]);
}

enum status contributor_load(const struct route_load *load, json_t **json, struct error *e) {
    const char *user_id = load->parts[PART_USER_ID];
    _cleanup_(deinit_scores) struct store_score scores[PEOPLE_ROLES] = {0};
    enum status status = store_read_scores(load->view->store, user_id, board_all_time, PEOPLE_ROLES,
                                           load->deadline_ms, scores, e);
    if (status != STATUS_OK)
        return status;
    *json = json_object();
    people_set(load->view, *json, user_id);
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        json_object_set_new(*json, role_word(role),
                            scores[role].user_id ? json_integer(scores[role].score) : json_null());
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}

/* Ranks. */

static bool prepare_rank(const struct view *view, const struct request *request, enum role role,
                         struct cache_key *key, struct problem *p) {
    struct board board = {.role = role};
    char text[BOARD_TEXT_SIZE];
    if (!period_read_parameter(view, request, &board.period, p))
        return false;
    _cleanup_(mem_freep) char *user_id = role_user_id(view, role, request->segments[2]);
    if (user_id)
        cache_key_make(key, role_rank_template(role), board_format(&board, text), user_id);
    else
        cache_key_clear(key);
    return period_check(view, request, board.period, p);
}

bool contributor_prepare_rank(const struct view *view, const struct request *request, struct cache_key *key,
                              struct problem *p) {
    enum role role;
    return role_parse_people(request->segments[1], &role, p) && prepare_rank(view, request, role, key, p);
}

bool contributor_prepare_product_rank(const struct view *view, const struct request *request,
                                      struct cache_key *key, struct problem *p) {
    return prepare_rank(view, request, ROLE_PRODUCT, key, p) && role_check_products(view, p);
}

/* How many in a hundred of those on the board are behind, with two decimals. */
static json_t *percentile(int64_t rank, int64_t of) {
    int64_t hundredths = (10000 * (of - rank) + of / 2) / of;
    return json_real((double)hundredths / 100.0);
}

/* `rank` 0: none is known. A contributor who is newer than the table is one more than it counts. */
static void set_rank(const struct route_load *load, json_t *json, const struct board_rank *rank,
                     const struct rank_table *table) {
    int64_t of = table ? rank_table_of(table) : 0;
    if (table && of < rank->rank)
        of = rank->rank;
    int64_t as_of_ms = rank->is_counted ? load->as_of_ms : table ? rank_table_as_of_ms(table) : 0;
    json_object_set_new(json, "rank", rank->rank ? json_integer(rank->rank) : json_null());
    json_object_set_new(json, "tied", json_boolean(rank->tied));
    json_object_set_new(json, "of", table ? json_integer(of) : json_null());
    json_object_set_new(json, "percentile", table && rank->rank ? percentile(rank->rank, of) : json_null());
    json_object_set_new(json, "rankAsOf", rank->rank ? view_time(load->view, as_of_ms) : json_null());
}

/* The row in the period, if there is one, and that of all time. */
static enum status read_row(const struct route_load *load, const struct board *board,
                            struct store_score scores[2], struct error *e) {
    const struct board boards[] = {*board, board_all_time[board->role]};
    size_t n = board->period.kind == PERIOD_ALL_TIME ? 1 : 2;
    enum status status = store_read_scores(load->view->store, load->parts[PART_RANKED], boards, n,
                                           load->deadline_ms, scores, e);
    return status == STATUS_OK && !scores[n - 1].user_id && !scores[0].user_id ? STATUS_NOT_FOUND : status;
}

/* A contributor without a row in the period has sold nothing in it: no rank. */
enum status contributor_load_rank(const struct route_load *load, json_t **json, struct error *e) {
    _cleanup_(deinit_scores) struct store_score scores[PEOPLE_ROLES] = {0};
    _cleanup_(board_ranks_deinit) struct board_ranks ranks;
    const struct store_score *row = &scores[0];
    _cleanup_(products_deinit) struct products products = {0};
    struct board_rank rank = {0};
    struct board board;
    board_parse(load->parts[PART_BOARD], &board); /* the key has one */
    board_ranks_init(&ranks, load, &board);
    enum status status = read_row(load, &board, scores, e);
    if (status == STATUS_OK && row->user_id)
        status = board_ranks_find(&ranks, row->score, row->user_id, &rank, e);
    if (status == STATUS_OK && board.role == ROLE_PRODUCT)
        status = products_read_names(load, &load->parts[PART_RANKED], 1, &products, e);
    if (status != STATUS_OK)
        return status;
    *json = json_object();
    json_object_set_new(*json, "role", json_string(role_word(board.role)));
    role_set_contributor(load->view, *json, board.role, load->parts[PART_RANKED],
                         products_find(&products, load->parts[PART_RANKED]));
    json_object_set_new(*json, "score", json_integer(row->score));
    set_rank(load, *json, &rank, ranks.table);
    json_object_set_new(*json, "updated", row->user_id ? answer_time(row->updated_ms) : json_null());
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}
