/*
 * aws/header_value: what is put into a header line or a URL: keys, tokens, names. Programs that write them
 * into files and variables often leave a newline at the end; one inside would begin another header line.
 * Pure.
 */
#ifndef AWS_HEADER_VALUE_H
#define AWS_HEADER_VALUE_H

#include "base/error.h"

/* A copy of `text` (may be NULL) without the white space around it, the caller's to free; NULL if nothing is
 * left: it is not set. */
char *aws_header_value_trim(const char *text);

/* The same in `out`. INVALID if it then holds anything but printable ASCII and tabs (RFC 9110, section 5.5):
 * the error names `what`, the variable or setting, and never quotes the text, which may be a secret. */
enum status aws_header_value_take(const char *text, const char *what, char **out, struct error *e);

#endif
