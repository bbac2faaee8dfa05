#include "base/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *base64_encode(const void *data, size_t length) {
    if (length > INT_MAX / 2)
        mem_exhausted();
    char *out = mem_alloc((length + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)out, data, (int)length);
    return out;
}

static bool is_padded_base64(const char *text, size_t length, size_t *padding) {
    *padding = 0;
    if (length % 4 || length > INT_MAX / 2)
        return false;
    while (*padding < 2 && *padding < length && text[length - 1 - *padding] == '=')
        ++*padding;
    for (size_t i = 0; i < length - *padding; i++) { /* EVP_DecodeBlock would accept white space and dashes */
        char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
              c == '/'))
            return false;
    }
    return true;
}

/* Whether the last four characters are what its last bytes are encoded to: no stray bits (RFC 4648,
 * section 3.5). */
static bool ends_canonically(const char *text_end, const uint8_t *data_end, size_t padding) {
    unsigned char again[5];
    int rest = 3 - (int)padding;
    if (!padding)
        return true;
    EVP_EncodeBlock(again, data_end - rest, rest);
    return memcmp(text_end - 4, again, 4) == 0;
}

uint8_t *base64_decode(const char *text, size_t text_length, size_t *length) {
    size_t padding;
    if (!is_padded_base64(text, text_length, &padding))
        return NULL;
    uint8_t *out = mem_alloc(text_length / 4 * 3 + 1);
    int n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)text_length);
    if (n < 0) {
        free(out);
        return NULL;
    }
    *length = (size_t)n - padding; /* EVP_DecodeBlock counts the padding as zero bytes */
    out[*length] = '\0';
    if (!ends_canonically(text + text_length, out + *length, padding)) {
        free(out);
        return NULL;
    }
    return out;
}

static void exchange(char *text, const char *from, const char *to) {
    for (; *text; text++) {
        const char *at = strchr(from, *text);
        if (at)
            *text = to[at - from];
    }
}

char *base64_url_encode(const void *data, size_t length) {
    char *out = base64_encode(data, length);
    exchange(out, "+/", "-_");
    out[strcspn(out, "=")] = '\0';
    return out;
}

uint8_t *base64_url_decode(const char *text, size_t text_length, size_t *length) {
    if (memchr(text, '+', text_length) || memchr(text, '/', text_length) || memchr(text, '=', text_length) ||
        memchr(text, '\0', text_length) || text_length > INT_MAX / 2)
        return NULL;
    size_t padded = (text_length + 3) / 4 * 4;
    _cleanup_(mem_freep) char *standard = mem_alloc(padded + 1);
    memcpy(standard, text, text_length);
    memset(standard + text_length, '=', padded - text_length);
    standard[padded] = '\0';
    exchange(standard, "-_", "+/");

    return base64_decode(standard, padded, length);
}
