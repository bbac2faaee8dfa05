/* For the tests of aws/: a known environment, instead of the user's. */
#ifndef TESTS_UNIT_SUPPORT_AWS_H
#define TESTS_UNIT_SUPPORT_AWS_H

/* cmocka.h needs these headers before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Unsets every AWS_ and proxy variable; no shared files and no instance metadata. */
static inline void support_clear_environment(void) {
    static const char *const proxies[] = {"http_proxy",  "https_proxy", "all_proxy", "no_proxy",
                                          "HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY"};
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
        unsetenv(proxies[i]);
    for (char **entry = environ; *entry;) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
        if (strncmp(name, "AWS_", 4) == 0 && unsetenv(name) == 0)
            entry = environ;
        else
            entry++;
    }
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

/* What every test of a client needs. */
static inline void support_set_environment(void) {
    support_clear_environment();
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
}

/* A new file with that text, named by the environment variable until support_drop_file(variable). */
static inline void support_put_file(const char *variable, const char *text) {
    char path[] = "/tmp/winner-view-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    setenv(variable, path, 1);
}

static inline void support_drop_file(const char *variable) {
    unlink(getenv(variable));
    setenv(variable, "/dev/null", 1);
}

#define assert_contains(text, part)                                                                          \
    do {                                                                                                     \
        if (!strstr((text), (part)))                                                                         \
            fail_msg("'%s' does not contain '%s'", (text), (part));                                          \
    } while (0)

#endif
