#include "api/people.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "views/contribution.h"

enum { PARTS = 4, HIDDEN_TAIL = 4, SHOWN = 3 };

struct part {
    const char *text;
    size_t length;
};

/* The first parts of the userId; returns how many there are in all, at most PARTS. */
static size_t split(const char *user_id, struct part parts[PARTS]) {
    for (size_t n = 0;; n++) {
        size_t length = strcspn(user_id, "/");
        parts[n] = (struct part){user_id, length};
        if (!user_id[length] || n == PARTS - 1)
            return n + 1;
        user_id += length + 1;
    }
}

static void identify(const char *user_id, struct part *unique_id, struct part *name) {
    struct part parts[PARTS];
    size_t n = split(user_id, parts);
    if (n == 1)
        parts[0] = (struct part){CONTRIBUTION_UNKNOWN, strlen(CONTRIBUTION_UNKNOWN)};
    *name = parts[n - 1];
    *unique_id = parts[n == PARTS ? 2 : n - 1];
}

char *people_name(const char *user_id) {
    struct part unique_id, name;
    identify(user_id, &unique_id, &name);
    return mem_strndup(name.text, name.length);
}

char *people_masked(const char *user_id) {
    struct part unique_id, name;
    identify(user_id, &unique_id, &name);
    size_t count = utf8_count(unique_id.text, unique_id.length);
    if (count <= HIDDEN_TAIL)
        return mem_strndup(name.text, name.length);
    size_t end = count - HIDDEN_TAIL, start = end > SHOWN ? end - SHOWN : 0;
    size_t from = utf8_offset(unique_id.text, unique_id.length, start);
    size_t to = utf8_offset(unique_id.text, unique_id.length, end);
    return mem_printf("%.*s (**...**%.*s****)", (int)name.length, name.text, (int)(to - from),
                      unique_id.text + from);
}
