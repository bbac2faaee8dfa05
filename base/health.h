/*
 * health: what the process says of itself to probes and operators, from memory.
 *
 * A phase, and a bounded set of troubles, each with a name ("shard shardId-000000000001", "source"), the
 * reason in words, and since when it lasts. Whoever is in trouble raises it, again and again while it lasts,
 * and clears it once mended; raising tells when to log it: once, and then rarely. Each trouble that lasts is
 * a series of winner_view_trouble_since_timestamp_seconds, so that an alert can be made of it. Thread-safe;
 * nothing blocks for long.
 */
#ifndef BASE_HEALTH_H
#define BASE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum health_phase {
    HEALTH_STARTING, /* configuration, listener or first store contact are not done yet */
    HEALTH_SERVING,
    HEALTH_DRAINING, /* asked to stop: still answering, send no more */
};

struct health;

struct health_trouble {
    char *name;
    char *reason;     /* as last raised */
    int64_t since_ms; /* wall clock, when it was first raised */
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

/* True if it is the moment to log it: it is new; or of another kind than when it was last logged, and that
 * was LIMIT_TROUBLE_CHANGE_MS ago; or just as it was, LIMIT_TROUBLE_REMIND_MS ago. `kind` is what makes it
 * another trouble, such as the other side's name for the error: the words may vary with each try and be no
 * news. */
bool health_raise_kind(struct health *h, const char *name, const char *kind, const char *reason,
                       int64_t now_real_ms, int64_t now_boot_ms);

/* The same, now, where the words do not vary: they are the kind. */
bool health_raise(struct health *h, const char *name, const char *reason);

/* True if there was such a trouble. */
bool health_clear(struct health *h, const char *name);

void health_read(struct health *h, struct health_report *report);
void health_report_deinit(struct health_report *report);

#endif
