/*
 * health: what the process says of itself to probes and operators, from memory.
 *
 * A phase, and a bounded set of troubles, each with a name ("shard shardId-000000000001", "source") and the
 * reason in words. Whoever is in trouble raises it, and clears it once mended. Thread-safe; nothing blocks
 * for long.
 */
#ifndef SERVER_BASE_HEALTH_H
#define SERVER_BASE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

enum health_phase {
    HEALTH_STARTING, /* configuration, listener or first store contact are not done yet */
    HEALTH_SERVING,
    HEALTH_DRAINING, /* asked to stop: still answering, send no more */
};

struct health;

struct health_trouble {
    char *name;
    char *reason;
};

/* A copy at one moment, the caller's: health_report_deinit. */
struct health_report {
    enum health_phase phase;
    struct health_trouble *troubles; /* sorted by name */
    size_t n_troubles;
};

struct health *health_new(void);
void health_free(struct health *h);

void health_set_phase(struct health *h, enum health_phase phase);
enum health_phase health_phase(const struct health *h);

/* True if this trouble is new or its reason changed: the moment to log it. */
bool health_raise(struct health *h, const char *name, const char *reason);

/* True if there was such a trouble. */
bool health_clear(struct health *h, const char *name);

void health_read(struct health *h, struct health_report *report);
void health_report_deinit(struct health_report *report);

#endif
