/*
 * products: what an answer shows of a product, and the rows that it needs for that. The texts of a product
 * are what its merchant and its photographer wrote: they are shown as they are, but cannot deceive.
 * Thread-safe.
 */
#ifndef API_PRODUCTS_H
#define API_PRODUCTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/problem.h"
#include "api/route.h"
#include "base/limits.h"
#include "views/contribution.h"

/* The text, cleaned as names of people are (base/text.h); null if it is NULL or blank. */
json_t *products_text(const char *text);

/* The address of a picture if a page may load it: with the scheme https, or a relative path (RFC 3986,
 * section 4.2: path-absolute or path-noscheme), so that neither a script nor another host can hide in it;
 * else null. */
json_t *products_image(const char *image);

/* Sets "productId" and "name", in this order, on a board of products. `row` NULL: the product has no row, and
 * null as its name. */
void products_set(json_t *object, const char *product_id, const struct contribution *row);

/* The whole product: the body of GET /contributions/{productId}, read when the view was complete up to
 * `as_of_ms`. */
json_t *products_contribution(const struct view *view, const struct contribution *row, int64_t as_of_ms);

/* Rows of some products. Starts as {0}; the caller frees with products_deinit, also after a failure. */
struct products {
    size_t n;
    struct contribution *rows[LIMIT_BOARD_ITEMS];
};

/* Reads the rows of at most LIMIT_BOARD_ITEMS products, which may repeat, in one call. */
enum status products_read(const struct route_load *load, const char *const ids[], size_t n,
                          struct products *products, struct error *e);

/* The same where only names are needed: rows have no more than that, and are read only of products whose
 * names are not known yet (api/product_names.h). */
enum status products_read_names(const struct route_load *load, const char *const ids[], size_t n,
                                struct products *products, struct error *e);

/* NULL: there is no such row. Borrowed. */
const struct contribution *products_find(const struct products *products, const char *id);
void products_deinit(struct products *products);

/* Checks a product's id; false with a problem. */
bool products_check_id(const char *product_id, struct problem *p);

#endif
