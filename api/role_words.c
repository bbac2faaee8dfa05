#include "api/role_words.h"

#include <string.h>

#include "api/handlers.h"
#include "api/people.h"
#include "api/products.h"
#include "base/limits.h"
#include "base/mem.h"

static const struct {
    const char *word, *board, *rank;
} roles[] = {
    [ROLE_CREATOR] = {"merchant", SCORES_MERCHANT, SCORES_RANK},
    [ROLE_PHOTOGRAPHER] = {"photographer", SCORES_PHOTOGRAPHER, SCORES_RANK},
    [ROLE_PRODUCT] = {"product", SCORES_PRODUCT, SCORES_PRODUCT_RANK},
};

const char *role_word(enum role role) {
    return roles[role].word;
}

const char *role_board_template(enum role role) {
    return roles[role].board;
}

const char *role_rank_template(enum role role) {
    return roles[role].rank;
}

bool role_parse_people(const char *word, enum role *role, struct problem *p) {
    for (*role = 0; *role < PEOPLE_ROLES; (*role)++)
        if (strcmp(word, role_word(*role)) == 0 || strcmp(word, role_name(*role)) == 0)
            return true;
    return problem_set_parameter(p, "role", word, "merchant, creator, photographer");
}

char *role_user_id(const struct view *view, enum role role, const char *id) {
    if (role != ROLE_PRODUCT)
        return people_user_id(view, id);
    return strlen(id) > LIMIT_PRODUCT_ID_BYTES ? NULL : mem_strdup(id);
}

bool role_check_products(const struct view *view, struct problem *p) {
    return view->shape.best_sellers ||
           problem_set(p, PROBLEM_NOT_FOUND,
                       "best sellers are not kept by this view: it was made without --best-sellers on");
}

void role_set_contributor(const struct view *view, json_t *object, enum role role, const char *user_id,
                          const struct contribution *product) {
    if (role == ROLE_PRODUCT)
        products_set(object, user_id, product);
    else
        people_set(view, object, user_id);
}
