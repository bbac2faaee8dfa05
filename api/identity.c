#include "api/identity.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/base64.h"
#include "server/base/mem.h"

enum { TAG_BYTES = 16 };

/* Associated data: what is sealed for another purpose under the same key does not open as an id. */
static const char purpose[] = "winner-view id";

struct identity {
    EVP_CIPHER *cipher;
    uint8_t key[IDENTITY_KEY_BYTES];
};

struct identity *identity_new(const uint8_t key[IDENTITY_KEY_BYTES], struct error *e) {
    struct identity *identity = mem_zalloc(sizeof *identity);
    memcpy(identity->key, key, IDENTITY_KEY_BYTES);
    identity->cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
    if (!identity->cipher) {
        error_set(e, STATUS_FAILED, "OpenSSL has no AES-128-SIV");
        identity_free(identity);
        return NULL;
    }
    return identity;
}

void identity_free(struct identity *identity) {
    if (!identity)
        return;
    EVP_CIPHER_free(identity->cipher);
    OPENSSL_cleanse(identity->key, sizeof identity->key);
    free(identity);
}

static void free_context(EVP_CIPHER_CTX **context) {
    EVP_CIPHER_CTX_free(*context);
}

static EVP_CIPHER_CTX *start(const struct identity *identity, bool seal) {
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context || !EVP_CipherInit_ex2(context, identity->cipher, identity->key, NULL, seal, NULL))
        mem_exhausted(); /* the cipher and the key are fine: nothing else can fail */
    return context;
}

static bool add_purpose(EVP_CIPHER_CTX *context) {
    int n;
    return EVP_CipherUpdate(context, NULL, &n, (const unsigned char *)purpose, sizeof purpose - 1);
}

char *identity_seal(const struct identity *identity, const char *user_id) {
    size_t length = strlen(user_id);
    _cleanup_(mem_freep) uint8_t *sealed = mem_alloc(TAG_BYTES + length);
    _cleanup_(free_context) EVP_CIPHER_CTX *context = start(identity, true);
    int n;
    if (!add_purpose(context) ||
        !EVP_CipherUpdate(context, sealed + TAG_BYTES, &n, (const unsigned char *)user_id, (int)length) ||
        !EVP_CipherFinal_ex(context, sealed + TAG_BYTES + n, &n) ||
        !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, sealed))
        mem_exhausted();
    return base64_url_encode(sealed, TAG_BYTES + length);
}

char *identity_open(const struct identity *identity, const char *id) {
    size_t length;
    _cleanup_(mem_freep) uint8_t *sealed = base64_url_decode(id, strlen(id), &length);
    if (!sealed || length <= TAG_BYTES || length > INT_MAX)
        return NULL;
    _cleanup_(mem_freep) char *user_id = mem_zalloc(length - TAG_BYTES + 1);
    _cleanup_(free_context) EVP_CIPHER_CTX *context = start(identity, false);
    int n;
    if (!EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, sealed) || !add_purpose(context) ||
        EVP_CipherUpdate(context, (unsigned char *)user_id, &n, sealed + TAG_BYTES,
                         (int)(length - TAG_BYTES)) <= 0 ||
        EVP_CipherFinal_ex(context, (unsigned char *)user_id + n, &n) <= 0)
        return NULL;
    char *opened = user_id;
    user_id = NULL;
    return opened;
}
