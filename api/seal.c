#include "api/seal.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

enum { TAG_BYTES = 16, LEAST_BYTES = 64, DOUBLED_BYTES = 1024 };

/* Clients keep ids, so these texts must never change. */
static const char *const purposes[SEAL_PURPOSES] = {
    [SEAL_ID] = "winner-view id",
    [SEAL_CURSOR] = "winner-view cursor",
};

struct sealer {
    EVP_CIPHER *cipher;
    uint8_t key[SEAL_KEY_BYTES];
};

struct sealer *seal_new(const uint8_t key[SEAL_KEY_BYTES], struct error *e) {
    struct sealer *sealer = mem_zalloc(sizeof *sealer);
    memcpy(sealer->key, key, SEAL_KEY_BYTES);
    sealer->cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
    if (!sealer->cipher) {
        error_set(e, STATUS_FAILED, "OpenSSL has no AES-128-SIV");
        seal_free(sealer);
        return NULL;
    }
    return sealer;
}

void seal_free(struct sealer *sealer) {
    if (!sealer)
        return;
    EVP_CIPHER_free(sealer->cipher);
    OPENSSL_cleanse(sealer->key, sizeof sealer->key);
    free(sealer);
}

static void free_context(EVP_CIPHER_CTX **context) {
    EVP_CIPHER_CTX_free(*context);
}

/* A context that has the key and the purpose. `tag`: of what it opens; NULL: it seals. */
static EVP_CIPHER_CTX *start(const struct sealer *sealer, enum seal_purpose purpose, uint8_t *tag) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const char *text = purposes[purpose];
    int n;
    if (!context || !EVP_CipherInit_ex2(context, sealer->cipher, sealer->key, NULL, !tag, NULL) ||
        (tag && !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag)) ||
        !EVP_CipherUpdate(context, NULL, &n, (const unsigned char *)text, (int)strlen(text)))
        mem_exhausted(); /* cipher, key and tag are valid: only memory can be short */
    return context;
}

static size_t padded_length(size_t length) {
    for (size_t padded = LEAST_BYTES; padded <= DOUBLED_BYTES; padded *= 2)
        if (length <= padded)
            return padded;
    return length > SEAL_LONGEST_BYTES ? length : SEAL_LONGEST_BYTES;
}

/* Padded with NULs: the data does not end in one. */
char *seal_make(const struct sealer *sealer, enum seal_purpose purpose, const void *data,
                size_t data_length) {
    size_t length = padded_length(data_length);
    _cleanup_(mem_freep) uint8_t *sealed = mem_alloc(TAG_BYTES + length);
    _cleanup_(mem_freep) uint8_t *plain = mem_zalloc(length);
    memcpy(plain, data, data_length);
    _cleanup_(free_context) EVP_CIPHER_CTX *context = start(sealer, purpose, NULL);
    int n;
    if (!EVP_CipherUpdate(context, sealed + TAG_BYTES, &n, plain, (int)length) ||
        !EVP_CipherFinal_ex(context, sealed + TAG_BYTES + n, &n) ||
        !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, sealed))
        mem_exhausted();
    return base64_url_encode(sealed, TAG_BYTES + length);
}

char *seal_open(const struct sealer *sealer, enum seal_purpose purpose, const char *sealed, size_t *length) {
    size_t bytes;
    _cleanup_(mem_freep) uint8_t *raw = base64_url_decode(sealed, strlen(sealed), &bytes);
    if (!raw || bytes <= TAG_BYTES || bytes > INT_MAX)
        return NULL;
    bytes -= TAG_BYTES;
    _cleanup_(mem_freep) char *data = mem_zalloc(bytes + 1);
    _cleanup_(free_context) EVP_CIPHER_CTX *context = start(sealer, purpose, raw);
    int n;
    if (EVP_CipherUpdate(context, (unsigned char *)data, &n, raw + TAG_BYTES, (int)bytes) <= 0 ||
        EVP_CipherFinal_ex(context, (unsigned char *)data + n, &n) <= 0)
        return NULL;
    while (bytes && !data[bytes - 1])
        bytes--;
    if (length)
        *length = bytes;
    char *opened = data;
    data = NULL;
    return opened;
}
