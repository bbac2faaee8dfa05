/*
 * notifier: keeps the service manager told (systemd, Type=notify): when the service has started and when it
 * stops, how far the view is (STATUS=), and that all is well (WATCHDOG=1), which it says only while every
 * watched loop turns within its bound (base/pulse.h): a manager that hears nothing starts it anew.
 *
 * Ready is who serves, and also who listens and waits for a store that does not answer: to be started anew
 * would help nobody. Who is refused by it never becomes ready.
 *
 * All functions may be called from any thread and take NULL, which tells nobody. None blocks, but
 * notifier_free.
 */
#ifndef SERVER_NOTIFIER_H
#define SERVER_NOTIFIER_H

#include <stdint.h>

#include "base/health.h"
#include "server/notify.h"
#include "views/freshness.h"

struct notifier;

/* Takes over the notify; borrows the rest. Without a thread: notifier_step is its owner's to call. */
struct notifier *notifier_new(const struct notify *notify, struct health *health,
                              const struct freshness *freshness);

/* Gives it one, which steps by itself. */
enum status notifier_start(struct notifier *notifier, struct error *e);

/* READY=1, the first time. */
void notifier_ready(struct notifier *notifier);

/* STOPPING=1. All is well while it takes: the manager has a time-out of its own for that. */
void notifier_stopping(struct notifier *notifier);

/* Tells what is due; returns when to call it again at the latest. Times are CLOCK_BOOTTIME and wall clock. */
int64_t notifier_step(struct notifier *notifier, int64_t now_boot_ms, int64_t now_real_ms);

/* What STATUS= says: one line of text. */
#define NOTIFIER_STATUS_SIZE 512
void notifier_status(const struct health_report *report, int64_t as_of_ms, int64_t now_real_ms,
                     char out[NOTIFIER_STATUS_SIZE]);

/* Ends its thread. */
void notifier_free(struct notifier *notifier);

#endif
