#include "server/commands/audit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static void visit_score(void *data, const struct store_row *row, bool after) {
    struct audit *audit = data;
    struct board board;
    if (board_parse(row->role, &board) && (board.period.kind || board.role >= PEOPLE_ROLES))
        return; /* not checked yet */
    struct tally_numbers *t = tallies_find(&audit->tallies, row->role, row->user_id);
    *(after ? &t->has_after : &t->has_before) = true;
    *(after ? &t->after : &t->before) = row->count;
    audit->scores += after;
}

static void credit(struct audit *audit, enum role role, const char *user_id, int64_t score) {
    if (score)
        tallies_find(&audit->tallies, role_name(role), user_id ? user_id : "")->derived += score;
}

static void visit_contribution(void *data, const struct contribution *row) {
    struct audit *audit = data;
    audit->products++;
    credit(audit, ROLE_CREATOR, row->creator, row->creator_score);
    credit(audit, ROLE_PHOTOGRAPHER, row->photographer, row->photographer_score);
}

static bool is_exact(const struct tally_numbers *t) {
    bool expected = t->derived != 0;
    return t->has_before == expected && t->has_after == expected && t->before == t->derived &&
           t->after == t->derived;
}

/* A score above its contributions counts only if it was there when the audit began: the contributions of
 * later ones may not be written yet, and on a busy table some never are. */
static bool differs(const struct tally_numbers *t) {
    if (is_exact(t))
        return false;
    bool unearned = t->had_row && t->derived == 0;
    return unearned || t->after < t->derived || t->derived < t->least;
}

static void judge(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    struct audit *audit = data;
    (void)role, (void)user_id;
    if (audit->rounds == 1) {
        t->had_row = t->has_before;
        t->least = t->before;
    }
    if (differs(t)) {
        t->differed = true;
        audit->n_differences++;
        return;
    }
    audit->moving += !is_exact(t);
    audit->settled += t->differed;
}

/* Reads all rows once, and counts. */
static enum status read_round(struct store *store, struct audit *audit, struct error *e) {
    const struct store_visitor visitor = {visit_score, visit_contribution, audit};
    tallies_begin_round(&audit->tallies);
    audit->products = audit->scores = audit->n_differences = audit->moving = audit->settled = 0;
    audit->rounds++;
    enum status status = store_scan(store, &visitor, e);
    return status ? status : tallies_visit(&audit->tallies, judge, audit, e);
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

enum status audit_store(struct store *store, int64_t pause_ms, struct audit *audit, struct error *e) {
    _cleanup_(leases_deinit) struct leases before = {0};

    *audit = (struct audit){0};
    tallies_init(&audit->tallies, LIMIT_AUDIT_BYTES);
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
    if (status)
        audit_deinit(audit);
    return status;
}

void audit_deinit(struct audit *audit) {
    tallies_deinit(&audit->tallies);
    *audit = (struct audit){0};
}

struct visit {
    audit_visit_fn *visit;
    void *data;
};

static void visit_difference(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    const struct visit *visit = data;
    if (!differs(t))
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
    return tallies_visit(&audit->tallies, visit_difference, &(struct visit){visit, data}, e);
}
