/* aws/variable: environment variables, where an empty one is not set. Call it at start: getenv is only safe
 * while nobody sets any. */
#ifndef AWS_VARIABLE_H
#define AWS_VARIABLE_H

#include <stdbool.h>

/* NULL if not set. Borrowed from the environment. */
const char *aws_variable(const char *name);

/* The same, the caller's to free. */
char *aws_variable_copy(const char *name);

/* Whether it is "true", in any case. */
bool aws_variable_is_true(const char *name);

#endif
