/*
 * lease_writers: a bounded number of threads that make calls about leases side by side, so that a call that
 * hangs occupies its thread and holds up no other. The calls are made in the order in which they were added:
 * those that wait longest first.
 *
 * A thread is started when a call finds none idle, and ends after LIMIT_LEASE_WRITER_IDLE_MS without one.
 * Each has a pulse that beats before each call. Thread-safe.
 */
#ifndef INGEST_LEASES_LEASE_WRITERS_H
#define INGEST_LEASES_LEASE_WRITERS_H

struct lease_writers;

/* A call, embedded in what it is about. Zeroed but for `run`, which runs on one of the threads; in it the
 * call may be freed, or added again. */
struct lease_call {
    void (*run)(struct lease_call *call);
    struct lease_call *next; /* private */
};

/* At most `max` threads. */
struct lease_writers *lease_writers_new(int max);

/* Returns at once. The call is borrowed until it has run. */
void lease_writers_add(struct lease_writers *w, struct lease_call *call);

/* Waits until every call that was added has run. */
void lease_writers_wait(struct lease_writers *w);

/* Waits for the calls that were added. None may be added any more. NULL is fine. */
void lease_writers_free(struct lease_writers *w);

#endif
