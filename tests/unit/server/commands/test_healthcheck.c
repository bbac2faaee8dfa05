#include "server/commands/healthcheck.h"

#include "tests/unit/support/test.h"

static void the_health_check_calls_the_address_of_the_probes(void **state) {
    (void)state;
    static const struct {
        const char *listen, *ops_listen, *url;
    } cases[] = {
        {"127.0.0.1:8080", NULL, "http://127.0.0.1:8080/livez"},
        {"127.0.0.1:8080", "10.0.0.1:9090", "http://10.0.0.1:9090/livez"},
        {NULL, "10.0.0.1:9090", "http://10.0.0.1:9090/livez"},
        {"localhost:80", NULL, "http://localhost:80/livez"},
        {"[fd00::1]:80", NULL, "http://[fd00::1]:80/livez"},
        {"0.0.0.0:80", NULL, "http://127.0.0.1:80/livez"},
        {"[::]:80", NULL, "http://127.0.0.1:80/livez"},
        {"[0:0::0]:80", NULL, "http://127.0.0.1:80/livez"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct options options = {.listen = cases[i].listen, .ops_listen = cases[i].ops_listen};
        char url[300];
        struct error e;
        assert_int_equal(healthcheck_url(&options, url, sizeof url, &e), STATUS_OK);
        assert_string_equal(url, cases[i].url);
    }
}

static void a_health_check_without_a_known_port_is_an_error_that_names_the_option(void **state) {
    (void)state;
    static const struct {
        const char *listen, *ops_listen, *word;
    } cases[] = {
        {NULL, NULL, "--ops-listen"},
        {"127.0.0.1:0", NULL, "--listen: '127.0.0.1:0'"},
        {"127.0.0.1:80", "[::1]:00", "--ops-listen: '[::1]:00'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct options options = {.listen = cases[i].listen, .ops_listen = cases[i].ops_listen};
        char url[300];
        struct error e;
        assert_int_equal(healthcheck_url(&options, url, sizeof url, &e), STATUS_INVALID);
        assert_contains(e.message, cases[i].word);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_health_check_calls_the_address_of_the_probes),
        cmocka_unit_test(a_health_check_without_a_known_port_is_an_error_that_names_the_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
