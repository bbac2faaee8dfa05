#include "api/live/hub.h"

#include "base/limits.h"

void hub_init(struct hub *hub, struct live_shared *shared, enum period_kind kind) {
    for (int i = 0; i < CHANNEL_BOARDS; i++)
        look_up_init(&hub->boards[i], shared, live_event_name((enum live_event)i), kind);
    channel_init(&hub->channels[0], shared, false);
    channel_init(&hub->channels[1], shared, true);
}

void hub_deinit(struct hub *hub) {
    for (int i = 0; i < CHANNEL_BOARDS; i++) {
        look_up_deinit(&hub->boards[i]);
        channel_deinit(&hub->channels[i]);
    }
}

struct channel *hub_channel(struct hub *hub, bool changes) {
    return &hub->channels[changes];
}

/* When some reader may get the next event of this board. */
static int64_t next_event_ms(const struct hub *hub, const bool used[2], int board) {
    int64_t next_ms = INT64_MAX;
    for (int i = 0; i < 2; i++)
        if (used[i] && hub->channels[i].boards[board].next_ms < next_ms)
            next_ms = hub->channels[i].boards[board].next_ms;
    return next_ms;
}

/* Takes a board that was looked up. The next look-up is of use when an event may follow. */
static void take(struct hub *hub, const bool used[2], int board, int64_t now_ms) {
    struct look_up *l = &hub->boards[board];
    struct answer *answer;
    if (!look_up_take(l, &answer))
        return;
    for (int i = 0; i < 2; i++)
        if (used[i])
            channel_offer(&hub->channels[i], board, answer, now_ms);
    answer_unref(answer);
    int64_t next_ms = next_event_ms(hub, used, board);
    if (next_ms != INT64_MAX && next_ms > l->next_ms)
        l->next_ms = next_ms;
}

static void read_board(struct hub *hub, const bool used[2], int board, bool at_once, int64_t now_ms) {
    take(hub, used, board, now_ms);
    if (at_once)
        hub->boards[board].next_ms = now_ms;
    look_up_begin(&hub->boards[board], now_ms);
    take(hub, used, board, now_ms); /* if the cache had it */
}

static int64_t next_step(const struct hub *hub, int64_t now_ms) {
    int64_t next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    for (int i = 0; i < CHANNEL_BOARDS; i++) /* a board that is overdue is in flight; its answer wakes */
        if (hub->boards[i].next_ms > now_ms && hub->boards[i].next_ms < next_ms)
            next_ms = hub->boards[i].next_ms;
    return next_ms;
}

int64_t hub_step(struct hub *hub, int64_t now_ms) {
    bool used[2], begins[2];
    for (int i = 0; i < 2; i++)
        used[i] = channel_begin_step(&hub->channels[i], &begins[i]);
    if (!used[0] && !used[1]) {
        for (int i = 0; i < CHANNEL_BOARDS; i++)
            take(hub, used, i, now_ms); /* it would be old for the next reader */
        return INT64_MAX;
    }
    for (int i = 0; i < CHANNEL_BOARDS; i++)
        read_board(hub, used, i, begins[0] || begins[1], now_ms);
    for (int i = 0; i < 2; i++)
        if (used[i])
            channel_publish_freshness(&hub->channels[i], now_ms);
    return next_step(hub, now_ms);
}
