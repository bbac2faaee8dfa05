/*
 * board_window: the rows of one page of a board, and the rows next to them, which show whether its first and
 * last are tied and whether there are more. CONTRIBUTION_UNKNOWN is left out: it is on no page of people.
 *
 * Each function reads the store within the load's deadline. The caller frees with board_window_deinit, also
 * after a failure; a window begins as {0}.
 */
#ifndef API_BOARD_WINDOW_H
#define API_BOARD_WINDOW_H

#include "api/listing.h"
#include "api/route.h"
#include "views/store.h"

struct board_window {
    struct store_board rows; /* the best first */
    size_t first, n;         /* the page is rows.items[first] to [first + n - 1] */
    bool at_top;             /* nothing is above rows.items[0] */
};

/* The page that begins after `page->from`, or at the top; or the one that ends before it, if that goes up. */
enum status board_window_read(const struct route_load *load, const struct board *board,
                              const struct listing_page *page, struct board_window *w, struct error *e);

/* `limit` rows with this contributor in the middle, fewer above or below where the board ends. They stand
 * where the index has them, once, even if their row is newer than the index; where the row is if the index
 * has none within LIMIT_RANKED rows. NOT_FOUND: no row on this board. */
enum status board_window_around(const struct route_load *load, const struct board *board, const char *user_id,
                                size_t limit, struct board_window *w, struct error *e);

void board_window_deinit(struct board_window *w);

#endif
