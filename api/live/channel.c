#include "api/live/channel.h"

#include <string.h>

#include "api/live/changes.h"
#include "api/live/tick.h"

/* Start and end. */

static void forget(struct channel *c) {
    for (int i = 0; i < CHANNEL_BOARDS; i++) {
        answer_unref(c->boards[i].sent);
        c->boards[i] = (struct channel_board){.as_of_ms = FRESHNESS_UNKNOWN};
    }
}

void channel_init(struct channel *c, struct live_shared *shared, bool has_changes) {
    *c = (struct channel){.shared = shared, .has_changes = has_changes};
    forget(c);
    event_log_init(&c->log);
}

void channel_deinit(struct channel *c) {
    forget(c);
    event_log_deinit(&c->log);
}

/* Readers. */

/* Clients set their clock by the time in a freshness event, so a new reader gets no old one. */
void channel_join(struct channel *c, bool resumes, int64_t now_ms) {
    if (c->readers++ == 0) {
        if (c->begins != CHANNEL_BEGINS_ANEW)
            c->begins = resumes ? CHANNEL_BEGINS_AGAIN : CHANNEL_BEGINS_ANEW;
        if (!resumes)
            event_log_clear(&c->log);
        event_log_set_state(&c->log, LIVE_PROGRESS, NULL); /* nobody kept it up */
    }
    if (now_ms - c->freshness_ms >= LIMIT_LIVE_FRESHNESS_MS)
        event_log_set_state(&c->log, LIVE_FRESHNESS, NULL);
}

bool channel_begin_step(struct channel *c, bool *begins) {
    pthread_mutex_lock(&c->shared->lock);
    bool anew = c->begins == CHANNEL_BEGINS_ANEW, has_readers = c->readers > 0;
    *begins = c->begins != CHANNEL_GOES_ON;
    c->begins = CHANNEL_GOES_ON;
    pthread_mutex_unlock(&c->shared->lock);
    if (anew)
        forget(c);
    for (int i = 0; *begins && i < CHANNEL_BOARDS; i++)
        c->boards[i].is_looked_up = false;
    return has_readers;
}

/* The log was cleared since the step began: what the step has of the boards is not in it. Under the lock. */
static bool is_step_over(const struct channel *c) {
    return c->begins == CHANNEL_BEGINS_ANEW;
}

/* Boards. */

/* What readers get of the board that is there now; returns its bytes. Under the lock. */
static size_t put_event(struct event_log *log, enum live_event board, const struct answer *answer,
                        enum changes found, struct body *rows) {
    size_t bytes = 0;
    if (found != CHANGES_NONE)
        bytes = found == CHANGES_ROWS ? event_log_put(log, LIVE_ROWS, rows)
                                      : event_log_put(log, board, answer->body);
    event_log_set_state(log, board, answer->body);
    return bytes;
}

static size_t put_board(struct channel *c, int board, const struct answer *answer, enum changes found,
                        struct body *rows) {
    size_t bytes = 0;
    pthread_mutex_lock(&c->shared->lock);
    if (!is_step_over(c) && c->has_changes)
        bytes = put_event(&c->log, (enum live_event)board, answer, found, rows);
    else if (!is_step_over(c))
        event_log_replace(&c->log, (enum live_event)board, answer->body);
    pthread_mutex_unlock(&c->shared->lock);
    return bytes;
}

/* Much at a time is sent less often. */
static int64_t pause_ms(const struct channel *c, size_t bytes) {
    int64_t ms = (int64_t)bytes * 1000 / LIMIT_LIVE_CHANGE_BYTES;
    if (!c->has_changes || ms > LIMIT_LIVE_WHOLE_MS)
        return LIMIT_LIVE_WHOLE_MS;
    return ms < LIMIT_LIVE_BOARD_MS ? LIMIT_LIVE_BOARD_MS : ms;
}

static void send_board(struct channel *c, int board, struct answer *answer, int64_t now_ms) {
    struct channel_board *b = &c->boards[board];
    struct body *rows = NULL;
    enum changes found =
        c->has_changes && b->sent ? changes_find(b->sent->body, answer->body, &rows) : CHANGES_WHOLE;
    size_t bytes = put_board(c, board, answer, found, rows);
    body_unref(rows);
    b->next_ms = tick_of(now_ms) + pause_ms(c, bytes);
    answer_unref(b->sent);
    b->sent = answer_ref(answer);
}

void channel_offer(struct channel *c, int board, struct answer *answer, int64_t now_ms) {
    struct channel_board *b = &c->boards[board];
    b->is_looked_up = true;
    if (!answer)
        return;
    /* The ETag covers all but asOf. */
    bool changed = !b->sent || strcmp(b->sent->etag, answer->etag) != 0;
    if (changed && now_ms < b->next_ms)
        return;
    if (changed)
        send_board(c, board, answer, now_ms);
    b->as_of_ms = answer->as_of_ms;
}

/* Freshness. */

/* Up to when both boards are complete; false while a board has not been looked up yet. */
static bool boards_as_of(const struct channel *c, int64_t *as_of_ms) {
    *as_of_ms = INT64_MAX;
    for (int i = 0; i < CHANNEL_BOARDS; i++) {
        if (!c->boards[i].is_looked_up)
            return false;
        if (c->boards[i].as_of_ms < *as_of_ms)
            *as_of_ms = c->boards[i].as_of_ms;
    }
    return true;
}

static bool is_freshness_due(struct channel *c, bool changed, int64_t now_ms) {
    pthread_mutex_lock(&c->shared->lock);
    bool due = !c->log.present[LIVE_FRESHNESS].number ||
               (changed && now_ms - c->freshness_ms >= LIMIT_LIVE_FRESHNESS_MS);
    pthread_mutex_unlock(&c->shared->lock);
    return due;
}

void channel_publish_freshness(struct channel *c, int64_t now_ms) {
    int64_t as_of_ms;
    if (!boards_as_of(c, &as_of_ms))
        return;
    bool caught_up = api_is_caught_up(c->shared->api, as_of_ms);
    if (!is_freshness_due(c, as_of_ms != c->as_of_ms || caught_up != c->caught_up, now_ms))
        return;
    struct answer *json = answer_json(200, api_freshness(c->shared->api, as_of_ms));
    pthread_mutex_lock(&c->shared->lock);
    if (!is_step_over(c)) {
        event_log_replace(&c->log, LIVE_FRESHNESS, json->body);
        c->freshness_ms = tick_of(now_ms);
    }
    pthread_mutex_unlock(&c->shared->lock);
    answer_unref(json);
    c->as_of_ms = as_of_ms;
    c->caught_up = caught_up;
}
