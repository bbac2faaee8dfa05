#include "server/commands/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "ingest/file/source.h"
#include "ingest/kinesis/source.h"
#include "server/capacity.h"
#include "server/commands/announce.h"
#include "server/descriptors.h"

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

/* The descriptors that clients can take. */
static unsigned count_client_files(const struct options *o) {
    unsigned listeners = !!o->listen + !!o->ops_listen;
    return listeners * http_files((unsigned)o->connections);
}

static enum status check_descriptors(const struct options *o, struct error *e) {
    unsigned connections = (unsigned)o->connections;
    return descriptors_check(connections, count_client_files(o) - connections + LIMIT_OTHER_FILES, e);
}

static void limit_leases(struct service *s, const struct capacity_limit *limit) {
    s->max_leases = capacity_shards(limit);
    capacity_name(limit, s->limit_name, sizeof s->limit_name);
}

/* A worker takes no more leases than the system lets it read. */
static enum status check_capacity(struct service *s, struct error *e) {
    const struct options *o = s->options;
    const struct capacity_use use = {count_client_files(o), options_of_kind(o->store, "dynamodb")};
    struct capacity_limit limits[CAPACITY_LIMITS];
    const struct capacity_limit *narrowest = capacity_narrowest(limits, capacity_read(limits, &use));
    s->max_leases = (size_t)o->max_leases;
    if (capacity_shards(narrowest) < (s->max_leases ? s->max_leases : LIMIT_SHARDS))
        limit_leases(s, narrowest);
    if (*s->limit_name && o->max_leases)
        return error_set(
            e, STATUS_INVALID,
            "--max-leases '%lld' is too much for this system: %s allows %zu shards; each needs up to %llu",
            (long long)o->max_leases, s->limit_name, s->max_leases, (unsigned long long)narrowest->per_shard);
    return STATUS_OK;
}

/* SQLite's lock allows one process at a time. So its worker has one fixed id: a restart after a crash owns
 * the leases already, and need not wait until they expire. */
static void make_worker_id(struct service *s) {
    char host[128] = "unknown", suffix[9];
    const char *given = s->options->worker_id;
    if (!given && options_of_kind(s->options->store, "sqlite"))
        given = "embedded";
    gethostname(host, sizeof host - 1);
    random_hex(suffix, 4);
    if (given)
        strcpy(s->worker_id, given); /* options_table.c checks the length */
    else
        snprintf(s->worker_id, sizeof s->worker_id, "%s:%ld:%s", host, (long)getpid(), suffix);
}

static enum status start_api(struct service *s, struct error *e) {
    const struct options *o = s->options;
    struct api_options options = o->api;
    options.full_identities = o->identities == IDENTITIES_FULL;
    options.cache.max_bytes = (size_t)o->cache_bytes;
    options.cache.refresh_ms =
        options_of_kind(o->store, "dynamodb") ? CACHE_REFRESH_MS : LIMIT_EMBEDDED_REFRESH_MS;
    options.cache.jitter_percent = LIMIT_CACHE_JITTER_PERCENT;
    if (o->api.rank_units && !options_of_kind(o->store, "dynamodb"))
        options.rank_units = LIMIT_RANK_ROWS_A_SECOND;
    if (!o->listen && !o->ops_listen)
        return STATUS_OK;
    enum status status = check_descriptors(o, e);
    if (status)
        return status;
    s->api = api_new(&options, s->freshness, s->health);
    status = listen_on(s, o->listen, o->ops_listen ? API_PUBLIC : API_ALL, &s->http, e);
    return status ? status : listen_on(s, o->ops_listen, API_OPERATIONS, &s->ops, e);
}

enum status service_listen(struct service *s, struct error *e) {
    enum status status = check_capacity(s, e);
    if (!status)
        status = start_api(s, e);
    if (status)
        return status;
    make_worker_id(s);
    announce(s);
    return STATUS_OK;
}

/* The consumer costs until it is removed, so its making must not go unseen, nor that of another before it. */
static enum status note_consumer(void *data, const char *arn, struct error *e) {
    struct service *s = data;
    char before[STORE_CONSUMER_SIZE];
    enum status status = store_read_consumer(s->backend.store, before, e);
    bool is_known = !status && strcmp(before, arn) == 0;
    if (status && status != STATUS_NOT_FOUND)
        return status;
    if (!is_known)
        log_info(
            "the stream pushes to consumer '%s', which costs until it is removed: winner-view deregister",
            arn);
    if (!status && !is_known)
        log_warn("this view used consumer '%s' before: if it is still there, nobody reads it", before);
    return is_known ? STATUS_OK : store_note_consumer(s->backend.store, arn, e);
}

enum status service_open_source(struct service *s, struct error *e) {
    const char *stream = options_of_kind(s->options->source, "kinesis"),
               *path = options_of_kind(s->options->source, "file");
    const struct source_kinesis_options options = {stream, (int)s->options->poll_interval_ms,
                                                   s->options->fan_out, note_consumer, s};
    const struct deadletter_options deadletter = {
        .target = s->options->dead_letter, .aws = s->backend.aws, .health = s->health};
    if (path)
        s->source = source_file_new(path, s->clock);
    enum status status =
        stream ? source_kinesis_open(&s->source, &options, s->backend.aws, NULL, e) : STATUS_OK;
    return status ? status : deadletter_open(&s->deadletter, &deadletter, e);
}

static struct source_start start_of(const struct service *s) {
    switch (s->options->start) {
    case START_LATEST: /* taken once: all shards begin at the same time, whenever each is first read */
        return (struct source_start){.checkpoint = LEASE_AT_TIMESTAMP,
                                     .start_at_ms =
                                         service_clock_tell(s->clock, service_clock_now(s->clock))};
    case START_AT:
        return (struct source_start){.checkpoint = LEASE_AT_TIMESTAMP,
                                     .start_at_ms = s->options->start_at_ms};
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

static void sold(void *data, const struct apply_sales *sales) {
    struct service *s = data;
    if (s->api)
        api_sold(s->api, sales);
}

void service_start_ingest(struct service *s) {
    const struct coordinator_options options = {
        .worker_id = s->worker_id,
        .failover_ms = (int)s->options->failover_ms,
        .max_leases = s->max_leases,
        .limit_name = *s->limit_name ? s->limit_name : NULL,
        .may_save_reads = !s->options->listen && !s->options->ops_listen,
        .start = start_of(s),
        .batch_records = (size_t)s->options->batch_size,
        .batch_window_ms = (int)s->options->batch_window_ms,
    };
    s->listener = (struct apply_listener){rows_changed, sold, s};
    const struct coordinator_parts parts = {
        .source = s->source,
        .store = s->backend.store,
        .deadletter = s->deadletter,
        .freshness = s->freshness,
        .health = s->health,
        .listener = &s->listener,
    };
    s->coordinator = coordinator_start(&options, &parts);
}

void service_close(struct service *s) {
    coordinator_free(s->coordinator);
    http_free(s->http);
    http_free(s->ops);
    if (s->api)
        api_free(s->api);
    deadletter_close(s->deadletter);
    source_free(s->source);
    credentials_watch_stop(s->credentials);
    pulse_unwatch(&s->pulse);
    notifier_free(s->notifier);
    backend_close(&s->backend);
    health_free(s->health);
    freshness_free(s->freshness);
    service_clock_free(s->clock);
    close(s->signals);
}
