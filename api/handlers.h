/*
 * handlers: the functions that the route table names, one file per resource. route.h describes their
 * arguments and results, openapi.yaml their answers.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "api/route.h"

/* Templates that are named in two places: they are in the keys that a load reads. */
#define SCORES "/scores"
#define SCORES_MERCHANT "/scores/merchant"
#define SCORES_PHOTOGRAPHER "/scores/photographer"
#define SCORES_PRODUCT "/scores/product"
#define SCORES_CONTRIBUTOR "/scores/{id}"
#define SCORES_RANK "/scores/{role}/{id}"
#define SCORES_PRODUCT_RANK "/scores/product/{productId}"
#define SCORES_HISTORY "/scores/{role}/{id}/history"
#define SCORES_PRODUCT_HISTORY "/scores/product/{productId}/history"
#define SALES "/sales"
#define SALES_HISTORY "/sales/history"
#define CONTRIBUTIONS "/contributions"
#define CONTRIBUTIONS_PRODUCT "/contributions/{productId}"

/* boards.c */
route_prepare_function boards_prepare_all, boards_prepare_people, boards_prepare_products;
route_load_function boards_load, boards_load_all;
route_refreshable_function boards_is_refreshable;

/* contributor.c */
route_prepare_function contributor_prepare, contributor_prepare_rank, contributor_prepare_product_rank;
route_load_function contributor_load, contributor_load_rank;

/* history.c */
route_prepare_function history_prepare_people, history_prepare_product, history_prepare_sales;
route_load_function history_load;

/* sales.c */
route_prepare_function sales_prepare;
route_load_function sales_load;

/* contributions.c */
route_prepare_function contributions_prepare_list, contributions_prepare_product;
route_load_function contributions_load_list, contributions_load_product;
route_refreshable_function contributions_is_refreshable;

/* operations.c */
route_answer_function operations_livez, operations_readyz, operations_metrics;

#endif
