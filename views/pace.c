#include "views/pace.h"

#include "base/limits.h"

void pace_init(struct pace *p) {
    p->rows = LIMIT_TRANSACTION_ROWS / 4;
}

void pace_note(struct pace *p, size_t rows, int64_t took_ms) {
    if (took_ms > LIMIT_TRANSACTION_MS)
        p->rows = rows / 2;
    else if (rows >= p->rows && took_ms <= LIMIT_TRANSACTION_MS / 2)
        p->rows += p->rows / (took_ms <= LIMIT_TRANSACTION_MS / 3 ? 1 : 2);
    if (p->rows < LIMIT_TRANSACTION_LEAST_ROWS)
        p->rows = LIMIT_TRANSACTION_LEAST_ROWS;
    if (p->rows > LIMIT_TRANSACTION_ROWS)
        p->rows = LIMIT_TRANSACTION_ROWS;
}
