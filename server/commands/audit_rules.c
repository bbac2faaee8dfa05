#include "server/commands/audit_rules.h"

#include "base/limits.h"

/* How the two sides of a tally are written. */
enum relation {
    SCORE_FIRST,
    TOGETHER,
    AT_MOST, /* together, and the score may be less */
};

static enum relation relation_of(const char *role, const char *user_id) {
    struct board board;
    if (!board_parse(role, &board) || board.period.kind == PERIOD_ALL_TIME)
        return SCORE_FIRST;
    return board.role == ROLE_PHOTOGRAPHER && !*user_id ? AT_MOST : TOGETHER;
}

static void add_score(struct audit_rules *rules, const char *role, const char *user_id, int64_t count,
                      bool after) {
    struct tally_numbers *t = tallies_find(&rules->tallies, role, user_id);
    *(after ? &t->has_after : &t->has_before) = true;
    *(after ? &t->after : &t->before) += count;
}

static void add_derived(struct audit_rules *rules, const char *role, const char *user_id, int64_t count,
                        bool after) {
    struct tally_numbers *t = tallies_find(&rules->tallies, role, user_id);
    *(after ? &t->derived_after : &t->derived) += count;
}

static bool is_kept(const struct audit_rules *rules, enum period_kind kind) {
    return period_set_has(rules->shape.periods, kind);
}

static bool expires(const struct audit_rules *rules, struct period period) {
    return period_expires_ms(period) <= rules->now_ms + LIMIT_AUDIT_EXPIRY_MS;
}

/* The kind of the periods that `whole` is made of, if all of them are there; else PERIOD_ALL_TIME. Those that
 * began first expire first. */
static enum period_kind parts_of(const struct audit_rules *rules, struct period whole) {
    enum period_kind kind = PERIOD_ALL_TIME;
    if (whole.kind > PERIOD_DAY && is_kept(rules, PERIOD_DAY))
        kind = PERIOD_DAY;
    else if (whole.kind > PERIOD_HOUR && is_kept(rules, PERIOD_HOUR))
        kind = PERIOD_HOUR;
    return kind && !expires(rules, period_of(kind, whole.start_ms)) ? kind : PERIOD_ALL_TIME;
}

/* The period's rows of all roles, each role together, and the shop's. */
static void add_to_sums(struct audit_rules *rules, const struct board *board, int64_t count, bool after) {
    char role[BOARD_TEXT_SIZE];
    if (board->role != ROLE_SHOP) {
        add_score(rules, board_format(board, role), "", count, after);
        return;
    }
    for (enum role other = ROLE_CREATOR; other < ROLE_SHOP; other++)
        if (other != ROLE_PRODUCT || rules->shape.best_sellers)
            add_derived(rules, board_format(&(struct board){other, board->period}, role), "", count, after);
}

/* The periods that this one is a part of, and itself as the whole of others. */
static void add_to_wholes(struct audit_rules *rules, const struct board *board, const char *user_id,
                          int64_t count, bool after) {
    char role[BOARD_TEXT_SIZE];
    if (parts_of(rules, board->period))
        add_score(rules, board_format(board, role), user_id, count, after);
    for (enum period_kind kind = board->period.kind + 1; kind < PERIOD_KINDS; kind++) {
        const struct board whole = {board->role, period_of(kind, board->period.start_ms)};
        if (is_kept(rules, kind) && parts_of(rules, whole.period) == board->period.kind)
            add_derived(rules, board_format(&whole, role), user_id, count, after);
    }
}

/* A row that no view of this shape has is left without a derived side: it differs. */
static bool is_of_shape(const struct audit_rules *rules, const struct board *board) {
    return (board->role != ROLE_PRODUCT || rules->shape.best_sellers) &&
           (board->period.kind == PERIOD_ALL_TIME || is_kept(rules, board->period.kind));
}

void audit_rules_add_score(struct audit_rules *rules, const char *role, const char *user_id, int64_t count,
                           bool after) {
    struct board board;
    if (!board_parse(role, &board) || !is_of_shape(rules, &board)) {
        add_score(rules, role, user_id, count, after);
    } else if (board.period.kind == PERIOD_ALL_TIME) {
        add_score(rules, role, board.role == ROLE_SHOP ? "SHOP" : user_id, count, after);
    } else if (expires(rules, board.period)) {
        rules->expired += after;
    } else {
        add_to_sums(rules, &board, count, after);
        add_to_wholes(rules, &board, user_id, count, after);
    }
}

static void credit(struct audit_rules *rules, enum role role, const char *user_id, int64_t score) {
    if (score)
        add_derived(rules, role_name(role), user_id ? user_id : "", score, false);
}

/* Each purchase of a product counts for its creator, UNKNOWN or not. */
void audit_rules_add_contribution(struct audit_rules *rules, const struct contribution *row) {
    credit(rules, ROLE_CREATOR, row->creator, row->creator_score);
    credit(rules, ROLE_PHOTOGRAPHER, row->photographer, row->photographer_score);
    credit(rules, ROLE_SHOP, "SHOP", row->creator_score);
    if (rules->shape.best_sellers)
        credit(rules, ROLE_PRODUCT, row->product_id, row->creator_score);
}

bool audit_rules_is_exact(const char *role, const char *user_id, const struct tally_numbers *t) {
    bool expected = t->derived != 0;
    switch (relation_of(role, user_id)) {
    case SCORE_FIRST:
        return t->has_before == expected && t->has_after == expected && t->before == t->derived &&
               t->after == t->derived;
    case TOGETHER:
        return t->before == t->after && t->derived == t->derived_after && t->after == t->derived;
    default:
        return t->before == t->after && t->derived == t->derived_after && t->after <= t->derived;
    }
}

/* A score above its contributions counts only if it was there when the audit began: the contributions of
 * later ones may not be written yet, and on a busy table some never are. */
bool audit_rules_differs(const char *role, const char *user_id, const struct tally_numbers *t) {
    if (audit_rules_is_exact(role, user_id, t))
        return false;
    switch (relation_of(role, user_id)) {
    case SCORE_FIRST:
        return (t->had_row && t->derived == 0) || t->after < t->derived || t->derived < t->least;
    case TOGETHER:
        return t->after < t->least_derived || t->derived_after < t->least;
    default:
        return t->derived_after < t->least;
    }
}
