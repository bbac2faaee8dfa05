#include "views/contribution.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *role_name(enum role role) {
    return role == ROLE_CREATOR ? "creator" : "photographer";
}

enum role role_from_name(const char *name) {
    return strcmp(name, role_name(ROLE_CREATOR)) == 0 ? ROLE_CREATOR : ROLE_PHOTOGRAPHER;
}

bool contribution_is_unknown(const char *user_id) {
    return user_id && strcmp(user_id, CONTRIBUTION_UNKNOWN) == 0;
}

struct contribution *contribution_new(const char *product_id) {
    struct contribution *c = mem_zalloc(sizeof *c);
    c->product_id = mem_strdup(product_id);
    return c;
}

static char *copy(const char *s) {
    return s ? mem_strdup(s) : NULL;
}

struct contribution *contribution_copy(const struct contribution *c) {
    struct contribution *out = mem_dup(c, sizeof *c);
    out->product_id = copy(c->product_id);
    out->creator = copy(c->creator);
    out->photographer = copy(c->photographer);
    out->last_event_id = copy(c->last_event_id);
    out->photographer_event_id = copy(c->photographer_event_id);
    out->created_by = copy(c->created_by);
    out->updated_by = copy(c->updated_by);
    return out;
}

void contribution_free(struct contribution *c) {
    if (!c)
        return;
    free(c->product_id);
    free(c->creator);
    free(c->photographer);
    free(c->last_event_id);
    free(c->photographer_event_id);
    free(c->created_by);
    free(c->updated_by);
    free(c);
}

void contribution_freep(struct contribution **c) {
    contribution_free(*c);
    *c = NULL;
}

static size_t size_of(const char *s) {
    return s ? strlen(s) + 1 + 2 * sizeof(size_t) : 0; /* the allocator's own share included */
}

size_t contribution_size(const struct contribution *c) {
    return sizeof *c + size_of(c->product_id) + size_of(c->creator) + size_of(c->photographer) +
           size_of(c->last_event_id) + size_of(c->photographer_event_id) + size_of(c->created_by) +
           size_of(c->updated_by);
}
