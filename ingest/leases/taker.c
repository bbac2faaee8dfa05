#include "ingest/leases/taker.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* Whose a lease is, seen from the worker that decides. */
enum relation {
    NOT_READABLE,
    OURS,   /* and held */
    ENDING, /* its shard's thread here still runs, but the lease is lost or released */
    TAKEABLE,
    ANOTHERS,
    A_NAMESAKES,
};

struct owner {
    const char *name;
    size_t n;
};

/* The leases, sorted by whose they are. */
struct ledger {
    const struct taker_input *input;
    enum relation *relations; /* for each lease */
    struct owner *owners;     /* other workers with leases that have not expired */
    size_t n_owners;
    size_t readable, ours, namesakes;
    const char *namesake_tenure;
};

static bool is_from_an_earlier_run(const struct taker_input *in, const struct store_lease *lease) {
    return lease_is_of_run(lease, in->run_id) || lease_is_untouched(in->observer, lease);
}

static enum relation relation_to(const struct taker_input *in, size_t i, enum hierarchy_state state) {
    const struct store_lease *lease = &in->hierarchy.leases[i];
    bool has_our_id = strcmp(lease->owner, in->worker) == 0;
    if (state != HIERARCHY_READABLE)
        return NOT_READABLE;
    if (in->is_held[i] && has_our_id && lease_is_of_run(lease, in->run_id))
        return OURS;
    if (lease_is_free(in->observer, lease) || (has_our_id && is_from_an_earlier_run(in, lease)))
        return in->is_held[i] ? ENDING : TAKEABLE;
    return has_our_id ? A_NAMESAKES : ANOTHERS;
}

static int compare_owners(const void *a, const void *b) {
    return strcmp(((const struct owner *)a)->name, ((const struct owner *)b)->name);
}

/* From one entry for each lease to one for each owner, with the number of leases. */
static void merge_owners(struct ledger *l) {
    size_t n = 0;
    if (l->n_owners)
        qsort(l->owners, l->n_owners, sizeof *l->owners, compare_owners);
    for (size_t i = 0; i < l->n_owners; i++) {
        if (n && strcmp(l->owners[n - 1].name, l->owners[i].name) == 0)
            l->owners[n - 1].n++;
        else
            l->owners[n++] = l->owners[i];
    }
    l->n_owners = n;
}

static void ledger_init(const struct taker_input *in, struct ledger *l) {
    size_t n = in->hierarchy.n_leases;
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&in->hierarchy);
    *l = (struct ledger){.input = in};
    l->relations = mem_alloc(n * sizeof *l->relations);
    l->owners = mem_alloc(n * sizeof *l->owners);
    for (size_t i = 0; i < n; i++) {
        const struct store_lease *lease = &in->hierarchy.leases[i];
        l->relations[i] = relation_to(in, i, states[i]);
        l->readable += l->relations[i] != NOT_READABLE;
        l->ours += l->relations[i] == OURS;
        if (l->relations[i] == ANOTHERS)
            l->owners[l->n_owners++] = (struct owner){lease->owner, 1};
        if (l->relations[i] == A_NAMESAKES) {
            l->namesakes++;
            l->namesake_tenure = lease->tenure;
        }
    }
    merge_owners(l);
}

static void ledger_deinit(struct ledger *l) {
    free(l->relations);
    free(l->owners);
}

/* Always the same for one worker, different for each. */
static uint64_t order_of(const char *worker, const char *shard_id) {
    return hash_siphash13(shard_id, strlen(shard_id), hash_siphash13(worker, strlen(worker), 0, 0), 0);
}

static int compare_choices(const void *a, const void *b) {
    const struct taker_choice *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void add(struct taker_plan *plan, const struct ledger *l, const struct store_lease *lease,
                enum taker_kind kind) {
    plan->choices[plan->n++] =
        (struct taker_choice){lease, kind, order_of(l->input->worker, lease->shard_id)};
}

static enum taker_kind kind_of(const struct taker_input *in, const struct store_lease *lease) {
    if (!*lease->owner)
        return TAKER_FREE;
    return strcmp(lease->owner, in->worker) == 0 && is_from_an_earlier_run(in, lease) ? TAKER_OWN
                                                                                      : TAKER_EXPIRED;
}

/* It has been free for so many failover times. A shard that waited for its parents is free only since they
 * ended. */
static bool is_free_for(const struct taker_input *in, const struct store_lease *lease, int times) {
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        const struct store_lease *parent =
            lease_find(in->hierarchy.leases, in->hierarchy.n_leases, lease->parents[p]);
        if (parent && !lease_is_free_for(in->observer, parent, times))
            return false;
    }
    return lease_is_free_for(in->observer, lease, times);
}

static bool is_full(const struct ledger *l, size_t chosen) {
    return l->input->max && l->ours + chosen >= l->input->max;
}

static size_t count_unread(const struct ledger *l) {
    const struct taker_input *in = l->input;
    size_t n = 0;
    for (size_t i = 0; is_full(l, 0) && i < in->hierarchy.n_leases; i++)
        n += l->relations[i] == TAKEABLE && is_free_for(in, &in->hierarchy.leases[i], TAKER_UNREAD_TIMES);
    return n;
}

static bool any_free(const struct ledger *l) {
    for (size_t i = 0; i < l->input->hierarchy.n_leases; i++)
        if (l->relations[i] == TAKEABLE)
            return true;
    return false;
}

static size_t fill_up_to(const struct ledger *l, const struct taker_plan *plan) {
    size_t lacks = plan->target > l->ours ? plan->target - l->ours : 0;
    return l->ours + lacks * (l->input->saved_reads ? TAKER_STANDS_FOR : 1);
}

/* A worker without a lease renews none, and so does not notice if the store answers nobody. */
static bool saves_reads(const struct ledger *l, const struct taker_plan *plan) {
    bool has_share = l->ours && (l->ours >= l->readable / plan->workers || is_full(l, 0));
    bool in_crowd = l->input->may_save_reads && plan->workers >= TAKER_CROWD;
    return in_crowd && has_share && !plan->n && !plan->yields && !any_free(l);
}

/* The free leases in our order, cut down to those that were ours, those that fill our share, and those that
 * no other worker takes. */
static void take_free(const struct ledger *l, struct taker_plan *plan) {
    const struct taker_input *in = l->input;
    size_t has = l->ours, n = 0, fills = fill_up_to(l, plan);
    for (size_t i = 0; i < in->hierarchy.n_leases; i++) {
        const struct store_lease *lease = &in->hierarchy.leases[i];
        if (l->relations[i] != TAKEABLE)
            continue;
        add(plan, l, lease, kind_of(in, lease));
        has += plan->choices[plan->n - 1].kind == TAKER_OWN;
    }
    if (plan->n)
        qsort(plan->choices, plan->n, sizeof *plan->choices, compare_choices);

    for (size_t i = 0; i < plan->n; i++) {
        const struct taker_choice *choice = &plan->choices[i];
        bool fits = choice->kind != TAKER_OWN && has < fills;
        if (is_full(l, n) || (choice->kind != TAKER_OWN && !fits && !is_free_for(in, choice->lease, 1)))
            continue;
        has += fits;
        plan->choices[n++] = *choice;
    }
    plan->n = n;
}

/* Of the workers that have most, the first in our order, which is another for each that steals. */
static const struct owner *find_victim(const struct ledger *l) {
    const struct owner *victim = NULL;
    for (size_t i = 0; i < l->n_owners; i++) {
        const struct owner *o = &l->owners[i];
        if (!victim || o->n > victim->n ||
            (o->n == victim->n &&
             order_of(l->input->worker, o->name) < order_of(l->input->worker, victim->name)))
            victim = o;
    }
    return victim && victim->n >= l->ours + 2 ? victim : NULL;
}

static void steal_one(const struct ledger *l, struct taker_plan *plan) {
    const struct taker_input *in = l->input;
    const struct owner *victim = l->ours < plan->target && !is_full(l, 0) ? find_victim(l) : NULL;
    if (!victim)
        return;
    for (size_t i = 0; i < in->hierarchy.n_leases; i++)
        if (l->relations[i] == ANOTHERS && !in->is_held[i] &&
            strcmp(in->hierarchy.leases[i].owner, victim->name) == 0)
            add(plan, l, &in->hierarchy.leases[i], TAKER_STOLEN);
    if (plan->n)
        qsort(plan->choices, plan->n, sizeof *plan->choices, compare_choices);
    plan->n = plan->n > 0;
}

static bool yields_to_namesake(const struct ledger *l) {
    return l->namesakes > l->ours ||
           (l->namesakes && l->namesakes == l->ours && strcmp(l->input->run_id, l->namesake_tenure) < 0);
}

void taker_decide(const struct taker_input *in, struct taker_plan *plan) {
    struct ledger l;
    ledger_init(in, &l);
    *plan = (struct taker_plan){.workers = l.n_owners + 1, .yields = yields_to_namesake(&l)};
    plan->target = (l.readable + plan->workers - 1) / plan->workers;
    plan->unread = count_unread(&l);
    plan->choices = mem_alloc(in->hierarchy.n_leases * sizeof *plan->choices);
    if (!plan->yields && any_free(&l))
        take_free(&l, plan);
    else if (!plan->yields)
        steal_one(&l, plan);
    plan->saves_reads = saves_reads(&l, plan);
    ledger_deinit(&l);
}

void taker_plan_deinit(struct taker_plan *plan) {
    free(plan->choices);
    *plan = (struct taker_plan){0};
}
