#include "views/fold.h"

#include "base/limits.h"
#include "views/event_id.h"

static void fold_create(struct contribution *c, const struct event *e) {
    if (!c->creator) {
        c->creator = e->origin;
        c->name = e->name;
        c->brand = e->brand;
        c->category = e->category;
    }
}

static void have_creator(struct contribution *c) {
    if (!c->creator)
        c->creator = CONTRIBUTION_UNKNOWN;
}

static void fold_image(struct contribution *c, const struct event *e) {
    have_creator(c);
    if (!c->photographer) {
        c->photographer = e->origin;
        c->photographer_event_id = e->id;
        c->image = e->image;
    }
}

static void fold_purchase(struct contribution *c) {
    have_creator(c);
    if (contribution_is_unknown(c->creator) && !contribution_is_unknown(c->photographer))
        c->photographer = CONTRIBUTION_UNKNOWN;
    c->creator_score++;
    c->photographer_score += c->photographer != NULL;
}

static void fold_last_event(struct contribution *c, const struct event *e) {
    if (!c->last_event_id) {
        c->created_ms = e->time_ms;
        c->created_by = e->origin;
    }
    c->last_event_id = e->id;
    c->updated_ms = e->time_ms;
    c->updated_by = e->origin;
}

int64_t fold_period_time(const struct event *e) {
    bool plausible = e->time_ms <= e->arrived_ms && e->arrived_ms - e->time_ms <= LIMIT_LATE_ARRIVAL_MS;
    return e->arrived_ms < 0 || plausible ? e->time_ms : e->arrived_ms;
}

enum fold_outcome fold_event(struct contribution *c, const struct event *e, struct fold_credits *credits) {
    *credits = (struct fold_credits){{NULL, NULL}};
    if (c->last_event_id) {
        int order = event_id_compare_texts(e->id, c->last_event_id);
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
        fold_purchase(c);
        break;
    }
    fold_last_event(c, e);
    if (e->kind == EVENT_PURCHASE)
        *credits =
            (struct fold_credits){{[ROLE_CREATOR] = c->creator, [ROLE_PHOTOGRAPHER] = c->photographer}};
    return FOLD_APPLIED;
}
