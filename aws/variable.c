#include "aws/variable.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

const char *aws_variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

char *aws_variable_copy(const char *name) {
    const char *value = aws_variable(name);
    return value ? mem_strdup(value) : NULL;
}

bool aws_variable_is_true(const char *name) {
    const char *value = aws_variable(name);
    return value && strcasecmp(value, "true") == 0;
}
