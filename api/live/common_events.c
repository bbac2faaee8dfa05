#include "api/live/common_events.h"

#include "api/live/tick.h"

static void put(struct event_log *log, enum live_event kind, struct body *data) {
    if (kind == LIVE_SALE)
        event_log_put(log, kind, data);
    else if (data)
        event_log_replace(log, kind, data);
    else
        event_log_set_state(log, kind, NULL);
}

static void publish(struct live_shared *shared, struct hub hubs[PERIOD_KINDS], enum live_event kind,
                    struct body *data) {
    pthread_mutex_lock(&shared->lock);
    for (enum period_kind i = 0; i < PERIOD_KINDS; i++) {
        struct channel *channel = hub_channel(&hubs[i], true);
        if (channel->readers)
            put(&channel->log, kind, data);
    }
    pthread_mutex_unlock(&shared->lock);
}

static void publish_sale(struct live_shared *shared, struct hub hubs[PERIOD_KINDS]) {
    json_t *json = api_take_sale(shared->api);
    if (!json)
        return;
    struct answer *sale = answer_json(200, json);
    publish(shared, hubs, LIVE_SALE, sale->body);
    answer_unref(sale);
}

/* A progress that has ended is nothing to begin with. */
static void publish_progress(struct live_shared *shared, struct hub hubs[PERIOD_KINDS], int64_t now_ms) {
    json_t *json = api_progress(shared->api, now_ms);
    struct answer *progress = json ? answer_json(200, json) : NULL;
    publish(shared, hubs, LIVE_PROGRESS, progress ? progress->body : NULL);
    answer_unref(progress);
}

int64_t common_events_step(struct common_events *events, struct live_shared *shared,
                           struct hub hubs[PERIOD_KINDS], bool has_followers, int64_t now_ms) {
    if (events->follows != has_followers)
        api_follow_sales(shared->api, has_followers);
    events->follows = has_followers;
    if (!has_followers)
        return INT64_MAX;
    if (events->sale_ms <= now_ms) {
        publish_sale(shared, hubs);
        events->sale_ms = tick_of(now_ms) + LIMIT_LIVE_SALE_MS;
    }
    if (events->progress_ms <= now_ms) {
        publish_progress(shared, hubs, now_ms);
        events->progress_ms = tick_of(now_ms) + LIMIT_LIVE_PROGRESS_MS;
    }
    return events->sale_ms;
}
