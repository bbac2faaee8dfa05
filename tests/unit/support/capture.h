/* Captures standard error in a file, for tests of the log. */
#ifndef TESTS_UNIT_SUPPORT_CAPTURE_H
#define TESTS_UNIT_SUPPORT_CAPTURE_H

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/support/test.h"

enum { CAPTURED_BYTES = 1 << 20 };

static int standard_error, captured;

/* From here on, standard error goes to a file. */
static inline int capture(void **state) {
    (void)state;
    char path[] = "/tmp/winner-view-test-XXXXXX";
    standard_error = dup(STDERR_FILENO);
    captured = mkstemp(path);
    unlink(path);
    return standard_error < 0 || dup2(captured, STDERR_FILENO) < 0;
}

/* Restores standard error and returns the captured text, with a NUL at the end. */
static inline const char *end_capture(void) {
    static char text[CAPTURED_BYTES];
    dup2(standard_error, STDERR_FILENO);
    ssize_t n = pread(captured, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* Closes the captured file and resets the log. For the teardown. */
static inline int restore(void **state) {
    (void)state;
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    close(captured);
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return 0;
}

#endif
