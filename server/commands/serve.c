/*
 * serve: the life of the daemon, from start to stop.
 *
 * Start: it listens first, so that `/livez` and `/readyz` answer while it waits for the store and then for
 * the source. Until the store answers and has a view, the routes of the view answer `view-not-ready`.
 *
 * Stop (SIGTERM, SIGINT) has phases. After the first, all of them together take at most LIMIT_STOP_MS:
 *   draining   /readyz answers 503, requests are served as before, for --drain-seconds
 *   closing    no new connection; answers say `Connection: close`; requests in flight finish
 *   handing over  batches in hand are applied and checkpointed, leases released (at the same time as closing)
 *   cancelling calls to a store or a stream that are still in flight are ended
 * A thread that hangs in a system call cannot hold up the stop: LIMIT_STOP_STUCK_MS after the drain the
 * process ends with status 1. A second signal ends the process at once. Neither loses data.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "aws/credentials/chain.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/source.h"
#include "server/commands/commands.h"
#include "server/commands/service.h"
#include "server/identity_from.h"
#include "server/stop_guard.h"
#include "views/sqlite/store.h"

static sigset_t stop_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void serve_block_signals(void) {
    const sigset_t set = stop_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static int open_signals(void) {
    const sigset_t set = stop_signals();
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Whether a signal to stop arrived by CLOCK_BOOTTIME `until_ms`. */
static bool wait_for_signal(const struct service *s, int64_t until_ms) {
    struct pollfd fd = {.fd = s->signals, .events = POLLIN};
    int64_t left = until_ms - clock_boot_ms();
    return poll(&fd, 1, left > 0 ? (int)left : 0) > 0;
}

/* Until a signal to stop arrives, or ingest may not continue. */
static void wait_for_end(const struct service *s) {
    struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
                           {.fd = coordinator_stopped_fd(s->coordinator), .events = POLLIN}};
    while (poll(fds, 2, -1) <= 0)
        ;
}

/* Consumes the signal that began the stop, if one did. The next one ends the process at once (main.c). */
static void unblock_signals(const struct service *s) {
    struct signalfd_siginfo first;
    const sigset_t set = stop_signals();
    ssize_t n = wait_for_signal(s, 0) ? read(s->signals, &first, sizeof first) : 0;
    (void)n;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Start. */

/* Calls `contact` until it succeeds or is refused. While the store or the source cannot answer, it waits and
 * calls again. RETRY: a signal to stop arrived first. */
static enum status first_contact(struct service *s, enum status (*contact)(struct service *, struct error *),
                                 struct error *e) {
    for (;;) {
        pulse_beat(&s->pulse, clock_boot_ms());
        enum status status = contact(s, e);
        if (status && wait_for_signal(s, clock_boot_ms()))
            return STATUS_RETRY; /* whatever failed, perhaps because of the signal, matters no more */
        if (status != STATUS_RETRY) {
            health_clear(s->health, "start");
            return status;
        }
        if (health_raise(s->health, "start", e->message))
            log_warn("the start waits: %s", e->message);
        notifier_ready(s->notifier); /* it listens: a restart by the service manager would not help */
        if (wait_for_signal(s, clock_boot_ms() + LIMIT_FIRST_CONTACT_MS))
            return STATUS_RETRY;
    }
}

static bool only_serves(const struct service *s) {
    return strcmp(s->options->source, "none") == 0;
}

/* A process that only serves makes no store: it waits until another one has. */
static enum status await(const struct service *s, enum status status) {
    return status == STATUS_NOT_FOUND && only_serves(s) ? STATUS_RETRY : status;
}

static enum status open_store(struct service *s, struct error *e) {
    enum status status = backend_open(&s->backend, s->options, only_serves(s), e);
    if (!status && options_of_kind(s->options->store, "sqlite"))
        store_sqlite_report_to(s->backend.store, s->health);
    return await(s, status);
}

/* If `status` is OK: from now on requests have answers. */
static enum status attach(struct service *s, enum status status, struct error *e) {
    return !status && s->api ? api_attach(s->api, s->backend.store, s->binding.identity_key, e) : status;
}

static enum status bind_store(struct service *s, struct error *e) {
    const struct store_wish wish = backend_wish(s->options, NULL);
    return await(s, store_bind(s->backend.store, &wish, &s->binding, e));
}

/* Only a new view takes another's key over, so only then must the other view be there. */
static enum status read_other_identity(struct service *s, struct error *e) {
    if (!s->options->identity_from || s->has_other_key)
        return STATUS_OK;
    enum status status = identity_from_read(s->options, &s->backend, s->other_key, e);
    s->has_other_key = status == STATUS_OK;
    return s->is_first_use ? status : STATUS_OK;
}

static enum status bind_source(struct service *s, struct error *e) {
    struct store_source source;
    enum status status = source_identify(s->source, &source, e);
    struct store_wish wish = backend_wish(s->options, &source);
    if (!status)
        status = read_other_identity(s, e);
    wish.identity_key = s->has_other_key ? s->other_key : NULL;
    if (!status)
        status = store_bind(s->backend.store, &wish, &s->binding, e);
    if (!status && s->options->start == START_LATEST && service_clock_now(s->clock) == SERVICE_CLOCK_UNKNOWN)
        status =
            error_set(e, STATUS_RETRY,
                      "--start latest needs the time of the source's service, and no reply has a Date yet");
    return status;
}

static void report_identity(const struct service *s) {
    if (s->has_other_key && memcmp(s->other_key, s->binding.identity_key, sizeof s->other_key) != 0)
        log_warn("--identity-from %s has no effect: this view has ids of its own since it was begun",
                 s->options->identity_from);
}

/* The service runs without a service manager that it cannot reach. */
static void start_notifier(struct service *s) {
    struct notify notify;
    struct error e;
    enum status status = notify_open(&notify, &e);
    if (!status && notify.fd >= 0) {
        s->notifier = notifier_new(&notify, s->health, s->freshness);
        status = notifier_start(s->notifier, &e);
    }
    if (status)
        log_warn("%s", e.message);
}

static enum status open_parts(struct service *s, struct error *e) {
    enum status status = first_contact(s, open_store, e);
    if (s->backend.aws)
        aws_credentials_chain_stop_with(s->backend.aws->credentials, s->signals);
    return status ? status : service_open_source(s, e);
}

/* The store before the source: if it has a view, requests have answers while the source does not. */
static enum status connect_parts(struct service *s, struct error *e) {
    enum status status = open_parts(s, e);
    if (!status)
        status = first_contact(s, bind_store, e);
    s->is_first_use = status == STATUS_NOT_FOUND && s->source;
    if (!s->is_first_use)
        status = attach(s, status, e);
    if (status && !s->is_first_use)
        return status;
    if (s->backend.aws) /* before, first_contact reports credentials that fail */
        s->credentials = credentials_watch_start(s->backend.aws, s->health);
    if (s->source)
        status = first_contact(s, bind_source, e);
    if (!status)
        report_identity(s);
    return s->is_first_use ? attach(s, status, e) : status;
}

static enum status start(struct service *s, struct error *e) {
    s->clock = service_clock_new(backend_teacher(s->options));
    s->backend.clock = s->clock;
    s->freshness = freshness_new(s->clock);
    freshness_set_caught_up(s->freshness, s->options->caught_up_ms);
    s->health = health_new();
    start_notifier(s);
    pulse_watch(&s->pulse, "start", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    enum status status = service_listen(s, e);
    if (!status)
        status = connect_parts(s, e);
    if (status)
        return status;
    service_start_ingest(s);
    health_set_phase(s->health, HEALTH_SERVING);
    notifier_ready(s->notifier);
    pulse_unwatch(&s->pulse); /* the main thread waits for signals from now on */
    return STATUS_OK;
}

/* Stop. */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void drain(const struct service *s) {
    int64_t until_ms = clock_boot_ms() + s->options->drain_seconds * 1000;
    health_set_phase(s->health, HEALTH_DRAINING);
    notifier_stopping(s->notifier);
    log_info("stopping: serving for %d s more", s->http ? (int)s->options->drain_seconds : 0);
    for (int64_t left; s->http && (left = until_ms - clock_boot_ms()) > 0;)
        poll(NULL, 0, (int)left);
}

static void cancel_calls(const struct service *s) {
    store_cancel(s->backend.store);
    source_cancel(s->source);
    deadletter_cancel(s->deadletter);
    if (s->backend.aws)
        aws_credentials_chain_cancel(s->backend.aws->credentials);
}

/* Returns the exit status. */
static int stop(struct service *s) {
    unblock_signals(s);
    stop_guard_start(s->options->drain_seconds * 1000 + LIMIT_STOP_STUCK_MS);
    drain(s);

    int64_t give_up_ms = clock_boot_ms() + LIMIT_STOP_MS - LIMIT_CANCEL_MS;
    coordinator_stop(s->coordinator);
    if (s->http)
        http_stop(s->http, least(clock_boot_ms() + LIMIT_CLOSE_MS, give_up_ms));
    if (s->ops) /* last, so that the probes can be asked until the end */
        http_stop(s->ops, clock_boot_ms());
    if (!coordinator_wait(s->coordinator, give_up_ms))
        log_warn(
            "stopping without an answer of the store; the next start continues from the last checkpoint");
    cancel_calls(s);
    bool refused = coordinator_is_refused(s->coordinator);
    coordinator_free(s->coordinator);
    s->coordinator = NULL;
    if (refused)
        log_error("stopped: the stream is not the one that this store was filled from; use another stage or "
                  "file for it");
    else
        log_info("stopped");
    return refused ? 1 : 0;
}

int serve_run(const struct options *options) {
    _cleanup_(service_close) struct service service = {.options = options};
    struct error e = {0};

    log_start(); /* after serve_block_signals */
    service.signals = open_signals();
    enum status status = start(&service, &e);
    if (status == STATUS_RETRY) { /* stopped before the start was complete */
        notifier_stopping(service.notifier);
        stop_guard_start(LIMIT_STOP_STUCK_MS);
        return 0;
    }
    if (status) {
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", e.code, "requestId", e.request_id), "cannot start: %s",
                  e.message);
        return commands_exit_status(status);
    }
    wait_for_end(&service);
    return stop(&service);
}
