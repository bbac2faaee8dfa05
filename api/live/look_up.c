#include "api/live/look_up.h"

#include <stdio.h>
#include <string.h>

#include "api/live/tick.h"

/* Runs on a loader thread, or on the hub's if the cache had the answer. The next look-up may begin as soon as
 * the lock is released. */
static void on_answer(struct api_call *call) {
    struct look_up *l = (struct look_up *)((char *)call - offsetof(struct look_up, call));
    struct live_shared *shared = l->shared;
    struct answer *answer = call->answer;
    if (answer->status != 200) {
        answer_unref(answer);
        answer = NULL;
    }
    pthread_mutex_lock(&shared->lock);
    l->returned = answer;
    l->state = LOOK_UP_RETURNED;
    pthread_mutex_unlock(&shared->lock);
    waker_wake(&shared->waker);
    live_shared_unref(shared);
}

void look_up_init(struct look_up *l, struct live_shared *shared, const char *word, enum period_kind kind) {
    *l = (struct look_up){.shared = shared};
    if (kind == PERIOD_ALL_TIME)
        snprintf(l->target, sizeof l->target, "/scores/%s", word);
    else
        snprintf(l->target, sizeof l->target, "/scores/%s?period=%s", word, period_kind_name(kind));
    l->call.method = "GET";
    l->call.target = l->target;
    l->call.target_length = strlen(l->target);
    l->call.done = on_answer;
}

void look_up_deinit(struct look_up *l) {
    answer_unref(l->returned);
}

void look_up_begin(struct look_up *l, int64_t now_ms) {
    struct live_shared *shared = l->shared;
    pthread_mutex_lock(&shared->lock);
    bool due = l->state == LOOK_UP_IDLE && l->next_ms <= now_ms;
    if (due)
        l->state = LOOK_UP_IN_FLIGHT;
    pthread_mutex_unlock(&shared->lock);
    if (!due)
        return;
    l->next_ms = tick_of(now_ms) + LIMIT_LIVE_BOARD_MS;
    live_shared_ref(shared);
    if (api_handle(shared->api, &l->call, now_ms))
        on_answer(&l->call);
}

bool look_up_take(struct look_up *l, struct answer **answer) {
    pthread_mutex_lock(&l->shared->lock);
    bool has_returned = l->state == LOOK_UP_RETURNED;
    if (has_returned)
        l->state = LOOK_UP_IDLE;
    *answer = l->returned;
    l->returned = NULL;
    pthread_mutex_unlock(&l->shared->lock);
    return has_returned;
}
