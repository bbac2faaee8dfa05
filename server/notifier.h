/*
 * notifier: reports to the service manager (systemd, Type=notify) when the service has started and when it
 * stops, how current the view is (STATUS=), and that it is alive (WATCHDOG=1). It sends that only while every
 * watched loop runs within its bound (base/pulse.h): without it the manager restarts the service.
 *
 * The service is ready when it serves, and also when it listens and waits for a store or source that does not
 * answer, as a restart would not help. If one of them refuses it, it never becomes ready.
 *
 * All functions may be called from any thread. NULL is fine: no service manager. Only notifier_free blocks.
 */
#ifndef SERVER_NOTIFIER_H
#define SERVER_NOTIFIER_H

#include <stdint.h>

#include "base/health.h"
#include "server/sd_notify.h"
#include "views/freshness.h"

struct notifier;

/* Takes over the notify; borrows the rest. Starts no thread: the owner calls notifier_step. */
struct notifier *notifier_new(const struct notify *notify, struct health *health,
                              struct freshness *freshness);

/* Starts a thread that calls notifier_step. */
enum status notifier_start(struct notifier *notifier, struct error *e);

/* Reports READY=1, from the first call on. */
void notifier_ready(struct notifier *notifier);

/* Reports STOPPING=1. From now on loops may be late: the manager has its own time-out for a stop. */
void notifier_stopping(struct notifier *notifier);

/* Sends one message; returns when to call it again at the latest. Times are CLOCK_BOOTTIME. */
int64_t notifier_step(struct notifier *notifier, int64_t now_boot_ms);

/* The text of STATUS=, one line. `lag_ms`: INT64_MAX if it is not known. */
#define NOTIFIER_STATUS_SIZE 512
void notifier_status(const struct health_report *report, int64_t lag_ms, char out[NOTIFIER_STATUS_SIZE]);

/* Sends a last message and ends the thread. */
void notifier_free(struct notifier *notifier);

#endif
