/* digest: SHA-256 (FIPS 180-4) of bytes in memory, over OpenSSL. Thread-safe. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_SIZE (2 * DIGEST_BYTES + 1)

/* A digest by value. All zeros: none. */
struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct digest digest_of(const void *data, size_t length);
bool digest_is_set(const struct digest *digest);
bool digest_is_same(const struct digest *a, const struct digest *b);

void digest_sha256(const void *data, size_t length, uint8_t out[DIGEST_BYTES]);

/* Lower case, terminated. */
void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX_SIZE]);

/* Both steps: the SHA-256 of `data` in hexadecimal. */
void digest_sha256_hex(const void *data, size_t length, char out[DIGEST_HEX_SIZE]);

#endif
