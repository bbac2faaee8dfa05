/*
 * changes: what changed from one board to the next, as the data of a `rows` event of /live (openapi.yaml,
 * BoardRows). Every row is in it whose place or members changed, or that is new, by its place:
 *
 *     board.items.length += (new rows) - left.length;   a new row has an `id`
 *     for each row: items[row.at] = {...(old items)[row.was ?? row.at], ...row}
 *
 * `updated` of a row that was there before is left out: it would be half of all bytes. Thread-safe; does not
 * block.
 */
#ifndef API_LIVE_CHANGES_H
#define API_LIVE_CHANGES_H

#include "api/answer.h"

enum changes {
    CHANGES_NONE, /* nothing that a reader sees */
    CHANGES_ROWS,
    CHANGES_WHOLE, /* another period, or so much that the whole board is no longer than its changes */
};

/* `before` and `now`: answers to the same request for a board of people. With CHANGES_ROWS sets `*data`, the
 * caller's. */
enum changes changes_find(const struct body *before, const struct body *now, struct body **data);

#endif
