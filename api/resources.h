/*
 * resources: the handlers that the route table names, one file a resource. What each of them takes and
 * returns is said in route.h; what they answer is said in openapi.yaml.
 */
#ifndef API_RESOURCES_H
#define API_RESOURCES_H

#include "api/route.h"
#include "views/contribution.h"

#define SCORES_CONTRIBUTOR "/scores/{id}"
#define SCORES_RANK "/scores/{role}/{id}"
#define CONTRIBUTIONS_PRODUCT "/contributions/{productId}"

typedef bool resource_prepare(struct api *api, const struct request *request, struct key *key,
                              struct problem *p);
typedef enum status resource_load(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                                  struct answer **answer, struct error *e);

/* scores.c */
resource_prepare scores_prepare_all, scores_prepare_board, scores_prepare_contributor, scores_prepare_rank;
resource_load scores_load_all, scores_load_board, scores_load_contributor, scores_load_rank;
/* Makes the keys that a write of this contributor's score concerns. */
void scores_contributor_key(struct key *key, const char *user_id);
void scores_rank_key(struct key *key, enum role role, const char *user_id);

/* contributions.c */
resource_prepare contributions_prepare_list, contributions_prepare_product;
resource_load contributions_load_list, contributions_load_product;
void contributions_product_key(struct key *key, const char *product_id);

/* operations.c */
struct answer *operations_livez(struct api *api);
struct answer *operations_readyz(struct api *api);
struct answer *operations_metrics(struct api *api);

/* live.c */
struct answer *live_headers(struct api *api);

/* assets.c: made once, by assets_load; each call gives a reference. */
void assets_load(struct api *api);
void assets_unload(struct api *api); /* also before they were loaded */
struct answer *assets_page(struct api *api);
struct answer *assets_style(struct api *api);
struct answer *assets_script(struct api *api);
struct answer *assets_openapi(struct api *api);

#endif
