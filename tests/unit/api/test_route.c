#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache_key.h"
#include "api/route.h"

static const char *found(const char *target) {
    struct request request;
    struct problem p;
    assert_true(request_parse(&request, target, strlen(target), &p));
    const struct route *route = route_find(&request);
    return route ? route->template : "none";
}

static void each_path_has_its_route(void **state) {
    (void)state;
    assert_string_equal(found("/"), "/");
    assert_string_equal(found("/scores"), "/scores");
    assert_string_equal(found("/scores?role=creator"), "/scores");
    assert_string_equal(found("/contributions/a%2Fb"), "/contributions/{productId}");
    assert_string_equal(found("/contributions/%7B"), "/contributions/{productId}");
    assert_string_equal(found("/%73cores"), "/scores");
    assert_string_equal(found("/scores/merchant/x"), "/scores/{role}/{id}");
}

static void a_word_of_a_route_precedes_an_id(void **state) {
    (void)state;
    assert_string_equal(found("/scores/merchant"), "/scores/merchant");
    assert_string_equal(found("/scores/creator"), "/scores/creator");
    assert_string_equal(found("/scores/photographer"), "/scores/photographer");
    assert_string_equal(found("/scores/merchants"), "/scores/{id}");
    assert_string_equal(found("/scores/Merchant"), "/scores/{id}");
}

static void a_path_that_is_not_in_the_table_has_no_route(void **state) {
    (void)state;
    static const char *const targets[] = {
        "/scores/",        "/scores//",          "//scores", "/score", "/scoresx", "/scores/a/b/c",
        "/contributions/", "/contributions/a/b", "/livez/",  "/Livez", "*",        "/a/b/c/d/e",
        "/openapi",        "/scores%2Fmerchant"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        assert_string_equal(found(targets[i]), "none");
}

static bool has_parameter(const struct route *route, const char *name) {
    for (size_t i = 0; i < ROUTE_PARAMETERS; i++)
        if (route->parameters[i] && strcmp(route->parameters[i], name) == 0)
            return true;
    return false;
}

static void every_route_has_the_functions_and_parameters_of_its_kind(void **state) {
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        const struct route *route = &route_table[i];
        assert_ptr_equal(route_named(route->template), route);
        assert_int_equal(route->kind == ROUTE_LOADED, route->prepare && route->load);
        assert_int_equal(route->kind == ROUTE_MEMORY, route->answer != NULL);
        assert_int_equal(route->kind == ROUTE_LOADED, has_parameter(route, ROUTE_MAX_LAG));
        assert_null(route->parameters[ROUTE_PARAMETERS - 1]); /* ends the list */
    }
}

/* The paths of openapi.yaml, which is the contract: lines "  /...:" within "paths:". */
static size_t read_contract(char paths[][64], size_t max) {
    FILE *file = fopen(WINNER_VIEW_SOURCE_DIR "/openapi.yaml", "r");
    assert_non_null(file);
    char line[512];
    bool within = false;
    size_t n = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] != ' ' && line[0] != '\n' && line[0] != '#')
            within = strncmp(line, "paths:", 6) == 0;
        if (within && strncmp(line, "  /", 3) == 0) {
            assert_true(n < max);
            snprintf(paths[n++], 64, "%.*s", (int)strcspn(line + 2, ":"), line + 2);
        }
    }
    fclose(file);
    return n;
}

static void the_route_table_and_openapi_yaml_have_the_same_paths(void **state) {
    (void)state;
    char paths[64][64];
    size_t n = read_contract(paths, 64);
    for (size_t i = 0; i < n; i++)
        if (!route_named(paths[i]))
            fail_msg("%s is in openapi.yaml only", paths[i]);
    for (size_t i = 0; i < route_count; i++) {
        size_t at = 0;
        while (at < n && strcmp(paths[at], route_table[i].template) != 0)
            at++;
        if (at == n)
            fail_msg("%s is in the table only", route_table[i].template);
    }
    assert_int_equal(n, route_count);
}

static void a_cache_key_is_split_into_its_parts(void **state) {
    (void)state;
    struct cache_key key;
    const char *parts[CACHE_KEY_PARTS];
    cache_key_begin(&key, "/scores/{role}/{id}");
    cache_key_add(&key, "creator");
    cache_key_add(&key, "");
    cache_key_split(key.bytes, key.length, parts);
    assert_string_equal(parts[0], "/scores/{role}/{id}");
    assert_string_equal(parts[1], "creator");
    assert_string_equal(parts[2], "");
    assert_null(parts[3]);
    assert_null(parts[CACHE_KEY_PARTS - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_has_its_route),
        cmocka_unit_test(a_word_of_a_route_precedes_an_id),
        cmocka_unit_test(a_path_that_is_not_in_the_table_has_no_route),
        cmocka_unit_test(every_route_has_the_functions_and_parameters_of_its_kind),
        cmocka_unit_test(the_route_table_and_openapi_yaml_have_the_same_paths),
        cmocka_unit_test(a_cache_key_is_split_into_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
