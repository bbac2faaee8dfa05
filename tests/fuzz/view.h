/* fuzz_view: a view that can seal and open ids and cursors, keeps all periods, and has no store. Built once.
 */
#ifndef TESTS_FUZZ_VIEW_H
#define TESTS_FUZZ_VIEW_H

#include "api/seal.h"
#include "api/view.h"

static inline const struct view *fuzz_view(void) {
    static const uint8_t key[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";
    static struct view made;
    struct error e;
    if (made.sealer)
        return &made;
    made.sealer = seal_new(key, &e);
    made.freshness = freshness_new(service_clock_new(false));
    made.shape = (struct view_shape){.periods = ~0U, .best_sellers = true, .board_partitions = 1};
    return &made;
}

#endif
