/*
 * health: the state of the process for probes and operators, kept in memory.
 *
 * It is a phase and a bounded set of troubles. A trouble has a name (of what does not work), a reason in
 * words, and the time when it began. A module raises its trouble again and again while it lasts, and clears
 * it when it is over; raising reports when a log line is due: the first time, and rarely afterwards. Each
 * trouble that lasts is a series of winner_view_trouble_since_timestamp_seconds, for alerts. Thread-safe;
 * nothing blocks for long.
 */
#ifndef BASE_HEALTH_H
#define BASE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum health_phase {
    HEALTH_STARTING, /* not all parts are ready yet */
    HEALTH_SERVING,
    HEALTH_DRAINING, /* about to stop: requests are still answered, no more should be sent */
};

struct health;

struct health_trouble {
    char *name;
    char *reason;     /* as last raised */
    char *user_id;    /* of the person whose row it is about: must not be published; "": none */
    int64_t since_ms; /* wall clock, when it was first raised */
};

/* A copy of the state at one moment. The caller owns it: health_report_deinit. */
struct health_report {
    enum health_phase phase;
    struct health_trouble *troubles; /* sorted by name */
    size_t n_troubles;
};

struct health *health_new(void);
void health_free(struct health *h);

void health_set_phase(struct health *h, enum health_phase phase);
enum health_phase health_phase(const struct health *h);

/* True if a log line is due: the trouble is new; or its kind has changed, and the last line is
 * LIMIT_TROUBLE_CHANGE_MS old; or the last line is LIMIT_TROUBLE_REMIND_MS old. `kind` separates two troubles
 * of one name apart, such as the service's name of the error: `reason` may vary with each attempt without
 * being a new trouble. */
bool health_raise_kind(struct health *h, const char *name, const char *kind, const char *reason,
                       int64_t now_real_ms, int64_t now_boot_ms);

/* The same for a trouble with the row of a person. */
bool health_raise_about(struct health *h, const char *name, const char *kind, const char *reason,
                        const char *user_id, int64_t now_real_ms, int64_t now_boot_ms);

/* The same as health_raise_kind at the present time, where the reason does not vary: it is the kind. */
bool health_raise(struct health *h, const char *name, const char *reason);

/* True if there was such a trouble. */
bool health_clear(struct health *h, const char *name);

void health_read(struct health *h, struct health_report *report);
void health_report_deinit(struct health_report *report);

#endif
