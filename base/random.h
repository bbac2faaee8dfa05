/* random: unpredictable numbers, from the kernel. Thread-safe. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t length);
uint32_t random_u32(void);

/* `2 * bytes` lower case hexadecimal digits and a NUL into `out`. */
void random_hex(char *out, size_t bytes);

#endif
