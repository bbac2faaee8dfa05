#include "api/people.h"

#include <string.h>

#include "api/answer.h"
#include "api/seal.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "views/contribution.h"

enum { PARTS = 4, HIDDEN_TAIL = 4, SHOWN = 3 };

struct part {
    const char *text;
    size_t length;
};

/* Splits at slashes; ignores what follows the fourth part. Returns how many parts there are. */
static size_t split(const char *user_id, struct part parts[PARTS]) {
    for (size_t n = 0;; n++) {
        size_t length = strcspn(user_id, "/");
        parts[n] = (struct part){user_id, length};
        if (!user_id[length] || n == PARTS - 1)
            return n + 1;
        user_id += length + 1;
    }
}

static void find_parts(const char *user_id, struct part *unique_id, struct part *name) {
    struct part parts[PARTS];
    size_t n = split(user_id, parts);
    if (n == 1)
        parts[0] = (struct part){CONTRIBUTION_UNKNOWN, strlen(CONTRIBUTION_UNKNOWN)};
    *name = parts[n - 1];
    *unique_id = parts[n == PARTS ? 2 : n - 1];
}

char *people_name(const char *user_id) {
    struct part unique_id, name;
    find_parts(user_id, &unique_id, &name);
    return mem_strndup(name.text, name.length);
}

char *people_masked(const char *user_id) {
    struct part unique_id, name;
    find_parts(user_id, &unique_id, &name);
    size_t count = utf8_count(unique_id.text, unique_id.length);
    if (count <= HIDDEN_TAIL)
        return mem_strndup(name.text, name.length);
    size_t end = count - HIDDEN_TAIL, start = end > SHOWN ? end - SHOWN : 0;
    size_t from = utf8_offset(unique_id.text, unique_id.length, start);
    size_t to = utf8_offset(unique_id.text, unique_id.length, end);
    return mem_printf("%.*s (**...**%.*s****)", (int)name.length, name.text, (int)(to - from),
                      unique_id.text + from);
}

char *people_shown_user_id(const struct view *view, const char *user_id) {
    return view->options.full_identities ? mem_strdup(user_id) : people_masked(user_id);
}

void people_set(const struct view *view, json_t *object, const char *user_id) {
    _cleanup_(mem_freep) char *id = seal_make(view->sealer, SEAL_ID, user_id, strlen(user_id));
    _cleanup_(mem_freep) char *shown = people_shown_user_id(view, user_id);
    _cleanup_(mem_freep) char *name = people_name(user_id);
    json_object_set_new(object, "id", json_string(id));
    json_object_set_new(object, "userId", answer_text(shown));
    json_object_set_new(object, "name", answer_text(name));
}

/* A userId may be any text, also one that looks like a sealed id: what opens is an id. */
char *people_user_id(const struct view *view, const char *id, struct problem *p) {
    char *user_id = seal_open(view->sealer, SEAL_ID, id, NULL);
    if (user_id || strlen(id) <= LIMIT_KEY_BYTES)
        return user_id ? user_id : mem_strdup(id);
    problem_set_parameter(p, "id", id, "an id, or a userId of at most 2048 bytes");
    return NULL;
}
