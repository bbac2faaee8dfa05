#include "api/route.h"

#include <string.h>

#include "api/handlers.h"
#include "base/clock.h"

/* The first route that matches wins: fixed words stand before ids. Boards, which are read most, stand first.
 */
const struct route route_table[] = {
    {.template = SCORES,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "role", "period", ROUTE_MAX_LAG},
     .prepare = boards_prepare_all,
     .load = boards_load_all,
     .from_index = true,
     .is_refreshable = boards_is_refreshable},
    {.template = SCORES_MERCHANT,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", "period", "around", ROUTE_MAX_LAG},
     .prepare = boards_prepare_people,
     .load = boards_load,
     .missing = "contributor on this board",
     .from_index = true,
     .is_refreshable = boards_is_refreshable},
    {.template = "/scores/creator",
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", "period", "around", ROUTE_MAX_LAG},
     .prepare = boards_prepare_people,
     .load = boards_load,
     .missing = "contributor on this board",
     .from_index = true,
     .is_refreshable = boards_is_refreshable},
    {.template = SCORES_PHOTOGRAPHER,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", "period", "around", ROUTE_MAX_LAG},
     .prepare = boards_prepare_people,
     .load = boards_load,
     .missing = "contributor on this board",
     .from_index = true,
     .is_refreshable = boards_is_refreshable},
    {.template = SCORES_PRODUCT,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", "period", "around", ROUTE_MAX_LAG},
     .prepare = boards_prepare_products,
     .load = boards_load,
     .missing = "product on this board",
     .from_index = true,
     .is_refreshable = boards_is_refreshable},
    {.template = SCORES_CONTRIBUTOR,
     .kind = ROUTE_LOADED,
     .parameters = {ROUTE_MAX_LAG},
     .prepare = contributor_prepare,
     .load = contributor_load,
     .missing = "contributor"},
    /* Ranks are not refreshable: counting up to LIMIT_RANKED rows for each after every batch costs too much.
     */
    {.template = SCORES_PRODUCT_RANK,
     .kind = ROUTE_LOADED,
     .parameters = {"period", ROUTE_MAX_LAG},
     .prepare = contributor_prepare_product_rank,
     .load = contributor_load_rank,
     .missing = "product that was sold",
     .from_index = true},
    {.template = SCORES_RANK,
     .kind = ROUTE_LOADED,
     .parameters = {"period", ROUTE_MAX_LAG},
     .prepare = contributor_prepare_rank,
     .load = contributor_load_rank,
     .missing = "contributor in this role",
     .from_index = true},
    {.template = SCORES_PRODUCT_HISTORY,
     .kind = ROUTE_LOADED,
     .parameters = {"kind", "limit", "cursor", ROUTE_MAX_LAG},
     .prepare = history_prepare_product,
     .load = history_load,
     .missing = "product that was sold"},
    {.template = SCORES_HISTORY,
     .kind = ROUTE_LOADED,
     .parameters = {"kind", "limit", "cursor", ROUTE_MAX_LAG},
     .prepare = history_prepare_people,
     .load = history_load,
     .missing = "contributor in this role"},
    {.template = SALES,
     .kind = ROUTE_LOADED,
     .parameters = {"period", ROUTE_MAX_LAG},
     .prepare = sales_prepare,
     .load = sales_load},
    {.template = SALES_HISTORY,
     .kind = ROUTE_LOADED,
     .parameters = {"kind", "limit", "cursor", ROUTE_MAX_LAG},
     .prepare = history_prepare_sales,
     .load = history_load},
    {.template = CONTRIBUTIONS,
     .kind = ROUTE_LOADED,
     .parameters = {"limit", "cursor", "merchant", "photographer", "productIds", ROUTE_MAX_LAG},
     .prepare = contributions_prepare_list,
     .load = contributions_load_list,
     .missing = "contributor or product",
     .from_index = true,
     .is_refreshable = contributions_is_refreshable},
    {.template = CONTRIBUTIONS_PRODUCT,
     .kind = ROUTE_LOADED,
     .parameters = {ROUTE_MAX_LAG},
     .prepare = contributions_prepare_product,
     .load = contributions_load_product,
     .missing = "product"},
    /* The page itself reads and judges them. */
    {.template = "/", .kind = ROUTE_ASSET, .parameters = {"wall", "screens", "seconds"}, .asset = ASSET_PAGE},
    {.template = "/board.css", .kind = ROUTE_ASSET, .asset = ASSET_STYLE},
    {.template = "/board.js", .kind = ROUTE_ASSET, .asset = ASSET_SCRIPT},
    {.template = "/openapi.yaml", .kind = ROUTE_ASSET, .asset = ASSET_OPENAPI},
    {.template = "/livez", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_livez},
    {.template = "/readyz", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_readyz},
    {.template = "/healthz", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_readyz},
    {.template = "/metrics", .kind = ROUTE_MEMORY, .operations = true, .answer = operations_metrics},
    {.template = "/live", .kind = ROUTE_LIVE, .parameters = {"changes", "period"}},
};

const size_t route_count = sizeof route_table / sizeof *route_table;

/* Whether the template's segment at `*at` matches. Moves to its end if so. */
static bool skip_segment(const char **at, const char *segment) {
    if (**at == '{') {
        *at += strcspn(*at, "/");
        return *segment;
    }
    while (**at == *segment && *segment && *segment != '/')
        (*at)++, segment++;
    return !*segment && (!**at || **at == '/');
}

static bool matches(const struct route *route, const struct request *request) {
    const char *at = route->template;
    if (request->n_segments == 0)
        return strcmp(at, "/") == 0;
    for (size_t i = 0; i < request->n_segments; i++) {
        if (at[0] != '/' || !at[1])
            return false;
        at++;
        if (!skip_segment(&at, request->segments[i]))
            return false;
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

struct answer *route_peek(const struct route_load *load, const char *template, const char *first) {
    struct cache_key key;
    cache_key_make(&key, template, first, NULL);
    struct cache_value *value = cache_peek(load->cache, key.bytes, key.length, clock_boot_ms());
    if (!value || answer_of(value)->status == 200)
        return value ? answer_of(value) : NULL;
    cache_value_unref(value);
    return NULL;
}

const struct route *route_named(const char *template) {
    for (size_t i = 0; i < route_count; i++)
        if (strcmp(route_table[i].template, template) == 0)
            return &route_table[i];
    return NULL;
}
