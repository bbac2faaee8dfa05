/* digest: SHA-256 (FIPS 180-4) of bytes in memory, over OpenSSL. Thread-safe. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_SIZE (2 * DIGEST_BYTES + 1)

void digest_sha256(const void *data, size_t length, uint8_t out[DIGEST_BYTES]);

/* Lower case, terminated. */
void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX_SIZE]);

/* Both steps: the SHA-256 of `data` in hexadecimal. */
void digest_sha256_hex(const void *data, size_t length, char out[DIGEST_HEX_SIZE]);

#endif
