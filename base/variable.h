/* variable: environment variables, where an empty one is not set. Call it at start: getenv is only safe while
 * no other thread changes the environment. */
#ifndef BASE_VARIABLE_H
#define BASE_VARIABLE_H

#include <stdbool.h>

/* Borrowed from the environment; NULL if it is not set. */
const char *variable_get(const char *name);

/* The caller's to free; NULL if it is not set. */
char *variable_copy(const char *name);

/* "true", in any case: how the AWS SDKs read their switches. */
bool variable_is_true(const char *name);

#endif
