#include "server/commands/audit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static void visit_score(void *data, const struct store_row *row, bool after) {
    struct audit *audit = data;
    audit_rules_add_score(&audit->rules, row->role, row->user_id, row->count, after);
    audit->scores += after;
    scan_progress_row(&audit->progress);
}

static void visit_contribution(void *data, const struct contribution *row) {
    struct audit *audit = data;
    audit_rules_add_contribution(&audit->rules, row);
    audit->products++;
    scan_progress_row(&audit->progress);
}

static void judge(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    struct audit *audit = data;
    if (audit->rounds == 1) {
        t->had_row = t->has_before;
        t->least = t->before;
        t->least_derived = t->derived;
    }
    if (audit_rules_differs(role, user_id, t)) {
        t->differed = true;
        audit->n_differences++;
        return;
    }
    audit->moving += !audit_rules_is_exact(role, user_id, t);
    audit->settled += t->differed;
}

/* Reads all rows once, and counts. */
static enum status read_round(struct store *store, struct audit *audit, struct error *e) {
    const struct store_visitor visitor = {visit_score, visit_contribution, audit};
    tallies_begin_round(&audit->rules.tallies);
    audit->products = audit->scores = audit->n_differences = audit->moving = audit->settled = 0;
    audit->rules.expired = 0;
    audit->rounds++;
    enum status status = store_scan(store, &visitor, e);
    return status ? status : tallies_visit(&audit->rules.tallies, judge, audit, e);
}

struct leases {
    struct store_lease *all;
    size_t n;
};

static void leases_deinit(struct leases *leases) {
    free(leases->all);
}

static const struct store_lease *find_lease(const struct leases *leases, const char *shard_id) {
    for (size_t i = 0; i < leases->n; i++)
        if (strcmp(leases->all[i].shard_id, shard_id) == 0)
            return &leases->all[i];
    return NULL;
}

static bool same_lease(const struct store_lease *a, const struct store_lease *b) {
    return a->counter == b->counter && strcmp(a->owner, b->owner) == 0 && a->checkpoint == b->checkpoint &&
           (a->checkpoint != LEASE_AT_POSITION || position_compare(&a->position, &b->position) == 0);
}

static void compare_leases(const struct leases *before, const struct leases *after, struct audit *audit) {
    audit->leases = after->n;
    audit->held = audit->moved = 0;
    for (size_t i = 0; i < after->n; i++) {
        const struct store_lease *now = &after->all[i], *then = find_lease(before, now->shard_id);
        audit->held += now->owner[0] != '\0';
        audit->moved += !then || !same_lease(then, now);
    }
}

static enum status read_leases_again(struct store *store, const struct leases *before, struct audit *audit,
                                     struct error *e) {
    _cleanup_(leases_deinit) struct leases after = {0};
    enum status status = store_read_leases(store, true, &after.all, &after.n, e);
    if (!status)
        compare_leases(before, &after, audit);
    return status;
}

enum status audit_store(struct store *store, int64_t now_ms, int64_t pause_ms, struct audit *audit,
                        struct error *e) {
    _cleanup_(leases_deinit) struct leases before = {0};

    *audit = (struct audit){.rules = {.shape = *store_shape(store), .now_ms = now_ms},
                            .progress = {.what = "audit"}};
    tallies_init(&audit->rules.tallies, LIMIT_AUDIT_BYTES);
    enum status status = store_read_leases(store, true, &before.all, &before.n, e);
    while (!status) {
        status = read_round(store, audit, e);
        if (!status)
            status = read_leases_again(store, &before, audit, e);
        bool is_quiet = store_is_snapshot(store) || (!audit->held && !audit->moved);
        if (status || !audit->n_differences || is_quiet || audit->rounds == LIMIT_AUDIT_ROUNDS)
            break;
        poll(NULL, 0, (int)pause_ms);
        pause_ms *= 2;
    }
    scan_progress_end(&audit->progress);
    if (status)
        audit_deinit(audit);
    return status;
}

void audit_deinit(struct audit *audit) {
    tallies_deinit(&audit->rules.tallies);
    *audit = (struct audit){0};
}

struct visit {
    audit_visit_fn *visit;
    void *data;
};

static void visit_difference(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    const struct visit *visit = data;
    if (!audit_rules_differs(role, user_id, t))
        return;
    visit->visit(visit->data, &(struct audit_difference){
                                  .role = role,
                                  .user_id = user_id,
                                  .score = t->has_after ? t->after : AUDIT_NONE,
                                  .derived = t->derived ? t->derived : AUDIT_NONE,
                              });
}

enum status audit_visit(struct audit *audit, audit_visit_fn *visit, void *data, struct error *e) {
    if (!audit->n_differences)
        return STATUS_OK;
    return tallies_visit(&audit->rules.tallies, visit_difference, &(struct visit){visit, data}, e);
}
