/*
 * all_time: the calls of views/store.h for a view without periods, as most tests need them.
 */
#ifndef TESTS_UNIT_SUPPORT_ALL_TIME_H
#define TESTS_UNIT_SUPPORT_ALL_TIME_H

#include <string.h>

#include "views/store.h"

/* Binds the store to `source` (NULL: only serves) with no periods, no best sellers and one partition. */
static inline enum status bind_to(struct store *store, const struct store_source *source,
                                  uint8_t identity_key[STORE_IDENTITY_KEY_BYTES], struct error *e) {
    const struct store_wish wish = {.source = source, .shape = {.board_partitions = 1}};
    struct store_binding binding;
    enum status status = store_bind(store, &wish, &binding, e);
    if (!status)
        memcpy(identity_key, binding.identity_key, sizeof binding.identity_key);
    return status;
}

/* One contributor's rows of all time, by role. */
static inline enum status read_people_scores(struct store *store, const char *user_id,
                                             struct store_score scores[PEOPLE_ROLES], struct error *e) {
    return store_read_scores(store, user_id, board_all_time, PEOPLE_ROLES, 0, scores, e);
}

#endif
