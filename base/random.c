#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/mem.h"

void random_bytes(void *out, size_t length) {
    uint8_t *at = out;
    while (length) {
        ssize_t n = getrandom(at, length < 256 ? length : 256, 0);
        if (n < 0 && errno != EINTR)
            mem_exhausted(); /* a kernel without getrandom */
        if (n > 0) {
            at += n;
            length -= (size_t)n;
        }
    }
}

uint32_t random_u32(void) {
    uint32_t value;
    random_bytes(&value, sizeof value);
    return value;
}

void random_hex(char *out, size_t bytes) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte;
        random_bytes(&byte, 1);
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[2 * bytes] = '\0';
}
