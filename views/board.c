#include "views/board.h"

#include <stdio.h>
#include <string.h>

#include "views/contribution.h"

static const char *const role_names[ROLES] = {"creator", "photographer", "product", "shop"};

const struct board board_all_time[ROLES] = {
    {.role = ROLE_CREATOR}, {.role = ROLE_PHOTOGRAPHER}, {.role = ROLE_PRODUCT}, {.role = ROLE_SHOP}};

const char *role_name(enum role role) {
    return role_names[role];
}

static bool find_role(const char *name, size_t length, enum role *role) {
    for (*role = 0; *role < ROLES; (*role)++)
        if (strlen(role_names[*role]) == length && memcmp(role_names[*role], name, length) == 0)
            return true;
    return false;
}

bool role_from_name(const char *name, enum role *role) {
    return find_role(name, strlen(name), role);
}

bool role_is_listed(enum role role, const char *user_id) {
    return role >= PEOPLE_ROLES || !contribution_is_unknown(user_id);
}

const char *board_format(const struct board *board, char out[BOARD_TEXT_SIZE]) {
    char period[PERIOD_TEXT_SIZE];
    if (board->period.kind == PERIOD_ALL_TIME)
        strcpy(out, role_name(board->role));
    else
        snprintf(out, BOARD_TEXT_SIZE, "%s#%s#%s", role_name(board->role),
                 period_kind_name(board->period.kind), period_format(board->period, period));
    return out;
}

bool board_parse(const char *text, struct board *board) {
    char again[BOARD_TEXT_SIZE];
    size_t length = strcspn(text, "#");
    *board = (struct board){0};
    if (!find_role(text, length, &board->role))
        return false;
    if (!text[length])
        return true;
    const char *name = strrchr(text, '#') + 1;
    return period_parse(name, &board->period) && strcmp(board_format(board, again), text) == 0;
}

void board_range(enum role role, enum period_kind kind, char first[BOARD_TEXT_SIZE],
                 char end[BOARD_TEXT_SIZE]) {
    snprintf(first, BOARD_TEXT_SIZE, "%s#%s#", role_name(role), period_kind_name(kind));
    snprintf(end, BOARD_TEXT_SIZE, "%s#%s$", role_name(role), period_kind_name(kind)); /* '$' is after '#' */
}
