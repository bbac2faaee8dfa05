/* For the tests of api/live: readers of a hub that a test steps, with its time. */
#ifndef TESTS_UNIT_SUPPORT_LIVE_H
#define TESTS_UNIT_SUPPORT_LIVE_H

#include "tests/unit/support/api.h"

#include <sched.h>

#include "api/live/live.h"
#include "base/limits.h"

enum { TEXT_BYTES = 1 << 16 };

static struct fixture f;
static struct live *hub;
static int64_t now_ms;

static const struct live_wishes whole_boards = {0};

/* A reader that notes when it is woken and keeps all text. */
struct client {
    struct live_reader reader; /* first */
    bool woken, ended;
    size_t length;
    char text[TEXT_BYTES];
};
static struct client clients[3];

/* Once `f` is there: a new hub for at most so many readers. end_hub is the teardown of its test. */
static inline void begin_hub(size_t most) {
    hub = live_new(f.api, most);
    now_ms = clock_boot_ms();
    memset(clients, 0, sizeof clients);
}

static inline int end_hub(void **state) {
    (void)state;
    scripted_store_release(f.store);
    live_free(hub);
    support_deinit(&f);
    return 0;
}

static inline void on_wake(struct live_reader *reader) {
    ((struct client *)reader)->woken = true;
}

static inline void follow(struct client *c, const struct live_wishes *wishes) {
    c->reader.wake = on_wake;
    assert_true(live_join(hub, &c->reader, wishes, now_ms));
}

static inline void join(struct client *c) {
    follow(c, &whole_boards);
}

/* Reads until there is nothing left, `size` bytes at a time, then waits. */
static inline void read_by(struct client *c, size_t size) {
    ssize_t n;
    do {
        while ((n = live_read(&c->reader, now_ms, c->text + c->length, size)) > 0) {
            assert_true((size_t)n <= size);
            c->length += (size_t)n;
            assert_true(c->length + size < sizeof c->text);
        }
        c->text[c->length] = '\0';
        c->ended = n == LIVE_ENDED;
        c->woken = false;
    } while (!c->ended && !live_wait(&c->reader));
}

static inline void read_all(struct client *c) {
    read_by(c, 4096);
}

static inline void clear(struct client *c) {
    c->length = 0;
    c->text[0] = '\0';
}

static inline size_t count(const struct client *c, const char *part) {
    size_t n = 0;
    for (const char *at = c->text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

/* Advances the time of the hub in steps of `step_ms`, and reads as the client, until the client's text
 * contains `part`. */
static inline void step_until(struct client *c, const char *part, int64_t step_ms) {
    int64_t deadline_ms = clock_boot_ms() + 20000;
    while (!strstr(c->text, part)) {
        if (clock_boot_ms() > deadline_ms)
            fail_msg("no '%s' in '%s'", part, c->text);
        live_step(hub, now_ms);
        if (c->woken)
            read_all(c);
        now_ms += step_ms;
        sched_yield(); /* to the loaders */
    }
}

/* The client joins and reads the first event of each kind. */
static inline void follow_and_read(struct client *c, const struct live_wishes *wishes) {
    follow(c, wishes);
    read_all(c);
    step_until(c, "event: freshness", 0);
}

static inline void join_and_read(struct client *c) {
    follow_and_read(c, &whole_boards);
}

#endif
