/*
 * lease_writers: a bounded number of threads that make calls about leases at once. A call that hangs occupies
 * its thread and delays no other call while a thread is free. The calls begin in the order in which they were
 * added.
 *
 * A thread is started when a call finds none idle, and ends after LIMIT_LEASE_WRITER_IDLE_MS without one. If
 * the system has no room for another, the call waits for those that run; if none runs, the process ends. Each
 * has a pulse that beats before each call. Thread-safe.
 */
#ifndef INGEST_LEASES_LEASE_WRITERS_H
#define INGEST_LEASES_LEASE_WRITERS_H

struct lease_writers;

/* A call, embedded in the caller's own struct. All zeros but `run`, which runs on one of the threads and may
 * free the call, or add it again. */
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
