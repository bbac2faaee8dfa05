/*
 * characters: which of them each part of a request may have. Pure functions.
 */
#ifndef SERVER_HTTP_CHARACTERS_H
#define SERVER_HTTP_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>

/* A method or a header's name (RFC 9110, section 5.6.2): letters, digits, !#$%&'*+-.^_`|~; not empty. */
bool characters_are_token(const char *text, size_t length);

/* A header's value (RFC 9110, section 5.5): visible characters, spaces, tabs, and bytes of any other
 * encoding. */
bool characters_are_value(const char *text, size_t length);

/* A host and a port (RFC 3986, sections 3.2.2 and 3.2.3): letters, digits, -._~%!$&'()*+,;=:[] */
bool characters_are_authority(const char *text, size_t length);

/* A target, up to its NUL: no space, no control character, no fragment, which is no part of a target (RFC
 * 9112, section 3.2) and which nginx cuts off; not empty. */
bool characters_are_target(const char *text);

#endif
