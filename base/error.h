/*
 * error: the one way in which anything in this program fails.
 *
 * A function that can fail returns an `enum status`, which tells its caller what to do next, and fills a
 * `struct error` where the failure happened. Callers on the way up may put their own words in front
 * (`error_wrap`); whoever decides what to do about it logs it, once.
 *
 * A condition that the protocol expects (no such row, a condition that did not hold) is a status, not a
 * failure: the error is filled for it only where somebody may want to read it.
 *
 * The value owns nothing: copy it, forget it. Not thread-safe; each thread has its own.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND, /* there is no such thing: go on without it */
    STATUS_CONFLICT,  /* a condition did not hold, somebody else was first: read again, then decide */
    STATUS_RETRY,     /* may succeed later, unchanged: wait, try again */
    STATUS_INVALID,   /* what was asked for is wrong and stays wrong: tell whoever asked */
    STATUS_FAILED,    /* will not succeed until somebody mends something: say so loudly */
};

struct error {
    enum status status;
    char
        code[64]; /* the other side's own name for it, "" if none: "ProvisionedThroughputExceededException" */
    char request_id[80]; /* the other side's request id, "" if none */
    char message[768];   /* lower case, says first what failed, quotes names */
};

/* Fills `e` (which may be NULL) anew and returns `status`. Messages too long are cut. */
enum status error_set(struct error *e, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with `code` for the other side's name. */
enum status error_set_code(struct error *e, enum status status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<words>: " in front of the message, keeps the rest, returns the status that is in `e`. */
enum status error_wrap(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "ok", "not found", ... */
const char *status_name(enum status status);

#endif
