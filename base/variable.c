#include "base/variable.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"

const char *variable_get(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

char *variable_copy(const char *name) {
    const char *value = variable_get(name);
    return value ? mem_strdup(value) : NULL;
}

bool variable_is_true(const char *name) {
    const char *value = variable_get(name);
    return value && strcasecmp(value, "true") == 0;
}
