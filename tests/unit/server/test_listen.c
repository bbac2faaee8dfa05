#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/listen.h"

static void a_listen_address_is_a_host_and_a_port(void **state) {
    (void)state;
    static const struct {
        const char *text, *host, *port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", "8080"},
        {"localhost:0", "localhost", "0"},
        {"[::]:8080", "::", "8080"},
        {"[::1]:65535", "::1", "65535"},
    };
    struct listen_address address;
    struct error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(listen_parse(cases[i].text, &address, &e), STATUS_OK);
        assert_string_equal(address.host, cases[i].host);
        assert_string_equal(address.port, cases[i].port);
    }
}

static void text_that_is_not_a_listen_address_is_refused_with_the_allowed_form(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",         "8080",   ":8080", "host",  "host:",   "host:x", "host:-1", "h:65536",
        "h:999999", "::1:80", "[::1]", "[]:80", "[::1:80", "h:80 ",  "h: 80"};
    struct listen_address address;
    struct error e;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(listen_parse(texts[i], &address, &e), STATUS_INVALID);
        assert_non_null(strstr(e.message, "allowed: HOST:PORT"));
    }
}

static void port_0_is_replaced_by_a_free_port(void **state) {
    (void)state;
    struct error e;
    int fd = listen_open("127.0.0.1:0", &e);
    assert_true(fd >= 0);
    assert_true(listen_port(fd) > 0);
    close(fd);
}

static void an_address_in_use_is_named_in_the_error(void **state) {
    (void)state;
    struct error e;
    char text[32];
    int first = listen_open("127.0.0.1:0", &e);
    snprintf(text, sizeof text, "127.0.0.1:%u", listen_port(first));
    assert_int_equal(listen_open(text, &e), -1);
    assert_non_null(strstr(e.message, text));
    close(first);
}

static bool has_ipv6 = true;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);

int __wrap_socket(int family, int type, int protocol) {
    if (family != AF_INET6 || has_ipv6)
        return __real_socket(family, type, protocol);
    errno = EAFNOSUPPORT;
    return -1;
}

static bool answers_ipv4(int listening) {
    const struct sockaddr_in to = {
        AF_INET, htons((uint16_t)listen_port(listening)), {htonl(INADDR_LOOPBACK)}, {0}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool connected = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return connected;
}

static bool answers_ipv6(int listening) {
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                                    .sin6_port = htons((uint16_t)listen_port(listening)),
                                    .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool connected = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return connected;
}

static void all_addresses_of_ipv6_are_those_of_ipv4_too(void **state) {
    (void)state;
    struct error e;
    if (access("/proc/net/if_inet6", F_OK) != 0)
        skip();
    int fd = listen_open("[::]:0", &e);
    assert_true(answers_ipv6(fd) && answers_ipv4(fd));
    assert_false(listen_is_ipv4(fd));
    close(fd);
}

static void without_ipv6_all_addresses_are_those_of_ipv4(void **state) {
    (void)state;
    struct error e;
    has_ipv6 = false;
    int fd = listen_open("[::]:0", &e), other = listen_open("[::1]:0", &e);
    has_ipv6 = true;
    assert_true(answers_ipv4(fd));
    assert_true(listen_is_ipv4(fd));
    close(fd);
    assert_int_equal(other, -1); /* one address is nothing else */
    assert_non_null(strstr(e.message, "cannot listen on '[::1]:0'"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listen_address_is_a_host_and_a_port),
        cmocka_unit_test(text_that_is_not_a_listen_address_is_refused_with_the_allowed_form),
        cmocka_unit_test(port_0_is_replaced_by_a_free_port),
        cmocka_unit_test(an_address_in_use_is_named_in_the_error),
        cmocka_unit_test(all_addresses_of_ipv6_are_those_of_ipv4_too),
        cmocka_unit_test(without_ipv6_all_addresses_are_those_of_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
