#include "server/notifier.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "base/waker.h"

struct notifier {
    struct notify notify;
    struct health *health;
    struct freshness *freshness;
    atomic_bool ready, stopping, ends;
    struct waker waker;
    pthread_t thread;
    bool has_thread;

    /* For notifier_step. */
    bool failed; /* the last message could not be sent */
    bool late;   /* a loop was late at the last step */
};

static const char *phase_word(const struct health_report *report) {
    static const char *const words[] = {
        [HEALTH_STARTING] = "starting", [HEALTH_SERVING] = "serving", [HEALTH_DRAINING] = "stopping"};
    return words[report->phase];
}

void notifier_status(const struct health_report *report, int64_t lag_ms, char out[NOTIFIER_STATUS_SIZE]) {
    char lag[64] = "lag unknown";
    if (lag_ms != INT64_MAX)
        snprintf(lag, sizeof lag, "lag %" PRId64 " ms", lag_ms);
    if (report->n_troubles)
        snprintf(out, NOTIFIER_STATUS_SIZE, "%s, %s, in trouble: %s: %s", phase_word(report), lag,
                 report->troubles[0].name, report->troubles[0].reason);
    else
        snprintf(out, NOTIFIER_STATUS_SIZE, "%s, %s", phase_word(report), lag);
    text_blank_controls(out); /* a message's lines end at newlines */
    utf8_mend(out);           /* else the whole status would be dropped */
}

static void read_status(struct notifier *n, char out[NOTIFIER_STATUS_SIZE]) {
    _cleanup_(health_report_deinit) struct health_report report;
    health_read(n->health, &report);
    notifier_status(&report,
                    service_clock_age_now(freshness_clock(n->freshness), freshness_as_of(n->freshness)), out);
}

static void send_message(struct notifier *n, const char *message) {
    struct error e;
    bool failed = notify_send(&n->notify, message, &e) != STATUS_OK;
    if (failed && !n->failed)
        log_warn("%s", e.message);
    n->failed = failed;
}

/* Logs a loop that is late, once. */
static bool is_alive(struct notifier *n, int64_t now_boot_ms) {
    char name[LIMIT_SHARD_ID_BYTES + 1];
    bool late = !atomic_load(&n->stopping) && pulse_find_late(now_boot_ms, name, sizeof name);
    if (late && !n->late)
        log_error("the loop '%s' hangs: the service manager gets no WATCHDOG=1 any more", name);
    n->late = late;
    return !late;
}

/* Part of every message: one may be lost, and a repetition changes nothing. */
static const char *state_line(const struct notifier *n) {
    if (atomic_load(&n->stopping))
        return "\nSTOPPING=1";
    return atomic_load(&n->ready) ? "\nREADY=1" : "";
}

static int64_t interval_ms(const struct notifier *n) {
    int64_t third_ms = n->notify.watchdog_ms / 3;
    return third_ms && third_ms < LIMIT_NOTIFY_MS ? third_ms : LIMIT_NOTIFY_MS;
}

int64_t notifier_step(struct notifier *n, int64_t now_boot_ms) {
    char status[NOTIFIER_STATUS_SIZE], message[NOTIFIER_STATUS_SIZE + 64];
    read_status(n, status);
    snprintf(message, sizeof message, "STATUS=%s%s%s", status, state_line(n),
             n->notify.watchdog_ms && is_alive(n, now_boot_ms) ? "\nWATCHDOG=1" : "");
    send_message(n, message);
    return now_boot_ms + interval_ms(n);
}

static void *notifier_main(void *argument) {
    struct notifier *n = argument;
    while (!atomic_load(&n->ends))
        waker_wait(&n->waker, notifier_step(n, clock_boot_ms()), -1);
    notifier_step(n, clock_boot_ms());
    return NULL;
}

struct notifier *notifier_new(const struct notify *notify, struct health *health,
                              struct freshness *freshness) {
    struct notifier *n = mem_zalloc(sizeof *n);
    n->notify = *notify;
    n->health = health;
    n->freshness = freshness;
    waker_init(&n->waker);
    return n;
}

enum status notifier_start(struct notifier *n, struct error *e) {
    enum status status = thread_start(&n->thread, "notifier", notifier_main, n, e);
    n->has_thread = !status;
    return status;
}

void notifier_ready(struct notifier *n) {
    if (n && !atomic_exchange(&n->ready, true))
        waker_wake(&n->waker);
}

void notifier_stopping(struct notifier *n) {
    if (n && !atomic_exchange(&n->stopping, true))
        waker_wake(&n->waker);
}

void notifier_free(struct notifier *n) {
    if (!n)
        return;
    atomic_store(&n->ends, true);
    waker_wake(&n->waker);
    if (n->has_thread)
        pthread_join(n->thread, NULL);
    waker_deinit(&n->waker);
    notify_close(&n->notify);
    free(n);
}
