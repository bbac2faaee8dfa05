/* utf8: well-formed UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_is_valid(const char *data, size_t length);

/* How many of the `left` bytes (at least one) at `data` are its first code point, `*c`. A byte that begins
 * none is U+FFFD. */
size_t utf8_decode(const char *data, size_t left, uint32_t *c);

/* How many code points; `data` must be valid. */
size_t utf8_count(const char *data, size_t length);

/* The byte offset of code point `index` (at most utf8_count) in valid `data`. */
size_t utf8_offset(const char *data, size_t length, size_t index);

/* How many of the first `length` bytes to keep so that no character is cut in its middle. */
size_t utf8_cut(const char *data, size_t length);

/* Makes `text` valid: a character that is cut off at its end is removed, and each other byte that is no part
 * of a character becomes '?'. For text that quotes bytes from outside and goes into JSON. */
void utf8_mend(char *text);

#endif
