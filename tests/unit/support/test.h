/* For the unit tests: cmocka with the headers that it needs, and cases from files (tests/data). */
#ifndef TESTS_UNIT_SUPPORT_TEST_H
#define TESTS_UNIT_SUPPORT_TEST_H

/* cmocka.h needs these headers before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define assert_contains(text, part)                                                                          \
    do {                                                                                                     \
        if (!strstr((text), (part)))                                                                         \
            fail_msg("'%s' does not contain '%s'", (text), (part));                                          \
    } while (0)

#define assert_lacks(text, part)                                                                             \
    do {                                                                                                     \
        if (strstr((text), (part)))                                                                          \
            fail_msg("'%s' contains '%s'", (text), (part));                                                  \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A number that looks random and is the same in every run. `state`: any number but 0 (xorshift64*). */
static inline uint32_t support_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * UINT64_C(2685821657736338717)) >> 32);
}

/* The member's text; NULL if there is no such member. */
static inline const char *support_text(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

/* A test for each case of a file: a JSON array of objects with a "title". `check` gets the case as `*state`.
 */
static inline int support_run_cases(const char *path, CMUnitTestFunction check) {
    json_error_t e;
    json_auto_t *cases = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    size_t n = json_array_size(cases), i;
    json_t *one;
    if (!n) {
        print_error("cannot read cases from %s: line %d: %s\n", path, e.line, e.text);
        return 1;
    }
    struct CMUnitTest *tests = mem_zalloc(n * sizeof *tests);
    json_array_foreach(cases, i, one) {
        tests[i] =
            (struct CMUnitTest){.name = support_text(one, "title"), .test_func = check, .initial_state = one};
    }
    int failed = _cmocka_run_group_tests(path, tests, n, NULL, NULL);
    free(tests);
    return failed;
}

#endif
