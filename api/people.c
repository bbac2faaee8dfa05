#include "api/people.h"

#include <string.h>

#include "api/answer.h"
#include "api/seal.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
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

struct origin {
    struct part unique_id, name;
    bool is_named; /* the name may be seen while people are masked */
};

static struct origin parse(const char *user_id) {
    struct part parts[PARTS];
    size_t n = split(user_id, parts);
    if (n == 1)
        parts[0] = (struct part){CONTRIBUTION_UNKNOWN, strlen(CONTRIBUTION_UNKNOWN)};
    return (struct origin){.unique_id = parts[n == PARTS ? 2 : n - 1],
                           .name = parts[n - 1],
                           .is_named = n == PARTS || contribution_is_unknown(user_id)};
}

char *people_name(const char *user_id, bool full_identities) {
    struct origin origin = parse(user_id);
    if (!(origin.is_named || full_identities) || text_is_blank(origin.name.text, origin.name.length))
        return NULL;
    return text_cleaned(origin.name.text, origin.name.length);
}

/* Up to three code points. */
static char *seen_of(const char *user_id) {
    const struct origin origin = parse(user_id);
    const struct part *unique_id = &origin.unique_id;
    size_t count = utf8_count(unique_id->text, unique_id->length);
    size_t end = count > HIDDEN_TAIL ? count - HIDDEN_TAIL : 0, start = end > SHOWN ? end - SHOWN : 0;
    size_t from = utf8_offset(unique_id->text, unique_id->length, start);
    size_t to = utf8_offset(unique_id->text, unique_id->length, end);
    return text_cleaned(unique_id->text + from, to - from);
}

char *people_masked(const char *user_id) {
    _cleanup_(mem_freep) char *name = people_name(user_id, false);
    _cleanup_(mem_freep) char *seen = seen_of(user_id);
    if (name && !*seen)
        return mem_strdup(name);
    return mem_printf("%s%s(**...**%s****)", name ? name : "", name ? " " : "", seen);
}

char *people_shown_user_id(const struct view *view, const char *user_id) {
    return view->options.full_identities ? mem_strdup(user_id) : people_masked(user_id);
}

void people_set(const struct view *view, json_t *object, const char *user_id) {
    _cleanup_(mem_freep) char *id = seal_make(view->sealer, SEAL_ID, user_id, strlen(user_id));
    _cleanup_(mem_freep) char *shown = people_shown_user_id(view, user_id);
    _cleanup_(mem_freep) char *name = people_name(user_id, view->options.full_identities);
    json_object_set_new(object, "id", json_string(id));
    json_object_set_new(object, "userId", answer_text(shown));
    json_object_set_new(object, "name", name ? json_string(name) : json_null());
}

/* A userId may be any text, also one that looks like a sealed id: what opens is an id. A row that somebody
 * else wrote may have a userId that is longer than any event's. */
char *people_user_id(const struct view *view, const char *id) {
    _cleanup_(mem_freep) char *opened = seal_open(view->sealer, SEAL_ID, id, NULL);
    const char *user_id = opened ? opened : view->options.full_identities ? id : CONTRIBUTION_UNKNOWN;
    bool is_unknown = !opened && contribution_is_unknown(user_id);
    return is_unknown || strlen(user_id) > LIMIT_KEY_BYTES ? NULL : mem_strdup(user_id);
}
