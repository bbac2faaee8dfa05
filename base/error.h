/*
 * error: how every function of the program reports a failure.
 *
 * A function that can fail returns an `enum status`, which says what its caller has to do next, and fills a
 * `struct error` where the failure happened. Callers may put their own words in front (`error_wrap`). The
 * caller that decides what to do logs the error, once.
 *
 * A condition that the protocol expects (no such row, a condition that did not hold) is a status, not a
 * failure: the error is filled only where its text may be read.
 *
 * The struct owns no memory: it can be copied and dropped. Not thread-safe; each thread has its own.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/limits.h"

enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND, /* it does not exist: go on without it */
    STATUS_CONFLICT,  /* a condition did not hold, another writer was first: read again */
    STATUS_RETRY,     /* the same request may succeed later: wait, then try again */
    STATUS_INVALID,   /* the request is wrong and stays so: report it to the client */
    STATUS_FAILED,    /* cannot succeed until an operator changes something: log it */
};

struct error {
    enum status status;
    char code[64]; /* the service's name of the error: "ProvisionedThroughputExceededException"; "": none */
    char request_id[80];               /* of the service; "": none */
    char user_id[LIMIT_KEY_BYTES + 1]; /* of the person whose row it is about, for the log; "": none */
    char message[768]; /* lower case, begins with what failed, quotes names but no userId; UTF-8 */
};

/* Overwrites `e` (NULL: nothing is filled) and returns `status`. A message that is too long is cut; bytes in
 * it that are no UTF-8 become '?'. */
enum status error_set(struct error *e, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with `code`. */
enum status error_set_code(struct error *e, enum status status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<words>: " in front of the message, keeps the rest, returns the status that is in `e`. */
enum status error_wrap(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes whose row the failure is about. Messages are public: they must not name people. */
void error_note_person(struct error *e, const char *user_id);

/* "ok", "not found", ... */
const char *status_name(enum status status);

#endif
