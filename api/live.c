#include "api/live.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "base/waker.h"

enum kind { KIND_MERCHANT, KIND_PHOTOGRAPHER, KIND_FRESHNESS, KINDS };
#define BOARDS KIND_FRESHNESS

static const char *const names[KINDS] = {"merchant", "photographer", "freshness"};

/* A board as the hub looks it up. Belongs to the thread that steps the hub, except for what the lock guards.
 */
struct live_board {
    struct live *hub;
    struct api_call call;
    struct answer *current; /* the content of its event; NULL: none */
    int64_t as_of_ms;       /* of the last answer */
    int64_t next_ms;        /* when to look it up next, at the earliest */
    bool answered;          /* a look-up has returned since the hub has readers */

    /* Guarded by the lock. */
    enum { IDLE, IN_FLIGHT, RETURNED } look_up; /* in flight: the api owns `call` */
    struct answer *returned;                    /* NULL: the board could not be read */
};

struct event {
    uint64_t id; /* 0: none */
    struct body *body;
};

struct live {
    struct api *api;
    unsigned max_readers;
    atomic_uint references; /* the owner's, and one for each call in flight */
    struct live_board boards[BOARDS];
    int64_t as_of_ms; /* of the freshness event */
    bool caught_up;
    struct body *greeting, *heartbeat;
    struct metrics_series *readers_gauge, *counts[KINDS];
    struct waker waker;
    struct pulse pulse; /* the thread's */
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* a leaf; guards what follows */
    struct event events[KINDS];
    uint64_t last_id;
    int64_t freshness_ms; /* when the freshness event was made */
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

/* Events. The caller holds the lock. */

static void clear_event(struct event *event) {
    body_unref(event->body);
    *event = (struct event){0};
}

static void set_event(struct live *hub, enum kind kind, const struct body *data) {
    struct event *event = &hub->events[kind];
    clear_event(event);
    event->id = ++hub->last_id;
    char *text = mem_printf("event: %s\nid: %" PRIu64 "\ndata: %.*s\n\n", names[kind], event->id,
                            (int)data->length, data->data);
    event->body = body_new(text, strlen(text));
}

/* The oldest event that the reader has not read; KINDS: none. */
static enum kind next_event(const struct live *hub, const struct live_reader *reader) {
    enum kind found = KINDS;
    for (enum kind kind = 0; kind < KINDS; kind++)
        if (hub->events[kind].id > reader->last_id &&
            (found == KINDS || hub->events[kind].id < hub->events[found].id))
            found = kind;
    return found;
}

static bool is_heartbeat_due(const struct live_reader *reader, int64_t now_ms) {
    return now_ms - reader->sent_ms >= LIMIT_LIVE_HEARTBEAT_MS;
}

/* Boards. */

static void hub_unref(struct live *hub) {
    if (atomic_fetch_sub(&hub->references, 1) != 1)
        return;
    for (int i = 0; i < BOARDS; i++) {
        answer_unref(hub->boards[i].current);
        answer_unref(hub->boards[i].returned);
    }
    for (enum kind kind = 0; kind < KINDS; kind++)
        clear_event(&hub->events[kind]);
    body_unref(hub->greeting);
    body_unref(hub->heartbeat);
    waker_deinit(&hub->waker);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

/* Runs on a loader thread, or on the hub's if the cache had the answer. The hub may start the next look-up as
 * soon as the lock is released. */
static void on_answer(struct api_call *call) {
    struct live_board *board = (struct live_board *)((char *)call - offsetof(struct live_board, call));
    struct live *hub = board->hub;
    struct answer *answer = call->answer;
    if (answer->status != 200) {
        answer_unref(answer);
        answer = NULL;
    }
    pthread_mutex_lock(&hub->lock);
    board->returned = answer;
    board->look_up = RETURNED;
    pthread_mutex_unlock(&hub->lock);
    waker_wake(&hub->waker);
    hub_unref(hub);
}

static void look_up(struct live *hub, struct live_board *board, int64_t now_ms) {
    pthread_mutex_lock(&hub->lock);
    bool due = board->look_up == IDLE && board->next_ms <= now_ms;
    if (due)
        board->look_up = IN_FLIGHT;
    pthread_mutex_unlock(&hub->lock);
    if (!due)
        return;
    board->next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    atomic_fetch_add(&hub->references, 1);
    if (api_handle(hub->api, &board->call, now_ms))
        on_answer(&board->call);
}

/* Takes the result of a look-up that has returned; makes an event if the board changed. */
static void take_result(struct live *hub, enum kind kind, int64_t now_ms) {
    struct live_board *board = &hub->boards[kind];
    pthread_mutex_lock(&hub->lock);
    struct answer *answer = board->returned;
    if (board->look_up == RETURNED) {
        board->look_up = IDLE;
        board->answered = true;
    }
    board->returned = NULL;
    /* The ETag covers all but asOf. */
    bool changed = answer && !(board->current && strcmp(board->current->etag, answer->etag) == 0);
    if (changed)
        set_event(hub, kind, answer->body);
    pthread_mutex_unlock(&hub->lock);
    if (!answer)
        return;
    board->as_of_ms = answer->as_of_ms;
    if (changed)
        board->next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    answer_unref(board->current);
    board->current = answer;
}

/* Freshness. */

/* Up to when both boards are complete; false while a board has not been looked up yet. */
static bool boards_as_of(const struct live *hub, int64_t *as_of_ms) {
    *as_of_ms = INT64_MAX;
    for (int i = 0; i < BOARDS; i++) {
        if (!hub->boards[i].answered)
            return false;
        if (hub->boards[i].as_of_ms < *as_of_ms)
            *as_of_ms = hub->boards[i].as_of_ms;
    }
    return true;
}

static void publish_freshness(struct live *hub, int64_t now_ms) {
    int64_t as_of_ms;
    if (!boards_as_of(hub, &as_of_ms))
        return;
    bool caught_up = api_is_caught_up(hub->api, as_of_ms);
    bool changed = as_of_ms != hub->as_of_ms || caught_up != hub->caught_up;
    pthread_mutex_lock(&hub->lock);
    bool due =
        !hub->events[KIND_FRESHNESS].id || (changed && now_ms - hub->freshness_ms >= LIMIT_LIVE_FRESHNESS_MS);
    if (due) {
        struct answer *json = answer_json(200, api_freshness(hub->api, as_of_ms));
        set_event(hub, KIND_FRESHNESS, json->body);
        answer_unref(json);
        hub->freshness_ms = now_ms;
        hub->as_of_ms = as_of_ms;
        hub->caught_up = caught_up;
    }
    pthread_mutex_unlock(&hub->lock);
}

/* The hub. */

static bool must_wake(const struct live *hub, const struct live_reader *reader, int64_t now_ms) {
    return reader->waiting &&
           (hub->ended || next_event(hub, reader) != KINDS || is_heartbeat_due(reader, now_ms));
}

/* Wakes a part of the waiting readers that have something to read; returns whether none are left. Waking all
 * of them at once would delay every other request behind them. */
static bool wake_some(struct live *hub, int64_t now_ms) {
    struct live_reader *awake = NULL, *reader, *next;
    pthread_mutex_lock(&hub->lock);
    unsigned left = hub->n_readers / LIMIT_LIVE_WAKES + 1;
    DL_FOREACH(hub->readers, reader) {
        if (!must_wake(hub, reader, now_ms))
            continue;
        if (left-- == 0)
            break;
        reader->waiting = false;
        reader->next_awake = awake;
        awake = reader;
    }
    pthread_mutex_unlock(&hub->lock);
    bool all = !reader;
    for (reader = awake; reader; reader = next) {
        next = reader->next_awake; /* a woken reader may leave at once */
        reader->wake(reader);
    }
    return all;
}

/* Without readers, forgets all events and boards: they would be old for the next reader. Returns whether
 * there are none. */
static bool rest(struct live *hub) {
    pthread_mutex_lock(&hub->lock);
    bool resting = !hub->readers || hub->ended;
    for (enum kind kind = 0; resting && kind < KINDS; kind++)
        clear_event(&hub->events[kind]);
    pthread_mutex_unlock(&hub->lock);
    for (int i = 0; resting && i < BOARDS; i++) {
        struct live_board *board = &hub->boards[i];
        answer_unref(board->current);
        board->current = NULL;
        board->answered = false;
        board->as_of_ms = FRESHNESS_UNKNOWN;
    }
    return resting;
}

static int64_t next_step(const struct live *hub, int64_t now_ms) {
    int64_t next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    for (int i = 0; i < BOARDS; i++) /* a board that is overdue is in flight; its answer wakes the hub */
        if (hub->boards[i].next_ms > now_ms && hub->boards[i].next_ms < next_ms)
            next_ms = hub->boards[i].next_ms;
    return next_ms;
}

int64_t live_step(struct live *hub, int64_t now_ms) {
    for (enum kind kind = 0; kind < BOARDS; kind++)
        take_result(hub, kind, now_ms);
    if (rest(hub))
        return INT64_MAX;
    for (enum kind kind = 0; kind < BOARDS; kind++) {
        look_up(hub, &hub->boards[kind], now_ms);
        take_result(hub, kind, now_ms); /* if the cache had it */
    }
    publish_freshness(hub, now_ms);
    return wake_some(hub, now_ms) ? next_step(hub, now_ms) : now_ms + 1;
}

static void *hub_main(void *argument) {
    struct live *hub = argument;
    pulse_watch(&hub->pulse, "live", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    while (!hub->ended) {
        int64_t next_ms = live_step(hub, clock_boot_ms());
        if (next_ms == INT64_MAX)
            pulse_rest(&hub->pulse);
        waker_wait(&hub->waker, next_ms, -1);
        pulse_beat(&hub->pulse, clock_boot_ms());
    }
    pulse_unwatch(&hub->pulse);
    return NULL;
}

/* Readers. */

bool live_join(struct live *hub, struct live_reader *reader, int64_t now_ms) {
    pthread_mutex_lock(&hub->lock);
    bool joins = hub->n_readers < hub->max_readers && !hub->ended;
    if (joins) {
        reader->hub = hub;
        reader->current = body_ref(hub->greeting);
        reader->offset = 0;
        reader->last_id = 0;
        reader->sent_ms = now_ms;
        reader->waiting = false;
        DL_APPEND(hub->readers, reader);
        hub->n_readers++;
        if (now_ms - hub->freshness_ms >= LIMIT_LIVE_FRESHNESS_MS) /* the event has the time of the server */
            clear_event(&hub->events[KIND_FRESHNESS]);
    }
    pthread_mutex_unlock(&hub->lock);
    if (joins) {
        metrics_add(hub->readers_gauge, 1);
        waker_wake(&hub->waker);
    }
    return joins;
}

void live_leave(struct live_reader *reader) {
    struct live *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    DL_DELETE(hub->readers, reader);
    hub->n_readers--;
    pthread_mutex_unlock(&hub->lock);
    body_unref(reader->current);
    reader->current = NULL;
    metrics_add(hub->readers_gauge, -1);
}

/* Sets the reader's `current` to what it must read next; false if there is nothing. */
static bool take_next(struct live_reader *reader, int64_t now_ms) {
    struct live *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    enum kind kind = hub->ended ? KINDS : next_event(hub, reader);
    if (kind != KINDS) {
        reader->current = body_ref(hub->events[kind].body);
        reader->last_id = hub->events[kind].id;
        metrics_add(hub->counts[kind], 1);
    } else if (!hub->ended && is_heartbeat_due(reader, now_ms)) {
        reader->current = body_ref(hub->heartbeat);
    }
    if (reader->current)
        reader->sent_ms = now_ms;
    reader->offset = 0;
    pthread_mutex_unlock(&hub->lock);
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
    return n ? (ssize_t)n : reader->hub->ended ? LIVE_ENDED : 0;
}

bool live_wait(struct live_reader *reader) {
    struct live *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    reader->waiting = !hub->ended && next_event(hub, reader) == KINDS;
    bool waits = reader->waiting;
    pthread_mutex_unlock(&hub->lock);
    return waits;
}

/* Start and end. */

static struct body *text_body(const char *text) {
    return body_new(mem_strdup(text), strlen(text));
}

static void init_board(struct live *hub, enum kind kind, const char *target) {
    struct live_board *board = &hub->boards[kind];
    board->hub = hub;
    board->as_of_ms = FRESHNESS_UNKNOWN;
    board->call.method = "GET";
    board->call.target = target;
    board->call.target_length = strlen(target);
    board->call.done = on_answer;
}

struct live *live_new(struct api *api, unsigned max_readers) {
    struct live *hub = mem_zalloc(sizeof *hub);
    hub->api = api;
    hub->max_readers = max_readers;
    atomic_init(&hub->references, 1);
    init_board(hub, KIND_MERCHANT, "/scores/merchant");
    init_board(hub, KIND_PHOTOGRAPHER, "/scores/photographer");
    hub->greeting = text_body("retry: 2000\n\n");
    hub->heartbeat = text_body(": heartbeat\n\n");
    hub->readers_gauge = METRICS_SERIES(&readers_family, NULL);
    metrics_add(hub->readers_gauge, 0);
    for (enum kind kind = 0; kind < KINDS; kind++)
        hub->counts[kind] = METRICS_SERIES(&events_family, names[kind]);
    waker_init(&hub->waker);
    pthread_mutex_init(&hub->lock, NULL);
    return hub;
}

enum status live_start(struct live *hub, struct error *e) {
    enum status status = thread_start(&hub->thread, "live", hub_main, hub, e);
    hub->has_thread = !status;
    return status;
}

void live_end(struct live *hub) {
    pthread_mutex_lock(&hub->lock);
    hub->ended = true;
    pthread_mutex_unlock(&hub->lock);
    waker_wake(&hub->waker);
    if (hub->has_thread)
        pthread_join(hub->thread, NULL);
    hub->has_thread = false;
    while (!wake_some(hub, 0))
        ;
}

void live_free(struct live *hub) {
    if (!hub)
        return;
    live_end(hub);
    hub_unref(hub);
}
