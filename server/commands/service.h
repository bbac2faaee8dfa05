/*
 * service: the parts of a running service, made from the options, and closed. Which part is made when, and
 * what happens when one fails, is decided by serve.c. All of it is for the main thread.
 */
#ifndef SERVER_COMMANDS_SERVICE_H
#define SERVER_COMMANDS_SERVICE_H

#include "api/api.h"
#include "base/health.h"
#include "base/pulse.h"
#include "ingest/deadletter/deadletter.h"
#include "ingest/leases/coordinator.h"
#include "server/backend.h"
#include "server/credentials_watch.h"
#include "server/http/http.h"
#include "server/notifier.h"
#include "server/options.h"
#include "views/freshness.h"

/* Zeroed, but for `options` and `signals`: no part exists. */
struct service {
    const struct options *options;
    struct service_clock *clock; /* of the source's service: base/service_clock.h */
    struct backend backend;
    struct credentials_watch *credentials; /* NULL: no AWS */
    struct source *source;
    struct deadletter *deadletter;
    struct freshness *freshness;
    struct health *health;
    struct api *api;
    struct http *http, *ops;   /* NULL: not listening */
    struct notifier *notifier; /* NULL: there is no service manager */
    struct pulse pulse;        /* of the main thread while it starts */
    struct coordinator *coordinator;
    struct apply_listener listener;
    int signals;          /* a signalfd */
    size_t max_leases;    /* by --max-leases and by what the system allows; 0: no limit */
    char limit_name[100]; /* of the system, where it sets max_leases; "": it does not */
    char worker_id[STORE_LEASE_OWNER_BYTES + 1];
    struct store_binding binding;
    bool is_first_use; /* no process has bound the store yet */
    bool has_other_key;
    uint8_t other_key[STORE_IDENTITY_KEY_BYTES]; /* of --identity-from */
};

/* Listens on --listen and --ops-listen and logs the addresses: the probes have answers from now on. INVALID,
 * FAILED. */
enum status service_listen(struct service *s, struct error *e);

/* Opens --source and --dead-letter, which may need the backend's AWS settings. */
enum status service_open_source(struct service *s, struct error *e);

/* Starts to read the source, which is bound to the store, into the store. */
void service_start_ingest(struct service *s);

/* Closes the parts that exist, in the reverse order of use. */
void service_close(struct service *s);

#endif
