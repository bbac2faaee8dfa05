#include "server/commands/audit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/commands.h"

/* One contributor in one role. */
struct tally {
    char *key; /* the role, NUL, the user id */
    bool has_before, has_after;
    int64_t before, after; /* the score, read before and after the contributions */
    int64_t derived;
    bool had_row;  /* when the audit began */
    int64_t least; /* the score then: the contributions must reach it */
    bool differed; /* in some round */
    UT_hash_handle hh;
};

struct pass {
    struct tally *tallies;
    size_t products, scores;
};

static const char *tally_user_id(const struct tally *t) {
    return t->key + strlen(t->key) + 1;
}

static struct tally *find_or_add(struct pass *pass, const char *role, const char *user_id) {
    size_t role_size = strlen(role) + 1, size = role_size + strlen(user_id);
    _cleanup_(mem_freep) char *key = mem_alloc(size + 1);
    struct tally *t;
    memcpy(key, role, role_size);
    strcpy(key + role_size, user_id);
    HASH_FIND(hh, pass->tallies, key, size, t);
    if (!t) {
        t = mem_zalloc(sizeof *t);
        t->key = key;
        key = NULL;
        HASH_ADD_KEYPTR(hh, pass->tallies, t->key, size, t);
    }
    return t;
}

static void pass_deinit(struct pass *pass) {
    struct tally *t, *next;
    HASH_ITER(hh, pass->tallies, t, next) {
        HASH_DEL(pass->tallies, t);
        free(t->key);
        free(t);
    }
}

static void visit_score(void *data, const char *role, const char *user_id, int64_t score, bool after) {
    struct pass *pass = data;
    struct tally *t = find_or_add(pass, role, user_id);
    *(after ? &t->has_after : &t->has_before) = true;
    *(after ? &t->after : &t->before) = score;
    pass->scores += after;
}

static void credit(struct pass *pass, enum role role, const char *user_id, int64_t score) {
    if (score)
        find_or_add(pass, role_name(role), user_id ? user_id : "")->derived += score;
}

static void visit_contribution(void *data, const struct contribution *row) {
    struct pass *pass = data;
    pass->products++;
    credit(pass, ROLE_CREATOR, row->creator, row->creator_score);
    credit(pass, ROLE_PHOTOGRAPHER, row->photographer, row->photographer_score);
}

/* For the next round; the results of earlier rounds stay. */
static void reset_readings(struct pass *pass) {
    pass->products = pass->scores = 0;
    for (struct tally *t = pass->tallies; t; t = t->hh.next) {
        t->has_before = t->has_after = false;
        t->before = t->after = t->derived = 0;
    }
}

static bool is_exact(const struct tally *t) {
    bool expected = t->derived != 0;
    return t->has_before == expected && t->has_after == expected && t->before == t->derived &&
           t->after == t->derived;
}

/* A score above its contributions counts only if it was there when the audit began: the contributions of
 * later ones may not be written yet, and on a busy table some never are. */
static bool differs(const struct tally *t) {
    if (is_exact(t))
        return false;
    bool unearned = t->had_row && t->derived == 0;
    return unearned || t->after < t->derived || t->derived < t->least;
}

static void keep_first_reading(struct pass *pass) {
    for (struct tally *t = pass->tallies; t; t = t->hh.next) {
        t->had_row = t->has_before;
        t->least = t->before;
    }
}

/* Counts the differences of one more round. */
static size_t count_differences(struct pass *pass) {
    size_t n = 0;
    for (struct tally *t = pass->tallies; t; t = t->hh.next)
        if (differs(t)) {
            t->differed = true;
            n++;
        }
    return n;
}

static int compare_tallies(const struct tally *a, const struct tally *b) {
    int order = strcmp(a->key, b->key);
    return order ? order : strcmp(tally_user_id(a), tally_user_id(b));
}

static void fill_audit(struct pass *pass, size_t n_differences, struct audit *audit) {
    audit->products = pass->products;
    audit->scores = pass->scores;
    audit->differences = mem_alloc(n_differences * sizeof *audit->differences);
    HASH_SORT(pass->tallies, compare_tallies);
    for (const struct tally *t = pass->tallies; t; t = t->hh.next) {
        if (!differs(t)) {
            audit->moving += !is_exact(t);
            audit->settled += t->differed;
            continue;
        }
        audit->differences[audit->n_differences++] = (struct audit_difference){
            .role = mem_strdup(t->key),
            .user_id = mem_strdup(tally_user_id(t)),
            .score = t->has_after ? t->after : AUDIT_NONE,
            .derived = t->derived ? t->derived : AUDIT_NONE,
        };
    }
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
    _cleanup_(pass_deinit) struct pass pass = {0};
    _cleanup_(leases_deinit) struct leases before = {0};
    const struct store_visitor visitor = {visit_score, visit_contribution, &pass};
    size_t n = 0;

    *audit = (struct audit){0};
    enum status status = store_read_leases(store, true, &before.all, &before.n, e);
    while (!status) {
        reset_readings(&pass);
        status = store_scan(store, &visitor, e);
        if (!status)
            status = read_leases_again(store, &before, audit, e);
        if (!audit->rounds++)
            keep_first_reading(&pass);
        n = count_differences(&pass);
        bool is_quiet = store_is_snapshot(store) || (!audit->held && !audit->moved);
        if (status || !n || is_quiet || audit->rounds == LIMIT_AUDIT_ROUNDS)
            break;
        poll(NULL, 0, (int)pause_ms);
        pause_ms *= 2;
    }
    if (!status)
        fill_audit(&pass, n, audit);
    return status;
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
