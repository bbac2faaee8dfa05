/*
 * handlers: the functions that the route table names, one file per resource. route.h describes their
 * arguments and results, openapi.yaml their answers.
 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

#include "api/route.h"

/* Templates that are named in two places: a write makes the keys of rows invalid. */
#define SCORES_MERCHANT "/scores/merchant"
#define SCORES_PHOTOGRAPHER "/scores/photographer"
#define SCORES_CONTRIBUTOR "/scores/{id}"
#define SCORES_RANK "/scores/{role}/{id}"
#define CONTRIBUTIONS_PRODUCT "/contributions/{productId}"

/* scores.c */
route_prepare_function scores_prepare_all, scores_prepare_board, scores_prepare_contributor,
    scores_prepare_rank;
route_load_function scores_load_all, scores_load_board, scores_load_contributor, scores_load_rank;

/* contributions.c */
route_prepare_function contributions_prepare_list, contributions_prepare_product;
route_load_function contributions_load_list, contributions_load_product;

/* operations.c */
route_answer_function operations_livez, operations_readyz, operations_metrics;

#endif
