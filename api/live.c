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
#include "base/waker.h"

enum kind { KIND_MERCHANT, KIND_PHOTOGRAPHER, KIND_FRESHNESS, KINDS };
#define BOARDS KIND_FRESHNESS

static const char *const names[KINDS] = {"merchant", "photographer", "freshness"};

/* A board as the hub looks it up. Belongs to whoever steps the hub, but for what the lock guards. */
struct board {
    struct live *hub;
    struct api_call call;
    struct answer *shown; /* what its event says; NULL: none */
    int64_t as_of_ms;     /* of the last answer, which said the same */
    int64_t next_ms;      /* not looked up before */
    bool tried;           /* since readers came */

    bool asked;          /* the lock's: the call is the api's */
    bool told;           /* the lock's: it came back */
    struct answer *came; /* the lock's: with this; NULL: the board cannot be read */
};

struct event {
    uint64_t id; /* 0: none */
    struct body *body;
};

struct live {
    struct api *api;
    unsigned max_readers;
    atomic_uint references; /* one of the owner, one a call that is the api's */
    struct board boards[BOARDS];
    int64_t as_of_ms; /* what the freshness event says */
    bool caught_up;
    struct body *greeting, *heartbeat;
    struct metrics_series *readers_gauge, *counts[KINDS];
    struct waker waker;
    struct pulse pulse; /* the thread's */
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* guards the rest, and what says so above; a leaf */
    struct event events[KINDS];
    uint64_t last_id;
    int64_t freshness_ms; /* when that event was made */
    struct live_reader *readers;
    unsigned n_readers;
    bool ended;
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

/* ---- events (under the lock) -------------------------------------------------------------------------- */

static void clear_event(struct event *event) {
    body_unref(event->body);
    *event = (struct event){0};
}

static void set_event(struct live *hub, enum kind kind, const char *data, size_t length) {
    struct event *event = &hub->events[kind];
    clear_event(event);
    event->id = ++hub->last_id;
    char *text =
        mem_printf("event: %s\nid: %" PRIu64 "\ndata: %.*s\n\n", names[kind], event->id, (int)length, data);
    event->body = body_new(text, strlen(text));
}

/* The first that the reader has not seen; KINDS: none. */
static enum kind next_event(const struct live *hub, const struct live_reader *reader) {
    enum kind found = KINDS;
    for (enum kind kind = 0; kind < KINDS; kind++)
        if (hub->events[kind].id > reader->seen &&
            (found == KINDS || hub->events[kind].id < hub->events[found].id))
            found = kind;
    return found;
}

static bool wants_heartbeat(const struct live_reader *reader, int64_t now_ms) {
    return now_ms - reader->sent_ms >= LIMIT_LIVE_HEARTBEAT_MS;
}

/* ---- the boards --------------------------------------------------------------------------------------- */

static void hub_unref(struct live *hub) {
    if (atomic_fetch_sub(&hub->references, 1) != 1)
        return;
    for (int i = 0; i < BOARDS; i++) {
        answer_unref(hub->boards[i].shown);
        answer_unref(hub->boards[i].came);
    }
    for (enum kind kind = 0; kind < KINDS; kind++)
        clear_event(&hub->events[kind]);
    body_unref(hub->greeting);
    body_unref(hub->heartbeat);
    waker_deinit(&hub->waker);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

/* On a loader thread, or at once on the hub's. Once it is told, the call may be under way again. */
static void on_answer(struct api_call *call) {
    struct board *board = (struct board *)((char *)call - offsetof(struct board, call));
    struct live *hub = board->hub;
    struct answer *answer = call->answer;
    bool usable = answer->status == 200;
    pthread_mutex_lock(&hub->lock);
    board->came = usable ? answer : NULL;
    board->asked = false;
    board->told = true;
    pthread_mutex_unlock(&hub->lock);
    if (!usable)
        answer_unref(answer);
    waker_wake(&hub->waker);
    hub_unref(hub);
}

static void look_up(struct live *hub, struct board *board, int64_t now_ms) {
    pthread_mutex_lock(&hub->lock);
    bool due = !board->asked && !board->told && board->next_ms <= now_ms;
    board->asked |= due;
    pthread_mutex_unlock(&hub->lock);
    if (!due)
        return;
    board->next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    atomic_fetch_add(&hub->references, 1);
    if (api_handle(hub->api, &board->call, now_ms))
        on_answer(&board->call);
}

/* The ETag is of all but asOf. */
static bool says_the_same(const struct answer *a, const struct answer *b) {
    return strcmp(a->etag, b->etag) == 0;
}

/* What came of the last look, if it came. */
static void take_in(struct live *hub, enum kind kind, int64_t now_ms) {
    struct board *board = &hub->boards[kind];
    pthread_mutex_lock(&hub->lock);
    struct answer *came = board->came;
    board->tried |= board->told;
    board->told = false;
    board->came = NULL;
    bool changed = came && !(board->shown && says_the_same(board->shown, came));
    if (changed)
        set_event(hub, kind, came->body->data, came->body->length);
    pthread_mutex_unlock(&hub->lock);
    if (!came)
        return;
    board->as_of_ms = came->as_of_ms;
    if (changed)
        board->next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    answer_unref(board->shown);
    board->shown = came;
}

/* ---- freshness ---------------------------------------------------------------------------------------- */

/* Up to when both boards are true; false while one was not tried yet. */
static bool least_as_of(const struct live *hub, int64_t *as_of_ms) {
    *as_of_ms = INT64_MAX;
    for (int i = 0; i < BOARDS; i++) {
        if (!hub->boards[i].tried)
            return false;
        if (hub->boards[i].as_of_ms < *as_of_ms)
            *as_of_ms = hub->boards[i].as_of_ms;
    }
    return true;
}

static char *freshness_text(int64_t as_of_ms, bool caught_up) {
    char time[CLOCK_TEXT_SIZE], now[CLOCK_TEXT_SIZE];
    bool known = as_of_ms != FRESHNESS_UNKNOWN;
    const char *quote = known ? "\"" : "";
    return mem_printf("{\"asOf\":%s%s%s,\"caughtUp\":%s,\"time\":\"%s\"}", quote,
                      known ? clock_format(as_of_ms, time) : "null", quote, caught_up ? "true" : "false",
                      clock_format(clock_real_ms(), now));
}

static void tell_freshness(struct live *hub, int64_t now_ms) {
    int64_t as_of_ms;
    if (!least_as_of(hub, &as_of_ms))
        return;
    bool caught_up = api_is_caught_up(hub->api, as_of_ms);
    bool changed = as_of_ms != hub->as_of_ms || caught_up != hub->caught_up;
    pthread_mutex_lock(&hub->lock);
    bool due =
        !hub->events[KIND_FRESHNESS].id || (changed && now_ms - hub->freshness_ms >= LIMIT_LIVE_FRESHNESS_MS);
    if (due) {
        _cleanup_(mem_freep) char *text = freshness_text(as_of_ms, caught_up);
        set_event(hub, KIND_FRESHNESS, text, strlen(text));
        hub->freshness_ms = now_ms;
        hub->as_of_ms = as_of_ms;
        hub->caught_up = caught_up;
    }
    pthread_mutex_unlock(&hub->lock);
}

/* ---- the hub ------------------------------------------------------------------------------------------ */

static bool is_to_be_woken(const struct live *hub, const struct live_reader *reader, int64_t now_ms) {
    return reader->waiting &&
           (hub->ended || next_event(hub, reader) != KINDS || wants_heartbeat(reader, now_ms));
}

/* Of those who wait and have something to read by now, some wait no more; whether that was all of them. If
 * all were woken at once, whoever asks for anything then would stand in line behind them. */
static bool wake_some(struct live *hub, int64_t now_ms) {
    struct live_reader *awake = NULL, *reader, *next;
    pthread_mutex_lock(&hub->lock);
    unsigned left = hub->n_readers / LIMIT_LIVE_WAKES + 1;
    DL_FOREACH(hub->readers, reader) {
        if (!is_to_be_woken(hub, reader, now_ms))
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
        next = reader->next_awake; /* once woken, it may leave */
        reader->wake(reader);
    }
    return all;
}

/* Nobody reads: what was shown is old by the time that somebody does. */
static bool rest(struct live *hub) {
    pthread_mutex_lock(&hub->lock);
    bool resting = !hub->readers || hub->ended;
    for (enum kind kind = 0; resting && kind < KINDS; kind++)
        clear_event(&hub->events[kind]);
    pthread_mutex_unlock(&hub->lock);
    for (int i = 0; resting && i < BOARDS; i++) {
        struct board *board = &hub->boards[i];
        answer_unref(board->shown);
        board->shown = NULL;
        board->tried = false;
        board->as_of_ms = FRESHNESS_UNKNOWN;
    }
    return resting;
}

static int64_t next_step(const struct live *hub, int64_t now_ms) {
    int64_t next_ms = now_ms + LIMIT_LIVE_BOARD_MS;
    for (int i = 0; i < BOARDS; i++) /* one that is past waits for its answer, which wakes us */
        if (hub->boards[i].next_ms > now_ms && hub->boards[i].next_ms < next_ms)
            next_ms = hub->boards[i].next_ms;
    return next_ms;
}

int64_t live_step(struct live *hub, int64_t now_ms) {
    for (enum kind kind = 0; kind < BOARDS; kind++)
        take_in(hub, kind, now_ms);
    if (rest(hub))
        return INT64_MAX;
    for (enum kind kind = 0; kind < BOARDS; kind++) {
        look_up(hub, &hub->boards[kind], now_ms);
        take_in(hub, kind, now_ms); /* it was kept */
    }
    tell_freshness(hub, now_ms);
    return wake_some(hub, now_ms) ? next_step(hub, now_ms) : now_ms + 1;
}

static bool has_ended(struct live *hub) {
    pthread_mutex_lock(&hub->lock);
    bool ended = hub->ended;
    pthread_mutex_unlock(&hub->lock);
    return ended;
}

static void *hub_main(void *argument) {
    struct live *hub = argument;
    pulse_watch(&hub->pulse, "live", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    while (!has_ended(hub)) {
        int64_t next_ms = live_step(hub, clock_boot_ms());
        if (next_ms == INT64_MAX)
            pulse_rest(&hub->pulse);
        waker_wait(&hub->waker, next_ms, -1);
        pulse_beat(&hub->pulse, clock_boot_ms());
    }
    pulse_unwatch(&hub->pulse);
    return NULL;
}

/* ---- readers ------------------------------------------------------------------------------------------ */

bool live_join(struct live *hub, struct live_reader *reader, int64_t now_ms) {
    pthread_mutex_lock(&hub->lock);
    bool joins = hub->n_readers < hub->max_readers && !hub->ended;
    if (joins) {
        reader->hub = hub;
        reader->current = body_ref(hub->greeting);
        reader->offset = 0;
        reader->seen = 0;
        reader->sent_ms = now_ms;
        reader->waiting = false;
        DL_APPEND(hub->readers, reader);
        hub->n_readers++;
        if (now_ms - hub->freshness_ms >= LIMIT_LIVE_FRESHNESS_MS) /* its clock is of then */
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
    bool last = --hub->n_readers == 0;
    pthread_mutex_unlock(&hub->lock);
    body_unref(reader->current);
    reader->current = NULL;
    metrics_add(hub->readers_gauge, -1);
    if (last)
        waker_wake(&hub->waker);
}

/* What the reader is to read next becomes its `current`. */
static bool take_next(struct live_reader *reader, int64_t now_ms) {
    struct live *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    enum kind kind = hub->ended ? KINDS : next_event(hub, reader);
    if (kind != KINDS) {
        reader->current = body_ref(hub->events[kind].body);
        reader->seen = hub->events[kind].id;
        metrics_add(hub->counts[kind], 1);
    } else if (!hub->ended && wants_heartbeat(reader, now_ms)) {
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
    return n ? (ssize_t)n : has_ended(reader->hub) ? LIVE_ENDED : 0;
}

bool live_wait(struct live_reader *reader) {
    struct live *hub = reader->hub;
    pthread_mutex_lock(&hub->lock);
    reader->waiting = !hub->ended && next_event(hub, reader) == KINDS;
    bool waits = reader->waiting;
    pthread_mutex_unlock(&hub->lock);
    return waits;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static struct body *text_body(const char *text) {
    return body_new(mem_strdup(text), strlen(text));
}

static void init_board(struct live *hub, enum kind kind, const char *target) {
    struct board *board = &hub->boards[kind];
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
    int code = pthread_create(&hub->thread, NULL, hub_main, hub);
    if (code)
        return error_set(e, STATUS_FAILED, "cannot start a thread: %s", strerror(code));
    hub->has_thread = true;
    return STATUS_OK;
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
