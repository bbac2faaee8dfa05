#include "api/route.h"

#include <string.h>

#include "api/handlers.h"

/* The first route that matches wins: fixed words stand before ids. */
const struct route route_table[] = {
    {.template = "/", .kind = ROUTE_ASSET, .asset = ASSET_PAGE},
    {.template = "/board.css", .kind = ROUTE_ASSET, .asset = ASSET_STYLE},
    {.template = "/board.js", .kind = ROUTE_ASSET, .asset = ASSET_SCRIPT},
    {.template = "/openapi.yaml", .kind = ROUTE_ASSET, .asset = ASSET_OPENAPI},
    {.template = "/livez", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_livez},
    {.template = "/readyz", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_readyz},
    {.template = "/healthz", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_readyz},
    {.template = "/metrics", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_metrics},
    {.template = "/live", .kind = ROUTE_LIVE},
    {.template = "/scores",
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "role", ROUTE_MAX_LAG},
     .prepare = scores_prepare_all,
     .load = scores_load_all,
     .from_index = true,
     .refreshable = true},
    {.template = SCORES_MERCHANT,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", ROUTE_MAX_LAG},
     .prepare = scores_prepare_board,
     .load = scores_load_board,
     .from_index = true,
     .refreshable = true},
    {.template = "/scores/creator",
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", ROUTE_MAX_LAG},
     .prepare = scores_prepare_board,
     .load = scores_load_board,
     .from_index = true,
     .refreshable = true},
    {.template = SCORES_PHOTOGRAPHER,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", ROUTE_MAX_LAG},
     .prepare = scores_prepare_board,
     .load = scores_load_board,
     .from_index = true,
     .refreshable = true},
    {.template = SCORES_CONTRIBUTOR,
     .kind = ROUTE_LOADED,
     .parameters = {ROUTE_MAX_LAG},
     .prepare = scores_prepare_contributor,
     .load = scores_load_contributor,
     .missing = "contributor"},
    /* Not refreshable: counting LIMIT_RANKED rows per contributor after each batch costs too much. */
    {.template = SCORES_RANK,
     .kind = ROUTE_LOADED,
     .parameters = {ROUTE_MAX_LAG},
     .prepare = scores_prepare_rank,
     .load = scores_load_rank,
     .missing = "contributor in this role",
     .from_index = true},
    {.template = "/contributions",
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", ROUTE_MAX_LAG},
     .prepare = contributions_prepare_list,
     .load = contributions_load_list,
     .from_index = true,
     .refreshable = true},
    {.template = CONTRIBUTIONS_PRODUCT,
     .kind = ROUTE_LOADED,
     .parameters = {ROUTE_MAX_LAG},
     .prepare = contributions_prepare_product,
     .load = contributions_load_product,
     .missing = "product"},
};

const size_t route_count = sizeof route_table / sizeof *route_table;

static bool matches(const struct route *route, const struct request *request) {
    const char *at = route->template;
    if (request->n_segments == 0)
        return strcmp(at, "/") == 0;
    for (size_t i = 0; i < request->n_segments; i++) {
        if (at[0] != '/' || !at[1])
            return false;
        const char *segment = request->segments[i];
        size_t length = strcspn(++at, "/");
        if (*at == '{' && !*segment)
            return false;
        if (*at != '{' && (strncmp(segment, at, length) != 0 || segment[length]))
            return false;
        at += length;
    }
    return !*at;
}

const struct route *route_find(const struct request *request) {
    if (request->n_segments > REQUEST_SEGMENTS)
        return NULL;
    for (size_t i = 0; i < route_count; i++)
        if (matches(&route_table[i], request))
            return &route_table[i];
    return NULL;
}

const struct route *route_named(const char *template) {
    for (size_t i = 0; i < route_count; i++)
        if (strcmp(route_table[i].template, template) == 0)
            return &route_table[i];
    return NULL;
}
