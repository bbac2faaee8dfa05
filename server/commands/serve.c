#include "server/commands/serve.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/api.h"
#include "aws/credentials/chain.h"
#include "aws/settings.h"
#include "base/clock.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/random.h"
#include "ingest/deadletter/deadletter.h"
#include "ingest/file/source.h"
#include "ingest/kinesis/source.h"
#include "ingest/leases/coordinator.h"
#include "server/commands/credentials.h"
#include "server/descriptors.h"
#include "server/http/http.h"
#include "server/notifier.h"
#include "server/stop_guard.h"
#include "views/dynamodb/store.h"
#include "views/freshness.h"
#include "views/sqlite/store.h"

/* Everything that runs. Zeroed is nothing; close_parts closes as much as was made. */
struct service {
    const struct options *options;
    struct aws_settings *aws;
    struct credentials_watch *credentials; /* NULL: no AWS */
    struct store *store;
    struct source *source;
    struct deadletter *deadletter;
    struct freshness *freshness;
    struct health *health;
    struct api *api;
    struct http *http, *ops;   /* NULL: not listening */
    struct notifier *notifier; /* NULL: there is no service manager to tell */
    struct pulse pulse;        /* the main thread's, while it starts */
    struct coordinator *coordinator;
    struct apply_listener listener;
    int signals; /* a signalfd; -1: none */
    char worker_id[STORE_LEASE_OWNER_BYTES + 1];
    uint8_t identity_key[STORE_IDENTITY_KEY_BYTES];
};

int serve_exit_status(enum status status) {
    return status == STATUS_OK ? 0 : status == STATUS_INVALID ? 2 : 1;
}

/* ---- making the parts
 * ------------------------------------------------------------------------------------------------ */

static bool needs_aws(const struct options *options) {
    return options_of_kind(options->store, "dynamodb") || options_of_kind(options->source, "kinesis") ||
           options_of_kind(options->dead_letter, "sqs");
}

/* The AWS clients found that this machine's clock is wrong, or right again. */
static void log_skew(void *context, const char *service, int64_t correction_ms) {
    (void)context;
    if (correction_ms)
        log_warn("this machine's clock is %" PRId64 " s %s that of AWS %s: requests are signed with the time "
                 "of AWS; let NTP set the clock",
                 (correction_ms < 0 ? -correction_ms : correction_ms) / 1000,
                 correction_ms < 0 ? "ahead of" : "behind", service);
    else
        log_info("this machine's clock agrees with that of AWS %s again", service);
}

static enum status load_aws(struct aws_settings **aws, struct error *e) {
    enum status status = aws_settings_load(aws, e);
    if (status)
        return status;
    (*aws)->on_skew = log_skew;
    if ((*aws)->warning)
        log_warn("%s", (*aws)->warning);
    return STATUS_OK;
}

enum status serve_open_store(const struct options *options, struct aws_settings **aws, struct store **store,
                             struct error *e) {
    const struct store_dynamodb_options tables = {
        .stage = options_of_kind(options->store, "dynamodb"),
        .contributions_table = options->contributions_table,
        .scores_table = options->scores_table,
        .leases_table = options->leases_table,
    };
    enum status status = needs_aws(options) && !*aws ? load_aws(aws, e) : STATUS_OK;
    if (status)
        return status;
    if (tables.stage)
        return store_dynamodb_open(store, &tables, *aws, NULL, e);
    const char *path = options_of_kind(options->store, "sqlite");
    return options->command == COMMAND_AUDIT ? store_sqlite_open_reader(store, path, e)
                                             : store_sqlite_open(store, path, e);
}

static enum status open_source(struct service *s, struct error *e) {
    const char *stream = options_of_kind(s->options->source, "kinesis"),
               *path = options_of_kind(s->options->source, "file");
    const struct source_kinesis_options options = {stream, (int)s->options->poll_interval_ms};
    if (path)
        s->source = source_file_new(path);
    return stream ? source_kinesis_open(&s->source, &options, s->aws, NULL, e) : STATUS_OK;
}

static enum status open_deadletter(struct service *s, struct error *e) {
    const struct deadletter_options options = {
        .target = s->options->dead_letter,
        .aws = s->aws,
        .health = s->health,
    };
    return deadletter_open(&s->deadletter, &options, e);
}

static void close_parts(struct service *s) {
    coordinator_free(s->coordinator);
    http_free(s->http);
    http_free(s->ops);
    if (s->api)
        api_free(s->api);
    deadletter_close(s->deadletter);
    source_free(s->source);
    store_free(s->store);
    credentials_watch_stop(s->credentials);
    pulse_unwatch(&s->pulse);
    notifier_free(s->notifier);
    health_free(s->health);
    freshness_free(s->freshness);
    if (s->aws)
        aws_settings_free(s->aws);
    if (s->signals >= 0)
        close(s->signals);
}

/* ---- signals
 * ---------------------------------------------------------------------------------------------------------
 */

static void stop_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

/* Whether we were told to stop by CLOCK_BOOTTIME `until_ms`. */
static bool wait_for_signal(const struct service *s, int64_t until_ms) {
    struct pollfd fd = {.fd = s->signals, .events = POLLIN};
    int64_t left = until_ms - clock_boot_ms();
    return poll(&fd, 1, left > 0 ? (int)left : 0) > 0;
}

/* Until we are told to stop, or ingest may not go on. */
static void wait_for_end(const struct service *s) {
    struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
                           {.fd = coordinator_stopped_fd(s->coordinator), .events = POLLIN}};
    while (poll(fds, 2, -1) <= 0)
        ;
}

/* Takes the one that came, if one did. From now on another ends the process at once (main.c).
 */
static void let_signals_through(const struct service *s) {
    struct signalfd_siginfo came;
    sigset_t set;
    ssize_t n = wait_for_signal(s, 0) ? read(s->signals, &came, sizeof came) : 0;
    (void)n;
    stop_signals(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- starting
 * ------------------------------------------------------------------------------------------------------- */

static enum status bind_store(struct service *s, struct error *e) {
    return store_bind(s->store, NULL, s->identity_key, e);
}

/* Whoever asks gets answers from the view from now on, whether the source can be reached or not. */
static enum status attach_view(struct service *s, struct error *e) {
    return s->api ? api_attach(s->api, s->store, s->identity_key, e) : STATUS_OK;
}

static enum status bind_source(struct service *s, struct error *e) {
    uint8_t identity_key[STORE_IDENTITY_KEY_BYTES]; /* the same as before */
    struct store_source source;
    enum status status = source_identify(s->source, &source, e);
    return status ? status : store_bind(s->store, &source, identity_key, e);
}

/* A first contact. A store or source that cannot answer now is waited for, until it can or we are told to
 * stop. */
static enum status first_contact(struct service *s, enum status (*contact)(struct service *, struct error *),
                                 struct error *e) {
    for (;;) {
        pulse_beat(&s->pulse, clock_boot_ms());
        enum status status = contact(s, e);
        if (status && wait_for_signal(s, clock_boot_ms()))
            return STATUS_RETRY; /* it failed because it was cut short, or does not matter any more */
        if (status != STATUS_RETRY) {
            health_clear(s->health, "start");
            return status;
        }
        if (health_raise(s->health, "start", e->message))
            log_warn("waiting: %s", e->message);
        notifier_ready(s->notifier); /* as much as it can be */
        if (wait_for_signal(s, clock_boot_ms() + LIMIT_FIRST_CONTACT_MS))
            return STATUS_RETRY;
    }
}

static enum status open_store(struct service *s, struct error *e) {
    return serve_open_store(s->options, &s->aws, &s->store, e);
}

/* A service manager that cannot be told is no reason not to serve. */
static void tell_manager(struct service *s) {
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
    if (s->aws) {
        credentials_warn(s->aws);
        aws_credentials_chain_stop_with(s->aws->credentials, s->signals);
    }
    if (!status)
        status = open_source(s, e);
    if (!status)
        status = open_deadletter(s, e);
    return status;
}

/* An embedded store is filled by one process at a time, which its lock proves: so there is one name, and who
 * starts after a crash need not wait until the leases of the last life have expired. */
static void make_worker_id(struct service *s) {
    char host[128] = "unknown", suffix[9];
    if (s->options->worker_id || options_of_kind(s->options->store, "sqlite")) {
        strcpy(s->worker_id,
               s->options->worker_id ? s->options->worker_id : "embedded"); /* options.c checks its length */
        return;
    }
    gethostname(host, sizeof host - 1);
    random_hex(suffix, 4);
    snprintf(s->worker_id, sizeof s->worker_id, "%s:%ld:%s", host, (long)getpid(), suffix);
}

static struct source_start start_of(const struct options *options) {
    switch (options->start) {
    case START_LATEST: /* resolved once: every shard begins at the same time, whenever it is first read */
        return (struct source_start){.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = clock_real_ms()};
    case START_AT:
        return (struct source_start){.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = options->start_at_ms};
    default:
        return (struct source_start){.checkpoint = LEASE_TRIM_HORIZON};
    }
}

static void rows_changed(void *data, const char *const product_ids[], size_t n_products,
                         const char *const user_ids[], size_t n_users) {
    struct service *s = data;
    if (s->api)
        api_rows_changed(s->api, product_ids, n_products, user_ids, n_users);
}

static void start_ingest(struct service *s) {
    const struct coordinator_options options = {
        .worker_id = s->worker_id,
        .failover_ms = (int)s->options->failover_ms,
        .start = start_of(s->options),
        .batch_records = (size_t)s->options->batch_size,
        .batch_window_ms = (int)s->options->batch_window_ms,
    };
    s->listener = (struct apply_listener){rows_changed, s};
    const struct coordinator_parts parts = {
        .source = s->source,
        .store = s->store,
        .deadletter = s->deadletter,
        .freshness = s->freshness,
        .health = s->health,
        .listener = &s->listener,
    };
    s->coordinator = coordinator_start(&options, &parts);
}

static enum status listen_on(struct service *s, const char *address, enum api_routes routes,
                             struct http **http, struct error *e) {
    const struct http_options options = {
        .listen = address,
        .connections = (unsigned)s->options->connections,
        .access_log = (enum http_access_log)s->options->access_log,
        .routes = routes,
        .max_live = (unsigned)s->options->max_live,
    };
    if (!address)
        return STATUS_OK;
    *http = http_new(&options, s->api, e);
    return *http ? STATUS_OK : STATUS_FAILED;
}

static enum status check_descriptors(const struct options *c, struct error *e) {
    unsigned connections = (unsigned)c->connections, listeners = !!c->listen + !!c->ops_listen;
    unsigned others = (listeners - 1) * connections + listeners * LIMIT_PROBE_CONNECTIONS + LIMIT_OTHER_FILES;
    return descriptors_check(connections, others, e);
}

static enum status start_api(struct service *s, struct error *e) {
    const struct options *c = s->options;
    const struct api_options options = {
        .full_identities = c->identities == IDENTITIES_FULL,
        .caught_up_ms = c->caught_up_ms,
        .index_allowance_ms = c->index_allowance_ms,
        .cache =
            {
                .max_bytes = (size_t)c->cache_bytes,
                .ttl_ms = c->cache_ttl_ms,
                .stale_ms = c->cache_stale_ms,
                .stale_if_error_ms = c->cache_stale_if_error_ms,
                .refresh_ms =
                    options_of_kind(c->store, "dynamodb") ? CACHE_REFRESH_MS : LIMIT_EMBEDDED_REFRESH_MS,
                .jitter_percent = LIMIT_CACHE_JITTER_PERCENT,
            },
    };
    if (!c->listen && !c->ops_listen)
        return STATUS_OK;
    enum status status = check_descriptors(c, e);
    if (status)
        return status;
    s->api = api_new(&options, s->freshness, s->health);
    status = listen_on(s, c->listen, c->ops_listen ? API_PUBLIC : API_ALL, &s->http, e);
    return status ? status : listen_on(s, c->ops_listen, API_OPERATIONS, &s->ops, e);
}

/* The address with the port that it became, where 0 was asked for. */
static const char *bound_address(const struct http *http, const char *asked, char *out, size_t size) {
    const char *colon = asked ? strrchr(asked, ':') : NULL;
    if (!http)
        return "none";
    snprintf(out, size, "%.*s:%u", (int)(colon - asked), asked, http_port(http));
    return out;
}

static void say_where(const struct service *s) {
    char main_text[300], ops_text[300];
    const char *address = bound_address(s->http, s->options->listen, main_text, sizeof main_text);
    const char *ops = bound_address(s->ops, s->options->ops_listen, ops_text, sizeof ops_text);
    log_write(LOG_LEVEL_INFO,
              LOG_FIELDS("source", s->options->source, "store", s->options->store, "worker", s->worker_id,
                         "version", WINNER_VIEW_VERSION, "listen", address, "opsListen", ops),
              "listening on %s", address);
}

/* From here on it can be asked how it is, and what it waits for: a process that waits for its store is not to
 * be taken for a dead one. */
static enum status start_to_listen(struct service *s, struct error *e) {
    s->freshness = freshness_new();
    s->health = health_new();
    tell_manager(s);
    pulse_watch(&s->pulse, "start", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    enum status status = start_api(s, e);
    if (status)
        return status;
    make_worker_id(s);
    say_where(s);
    return STATUS_OK;
}

/* The store comes first, then whoever asks can be answered while the source is waited for. */
static enum status reach(struct service *s, struct error *e) {
    enum status status = open_parts(s, e);
    if (!status)
        status = first_contact(s, bind_store, e);
    if (!status)
        status = attach_view(s, e);
    if (status)
        return status;
    if (s->aws) /* from here on nobody else says when they fail */
        s->credentials = credentials_watch_start(s->aws, s->health);
    return s->source ? first_contact(s, bind_source, e) : STATUS_OK;
}

static enum status start(struct service *s, struct error *e) {
    enum status status = start_to_listen(s, e);
    if (!status)
        status = reach(s, e);
    if (status)
        return status;
    start_ingest(s);
    health_set_phase(s->health, HEALTH_SERVING);
    notifier_ready(s->notifier);
    pulse_unwatch(&s->pulse); /* the main thread waits for signals from now on */
    return STATUS_OK;
}

/* ---- stopping
 * ------------------------------------------------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void drain(const struct service *s, int64_t asked_ms) {
    health_set_phase(s->health, HEALTH_DRAINING);
    notifier_stopping(s->notifier);
    log_info("stopping: serving for %d s more", s->http ? (int)s->options->drain_seconds : 0);
    int64_t until = asked_ms + s->options->drain_seconds * 1000;
    for (int64_t left; s->http && (left = until - clock_boot_ms()) > 0;)
        poll(NULL, 0, (int)left);
}

/* The exit status. */
static int stop(struct service *s) {
    let_signals_through(s);
    stop_guard_start(s->options->drain_seconds * 1000 + LIMIT_STOP_STUCK_MS);
    drain(s, clock_boot_ms());

    int64_t give_up_ms = clock_boot_ms() + LIMIT_STOP_MS - LIMIT_CANCEL_MS;
    coordinator_stop(s->coordinator);
    if (s->http)
        http_stop(s->http, least(clock_boot_ms() + LIMIT_CLOSE_MS, give_up_ms));
    if (s->ops) /* last: whoever watches sees the draining to its end */
        http_stop(s->ops, clock_boot_ms());
    if (!coordinator_wait(s->coordinator, give_up_ms))
        log_warn("stopping without the store's answer; the next start goes on from the last checkpoint");
    store_cancel(s->store); /* nobody waits for the loads that are left */
    source_cancel(s->source);
    deadletter_cancel(s->deadletter);
    if (s->aws) /* nothing waits for credentials any more */
        aws_credentials_chain_cancel(s->aws->credentials);
    bool refused = coordinator_is_refused(s->coordinator);
    coordinator_free(s->coordinator);
    s->coordinator = NULL;
    if (refused)
        log_error("stopped: this worker may not go on with this stream and this store");
    else
        log_info("stopped");
    return refused ? 1 : 0;
}

int serve_run(const struct options *options) {
    _cleanup_(close_parts) struct service service = {.options = options, .signals = -1};
    struct error e = {0};
    sigset_t set;

    stop_signals(&set);
    service.signals = signalfd(-1, &set, SFD_CLOEXEC);
    enum status status = start(&service, &e);
    if (status == STATUS_RETRY) {
        notifier_stopping(service.notifier);
        stop_guard_start(LIMIT_STOP_STUCK_MS);
        return 0; /* told to stop before there was anything to stop */
    }
    if (status) {
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", e.code, "requestId", e.request_id), "cannot start: %s",
                  e.message);
        return serve_exit_status(status);
    }
    wait_for_end(&service);
    return stop(&service);
}
