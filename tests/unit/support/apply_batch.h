/* Records as one batch: added, written, and dropped if that fails. */
#ifndef TESTS_UNIT_SUPPORT_APPLY_BATCH_H
#define TESTS_UNIT_SUPPORT_APPLY_BATCH_H

#include "views/apply.h"

static inline enum status apply_batch(struct apply *a, const struct apply_record *records, size_t n,
                                      const struct store_checkpoint *checkpoint, struct apply_counts *counts,
                                      struct error *e) {
    enum status status = apply_add(a, records, n, e);
    *counts = (struct apply_counts){0};
    if (!status)
        status = apply_write(a, checkpoint, counts, e);
    if (status)
        apply_drop(a);
    return status;
}

#endif
