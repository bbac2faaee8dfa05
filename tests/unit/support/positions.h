/* Positions of a score's write. */
#ifndef TESTS_UNIT_SUPPORT_POSITIONS_H
#define TESTS_UNIT_SUPPORT_POSITIONS_H

#include "base/mem.h"
#include "views/position.h"

/* `n` of them from `first` on, in one block with what they point to, which the caller frees. */
static inline const struct position **support_positions(uint64_t first, size_t n) {
    const struct position **list = mem_alloc(n * (sizeof *list + sizeof **list));
    struct position *positions = (struct position *)(list + n);
    for (size_t i = 0; i < n; i++) {
        positions[i] = position_from_u64(first + i);
        list[i] = &positions[i];
    }
    return list;
}

#endif
