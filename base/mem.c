#include "base/mem.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_abort(const char *why) {
    struct pollfd end = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&end, 1, 0) == 1 && end.revents & POLLOUT) /* a write to a full pipe would block */
        dprintf(STDERR_FILENO, "winner-view: %s\n", why);
    abort();
}

void mem_exhausted(void) {
    mem_abort("out of memory");
}

static void *present(void *p) {
    if (!p)
        mem_exhausted();
    return p;
}

void *mem_alloc(size_t size) {
    return present(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size) {
    return present(calloc(1, size ? size : 1));
}

void *mem_resize(void *old, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size)
        mem_exhausted();
    size_t bytes = count * size;
    return present(realloc(old, bytes ? bytes : 1));
}

void *mem_dup(const void *data, size_t size) {
    void *copy = mem_alloc(size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *mem_strdup(const char *s) {
    return present(strdup(s));
}

char *mem_strndup(const char *s, size_t n) {
    return present(strndup(s, n));
}

char *mem_printf(const char *format, ...) {
    char *out;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&out, format, args);
    va_end(args);
    if (n < 0)
        mem_exhausted();
    return out;
}

void mem_freep(void *pointer_to_pointer) {
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}
