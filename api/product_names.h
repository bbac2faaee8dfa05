/*
 * product_names: the names of products, remembered, so that a board of best sellers is not also a read of
 * each product's row. A product that has a row keeps its name, or its lack of one, for good (views/fold.h:
 * the first registration wins).
 *
 * Thread-safe; a leaf lock. At most LIMIT_PRODUCT_NAMES are kept: beyond, all are forgotten.
 */
#ifndef API_PRODUCT_NAMES_H
#define API_PRODUCT_NAMES_H

#include <stdbool.h>

struct product_names;

struct product_names *product_names_new(void);
void product_names_free(struct product_names *names); /* NULL is fine */

/* True if it is known; `*name` is then a new string, the caller's, or NULL: the product has none. */
bool product_names_find(struct product_names *names, const char *product_id, char **name);

/* `name` NULL: it has none. */
void product_names_add(struct product_names *names, const char *product_id, const char *name);

#endif
