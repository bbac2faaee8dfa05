#include "api/live/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "api/live/common_events.h"
#include "api/live/hub.h"
#include "api/live/tick.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/thread.h"

struct live {
    struct live_shared shared; /* first */
    unsigned max_readers;
    struct hub hubs[PERIOD_KINDS];
    struct common_events common_events;
    struct body *greeting, *heartbeat;
    struct metrics_series *readers_gauge, *counts[LIVE_EVENTS];
    struct pulse pulse; /* the thread's */
    pthread_t thread;
    bool has_thread;
    atomic_uint followers; /* readers of changes */

    /* Guarded by the lock. */
    struct live_reader *readers;
    unsigned n_readers;
    atomic_bool ended; /* set under the lock: no reader waits after that */
};

static struct metrics_family readers_family = {
    .name = "winner_view_live_readers",
    .help = "Clients that read /live now.",
    .kind = METRICS_GAUGE,
};
static struct metrics_family events_family = {
    .name = "winner_view_live_events_total",
    .help = "Events sent to readers of /live.",
    .kind = METRICS_COUNTER,
    .labels = {"event"},
};

/* What a reader gets. The caller holds the lock. */

static bool must_start(const struct live_reader *reader) {
    return reader->starts || event_log_has_lost(&reader->channel->log, reader->number);
}

static bool has_event(const struct live_reader *reader) {
    const struct event_log *log = &reader->channel->log;
    return must_start(reader) ? event_log_has_start(log) : event_log_next(log, reader->number) != NULL;
}

static bool is_heartbeat_due(const struct live_reader *reader, int64_t now_ms) {
    return now_ms - reader->sent_ms >= LIMIT_LIVE_HEARTBEAT_MS;
}

/* Reading. */

static void take_start(struct live_reader *reader) {
    struct event_log *log = &reader->channel->log;
    struct body *start = event_log_start(log);
    if (!start)
        return;
    reader->current = body_ref(start);
    reader->number = log->last;
    reader->starts = false;
    for (enum live_event kind = 0; kind < LIVE_EVENTS; kind++)
        if (log->present[kind].data)
            metrics_add(reader->live->counts[kind], 1);
}

static void take_event(struct live_reader *reader) {
    const struct event_log_entry *event = event_log_next(&reader->channel->log, reader->number);
    if (!event)
        return;
    reader->current = body_ref(event->text);
    reader->number = event->number;
    metrics_add(reader->live->counts[event->kind], 1);
}

/* Sets the reader's `current` to what it must read next; false if there is nothing. */
static bool take_next(struct live_reader *reader, int64_t now_ms) {
    struct live *live = reader->live;
    pthread_mutex_lock(&live->shared.lock);
    if (!live->ended && must_start(reader))
        take_start(reader);
    else if (!live->ended)
        take_event(reader);
    if (!live->ended && !reader->current && is_heartbeat_due(reader, now_ms))
        reader->current = body_ref(live->heartbeat);
    if (reader->current)
        reader->sent_ms = now_ms;
    reader->offset = 0;
    pthread_mutex_unlock(&live->shared.lock);
    return reader->current;
}

static size_t copy_some(struct live_reader *reader, char *out, size_t size) {
    size_t left = reader->current->length - reader->offset, n = left < size ? left : size;
    memcpy(out, reader->current->data + reader->offset, n);
    reader->offset += n;
    if (n == left) {
        body_unref(reader->current);
        reader->current = NULL;
    }
    return n;
}

ssize_t live_read(struct live_reader *reader, int64_t now_ms, char *out, size_t size) {
    size_t n = 0;
    while (n < size && (reader->current || take_next(reader, now_ms)))
        n += copy_some(reader, out + n, size - n);
    return n ? (ssize_t)n : reader->live->ended ? LIVE_ENDED : 0;
}

bool live_wait(struct live_reader *reader) {
    struct live *live = reader->live;
    pthread_mutex_lock(&live->shared.lock);
    reader->waiting = !live->ended && !has_event(reader);
    bool waits = reader->waiting;
    pthread_mutex_unlock(&live->shared.lock);
    return waits;
}

/* Arriving and leaving. */

/* A reader without changes starts with the latest event of each kind, which is the present state. */
static void begin_reader(struct live *live, struct live_reader *reader, const struct live_wishes *wishes,
                         int64_t now_ms) {
    struct channel *channel = hub_channel(&live->hubs[wishes->kind], wishes->changes);
    uint64_t number = 0;
    bool resumes = wishes->changes && event_log_find(&channel->log, wishes->last_event_id, &number);
    channel_join(channel, resumes, now_ms);
    reader->live = live;
    reader->channel = channel;
    reader->current = body_ref(live->greeting);
    reader->offset = 0;
    reader->starts = wishes->changes && !resumes;
    reader->number = resumes ? number : 0;
    reader->sent_ms = now_ms;
    reader->waiting = false;
    DL_APPEND(live->readers, reader);
    live->n_readers++;
    atomic_fetch_add(&live->followers, wishes->changes);
}

bool live_join(struct live *live, struct live_reader *reader, const struct live_wishes *wishes,
               int64_t now_ms) {
    pthread_mutex_lock(&live->shared.lock);
    bool joins = live->n_readers < live->max_readers && !live->ended;
    if (joins)
        begin_reader(live, reader, wishes, now_ms);
    pthread_mutex_unlock(&live->shared.lock);
    if (joins) {
        metrics_add(live->readers_gauge, 1);
        waker_wake(&live->shared.waker);
    }
    return joins;
}

void live_leave(struct live_reader *reader) {
    struct live *live = reader->live;
    pthread_mutex_lock(&live->shared.lock);
    DL_DELETE(live->readers, reader);
    live->n_readers--;
    reader->channel->readers--;
    bool was_last = reader->channel->has_changes && atomic_fetch_sub(&live->followers, 1) == 1;
    pthread_mutex_unlock(&live->shared.lock);
    if (was_last) /* sales need not be collected */
        waker_wake(&live->shared.waker);
    body_unref(reader->current);
    reader->current = NULL;
    metrics_add(live->readers_gauge, -1);
}

/* Steps. */

static bool must_wake(const struct live *live, const struct live_reader *reader, int64_t now_ms) {
    return reader->waiting && (live->ended || has_event(reader) || is_heartbeat_due(reader, now_ms));
}

/* Wakes a part of the waiting readers that have something to read; returns whether none are left. Waking all
 * of them at once would delay every other request behind them. */
static bool wake_some(struct live *live, int64_t now_ms) {
    struct live_reader *awake = NULL, *reader, *next;
    pthread_mutex_lock(&live->shared.lock);
    unsigned left = live->n_readers / LIMIT_LIVE_WAKES + 1;
    DL_FOREACH(live->readers, reader) {
        if (!must_wake(live, reader, now_ms))
            continue;
        if (left-- == 0)
            break;
        reader->waiting = false;
        reader->next_awake = awake;
        awake = reader;
    }
    pthread_mutex_unlock(&live->shared.lock);
    bool all = !reader;
    for (reader = awake; reader; reader = next) {
        next = reader->next_awake; /* a woken reader may leave at once */
        reader->wake(reader);
    }
    return all;
}

int64_t live_step(struct live *live, int64_t now_ms) {
    bool has_followers = !live->ended && atomic_load(&live->followers) > 0;
    int64_t next_ms =
        common_events_step(&live->common_events, &live->shared, live->hubs, has_followers, now_ms);
    for (enum period_kind kind = 0; !live->ended && kind < PERIOD_KINDS; kind++) {
        int64_t hub_ms = hub_step(&live->hubs[kind], now_ms);
        next_ms = hub_ms < next_ms ? hub_ms : next_ms;
    }
    return wake_some(live, now_ms) ? tick_after(next_ms) : now_ms + 1;
}

static void *live_main(void *argument) {
    struct live *live = argument;
    pulse_watch(&live->pulse, "live", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    while (!live->ended) {
        int64_t next_ms = live_step(live, clock_boot_ms());
        if (next_ms == INT64_MAX)
            pulse_rest(&live->pulse);
        waker_wait(&live->shared.waker, next_ms, -1);
        pulse_beat(&live->pulse, clock_boot_ms());
    }
    pulse_unwatch(&live->pulse);
    return NULL;
}

/* Start and end. */

static struct body *text_body(const char *text) {
    return body_new(mem_strdup(text), strlen(text));
}

static void free_all(struct live_shared *shared) {
    struct live *live = (struct live *)shared;
    for (enum period_kind kind = 0; kind < PERIOD_KINDS; kind++)
        hub_deinit(&live->hubs[kind]);
    body_unref(live->greeting);
    body_unref(live->heartbeat);
    free(live);
}

struct live *live_new(struct api *api, unsigned max_readers) {
    struct live *live = mem_zalloc(sizeof *live);
    live_shared_init(&live->shared, api, free_all);
    live->max_readers = max_readers;
    for (enum period_kind kind = 0; kind < PERIOD_KINDS; kind++)
        hub_init(&live->hubs[kind], &live->shared, kind);
    live->greeting = text_body("retry: 2000\n\n");
    live->heartbeat = text_body(": heartbeat\n\n");
    live->readers_gauge = METRICS_SERIES(&readers_family, NULL);
    metrics_add(live->readers_gauge, 0);
    for (enum live_event kind = 0; kind < LIVE_EVENTS; kind++)
        live->counts[kind] = METRICS_SERIES(&events_family, live_event_name(kind));
    return live;
}

enum status live_start(struct live *live, struct error *e) {
    enum status status = thread_start(&live->thread, "live", live_main, live, e);
    live->has_thread = !status;
    return status;
}

void live_end(struct live *live) {
    pthread_mutex_lock(&live->shared.lock);
    live->ended = true;
    pthread_mutex_unlock(&live->shared.lock);
    waker_wake(&live->shared.waker);
    if (live->has_thread)
        pthread_join(live->thread, NULL);
    live->has_thread = false;
    while (!wake_some(live, 0))
        ;
}

void live_free(struct live *live) {
    if (!live)
        return;
    live_end(live);
    live_shared_unref(&live->shared);
}
