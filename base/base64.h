/*
 * base64: RFC 4648, by OpenSSL. The standard alphabet with padding (section 4) for JSON of AWS; the URL-safe
 * one without padding (section 5) for paths.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* New strings, the caller's to free. */
char *base64_encode(const void *data, size_t length);
char *base64_url_encode(const void *data, size_t length);

/* New bytes, the caller's to free, their number in `*length`. NULL if `text` is not strictly in that form. */
uint8_t *base64_decode(const char *text, size_t text_length, size_t *length);
uint8_t *base64_url_decode(const char *text, size_t text_length, size_t *length);

#endif
