#include "views/fold.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/event_id.h"

static void replace(char **field, const char *value) {
    if (*field && strlen(*field) >= strlen(value)) { /* has room: ids seldom change their length */
        strcpy(*field, value);
        return;
    }
    free(*field);
    *field = mem_strdup(value);
}

static void set_once(char **field, const char *value) {
    if (!*field)
        *field = mem_strdup(value);
}

/* Ids in rows and in valid events are well-formed: neither parse fails. */
static int compare_ids(const char *a, const char *b) {
    struct event_id x, y;
    event_id_parse(a, strlen(a), &x);
    event_id_parse(b, strlen(b), &y);
    return event_id_compare(&x, &y);
}

static char *copy(const char *text) {
    return text ? mem_strdup(text) : NULL;
}

static void fold_create(struct contribution *c, const struct event *e) {
    if (!c->creator) {
        c->creator = mem_strdup(e->origin);
        c->name = copy(e->name);
        c->brand = copy(e->brand);
        c->category = copy(e->category);
    }
}

static void fold_image(struct contribution *c, const struct event *e) {
    set_once(&c->creator, CONTRIBUTION_UNKNOWN);
    if (!c->photographer) {
        c->photographer = mem_strdup(e->origin);
        replace(&c->photographer_event_id, e->id);
        c->image = copy(e->image);
    }
}

static void fold_purchase(struct contribution *c, struct fold_credits *credits) {
    set_once(&c->creator, CONTRIBUTION_UNKNOWN);
    if (contribution_is_unknown(c->creator))
        replace(&c->photographer, CONTRIBUTION_UNKNOWN);

    c->creator_score++;
    credits->user_id[ROLE_CREATOR] = c->creator;
    if (c->photographer) {
        c->photographer_score++;
        credits->user_id[ROLE_PHOTOGRAPHER] = c->photographer;
    }
}

static void fold_last_event(struct contribution *c, const struct event *e) {
    if (!c->last_event_id) {
        c->created_ms = e->time_ms;
        replace(&c->created_by, e->origin);
    }
    replace(&c->last_event_id, e->id);
    c->updated_ms = e->time_ms;
    replace(&c->updated_by, e->origin);
}

int64_t fold_period_time(const struct event *e) {
    bool plausible = e->time_ms <= e->arrived_ms && e->arrived_ms - e->time_ms <= LIMIT_LATE_ARRIVAL_MS;
    return e->arrived_ms < 0 || plausible ? e->time_ms : e->arrived_ms;
}

enum fold_outcome fold_event(struct contribution *c, const struct event *e, struct fold_credits *credits) {
    *credits = (struct fold_credits){{NULL, NULL}};
    if (c->last_event_id) {
        int order = compare_ids(e->id, c->last_event_id);
        if (order <= 0)
            return order == 0 ? FOLD_DUPLICATE : FOLD_STALE;
    }

    switch (e->kind) {
    case EVENT_CREATE:
        fold_create(c, e);
        break;
    case EVENT_IMAGE:
        fold_image(c, e);
        break;
    case EVENT_PURCHASE:
        fold_purchase(c, credits);
        break;
    }
    fold_last_event(c, e);
    return FOLD_APPLIED;
}
