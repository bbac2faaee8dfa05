/*
 * role_words: roles as clients write them, and whom or what a role's `{id}` names. A merchant is called
 * "creator" in the tables and by the old reader's clients. Thread-safe.
 */
#ifndef API_ROLE_WORDS_H
#define API_ROLE_WORDS_H

#include <jansson.h>
#include <stdbool.h>

#include "api/problem.h"
#include "api/view.h"
#include "views/board.h"
#include "views/contribution.h"

/* "merchant", "photographer", "product". */
const char *role_word(enum role role);

/* A role of people: also "creator". False with a problem. */
bool role_parse_people(const char *word, enum role *role, struct problem *p);

/* False, with a problem, if the view does not keep what each product sold. */
bool role_check_products(const struct view *view, struct problem *p);

/* The template of a role's board, and of one row of it. */
const char *role_board_template(enum role role);
const char *role_rank_template(enum role role);

/* The userId of a row of this role that the `{id}` of a request means: of a person see people_user_id, of a
 * product its own id. A new string, the caller's; NULL: there can be no such row. */
char *role_user_id(const struct view *view, enum role role, const char *id);

/* Sets what says whose row it is: "id", "userId" and "name"; of a product "productId" and "name", which is in
 * its row `product` (NULL: there is none). */
void role_set_contributor(const struct view *view, json_t *object, enum role role, const char *user_id,
                          const struct contribution *product);

#endif
