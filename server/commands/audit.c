#include "server/commands/audit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/commands.h"
#include "server/commands/tally.h"

/* One audit: what it has read, and what it found in the last round. */
struct pass {
    struct tallies tallies;
    size_t products, scores;
    bool is_first;
    size_t n_differences;
    struct audit *audit;
};

static void visit_score(void *data, const char *role, const char *user_id, int64_t score, bool after) {
    struct pass *pass = data;
    struct tally_numbers *t = tallies_find(&pass->tallies, role, user_id);
    *(after ? &t->has_after : &t->has_before) = true;
    *(after ? &t->after : &t->before) = score;
    pass->scores += after;
}

static void credit(struct pass *pass, enum role role, const char *user_id, int64_t score) {
    if (score)
        tallies_find(&pass->tallies, role_name(role), user_id ? user_id : "")->derived += score;
}

static void visit_contribution(void *data, const struct contribution *row) {
    struct pass *pass = data;
    pass->products++;
    credit(pass, ROLE_CREATOR, row->creator, row->creator_score);
    credit(pass, ROLE_PHOTOGRAPHER, row->photographer, row->photographer_score);
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
    struct pass *pass = data;
    (void)role, (void)user_id;
    if (pass->is_first) {
        t->had_row = t->has_before;
        t->least = t->before;
    }
    if (differs(t)) {
        t->differed = true;
        pass->n_differences++;
    }
}

static void list(void *data, const char *role, const char *user_id, struct tally_numbers *t) {
    struct audit *audit = ((struct pass *)data)->audit;
    if (!differs(t)) {
        audit->moving += !is_exact(t);
        audit->settled += t->differed;
        return;
    }
    audit->differences[audit->n_differences++] = (struct audit_difference){
        .role = mem_strdup(role),
        .user_id = mem_strdup(user_id),
        .score = t->has_after ? t->after : AUDIT_NONE,
        .derived = t->derived ? t->derived : AUDIT_NONE,
    };
}

/* Reads all rows once, and counts the differences. */
static enum status read_round(struct store *store, struct pass *pass, struct error *e) {
    const struct store_visitor visitor = {visit_score, visit_contribution, pass};
    tallies_begin_round(&pass->tallies);
    pass->products = pass->scores = pass->n_differences = 0;
    pass->is_first = pass->audit->rounds++ == 0;
    enum status status = store_scan(store, &visitor, e);
    return status ? status : tallies_visit(&pass->tallies, judge, pass, e);
}

static enum status fill_audit(struct pass *pass, struct error *e) {
    struct audit *audit = pass->audit;
    audit->products = pass->products;
    audit->scores = pass->scores;
    audit->differences = mem_alloc(pass->n_differences * sizeof *audit->differences);
    enum status status = tallies_visit(&pass->tallies, list, pass, e);
    if (status)
        audit_deinit(audit);
    return status;
}

static void pass_deinit(struct pass *pass) {
    tallies_deinit(&pass->tallies);
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
    _cleanup_(pass_deinit) struct pass pass = {.audit = audit};
    _cleanup_(leases_deinit) struct leases before = {0};

    *audit = (struct audit){0};
    tallies_init(&pass.tallies, LIMIT_AUDIT_BYTES);
    enum status status = store_read_leases(store, true, &before.all, &before.n, e);
    while (!status) {
        status = read_round(store, &pass, e);
        if (!status)
            status = read_leases_again(store, &before, audit, e);
        bool is_quiet = store_is_snapshot(store) || (!audit->held && !audit->moved);
        if (status || !pass.n_differences || is_quiet || audit->rounds == LIMIT_AUDIT_ROUNDS)
            break;
        poll(NULL, 0, (int)pause_ms);
        pause_ms *= 2;
    }
    return status ? status : fill_audit(&pass, e);
}

void audit_deinit(struct audit *audit) {
    for (size_t i = 0; i < audit->n_differences; i++) {
        free(audit->differences[i].role);
        free(audit->differences[i].user_id);
    }
    free(audit->differences);
    *audit = (struct audit){0};
}

static int compare(const struct options *options, struct store *store) {
    _cleanup_(audit_deinit) struct audit audit = {0};
    struct error e;
    if (audit_store(store, LIMIT_AUDIT_PAUSE_MS, &audit, &e)) {
        log_error("cannot audit %s: %s", options->store, e.message);
        return 1;
    }
    if (!audit_print(&audit, (enum options_format)options->format, stdout)) {
        log_error("cannot print what the audit of %s found", options->store);
        return 1;
    }
    return audit.n_differences ? 3 : 0;
}

int audit_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    struct error e;
    enum status status = backend_open(&backend, options, true, &e);
    if (!status)
        return compare(options, backend.store);
    log_error("cannot audit %s: %s", options->store, e.message);
    return commands_exit_status(status);
}
