/*
 * json_scan: reads the parts of a JSON text (RFC 8259) where they are plain: strings without escapes. A
 * caller that meets anything else leaves the text to jansson. Thread-safe.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* What is not read yet. */
struct json_scan {
    const char *at, *end;
};

/* Past white space. */
void json_scan_space(struct json_scan *scan);

/* Past white space, and past `c`. False: something else is next. */
bool json_scan_take(struct json_scan *scan, char c);

/* How many of the bytes from `at` on are characters of a string as they stand: no quote, no escape, no
 * control character. */
size_t json_scan_characters(const char *at, const char *end);

/* Past white space and a string of valid UTF-8, whose bytes it returns, borrowed. False if it is not plain:
 * then `scan` is somewhere in it. */
bool json_scan_string(struct json_scan *scan, const char **text, size_t *length);

#endif
