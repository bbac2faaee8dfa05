#include "base/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

void digest_sha256(const void *data, size_t length, uint8_t out[DIGEST_BYTES]) {
    if (EVP_Digest(length ? data : "", length, out, NULL, EVP_sha256(), NULL) != 1)
        mem_exhausted(); /* the only way in which it can fail */
}

struct digest digest_of(const void *data, size_t length) {
    struct digest digest;
    digest_sha256(data, length, digest.bytes);
    return digest;
}

bool digest_is_same(const struct digest *a, const struct digest *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool digest_is_set(const struct digest *digest) {
    return !digest_is_same(digest, &(struct digest){0});
}

void digest_hex(const uint8_t digest[DIGEST_BYTES], char out[DIGEST_HEX_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
}

void digest_sha256_hex(const void *data, size_t length, char out[DIGEST_HEX_SIZE]) {
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(data, length, digest);
    digest_hex(digest, out);
}
