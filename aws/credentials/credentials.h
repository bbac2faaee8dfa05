/*
 * aws/credentials/credentials: the keys that sign requests, and the interface of their sources.
 *
 * aws/credentials/sources.h lists the sources; aws/credentials/chain.h asks them. Secrets are never in a
 * message, and are wiped with the last reference.
 */
#ifndef AWS_CREDENTIALS_CREDENTIALS_H
#define AWS_CREDENTIALS_CREDENTIALS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/error.h"

/* Shared, so never changed once made: each holder has a reference (aws_credentials_ref). */
struct aws_credentials {
    atomic_uint refs;
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* NULL: none */
    int64_t expires_ms;  /* wall clock; 0: never */
    char *source;        /* for people: "environment" */
};

/* Strings are copied; `session_token` may be NULL or empty. */
struct aws_credentials *aws_credentials_new(const char *access_key_id, const char *secret_access_key,
                                            const char *session_token, int64_t expires_ms,
                                            const char *source);
struct aws_credentials *aws_credentials_ref(struct aws_credentials *c);
void aws_credentials_unref(struct aws_credentials *c); /* the last one wipes the secrets; NULL is allowed */
void aws_credentials_unrefp(struct aws_credentials **c);

/* Overwrites the string, then frees it; NULL is allowed. */
void aws_credentials_wipe(char *secret);
void aws_credentials_wipep(char **secret);

/* `fetch` may block, within its own bounds, and ends at once (FAILED, code "Cancelled") when `stop_fd`
 * becomes readable (-1: never). Any thread, several at once. OK: one reference in `out`. NOT_FOUND: not
 * configured, ask the next source (the error names what was looked for, and where). Anything else:
 * configured, but it failed. */
struct aws_credentials_source {
    const char *name; /* a literal */
    enum status (*fetch)(void *context, int stop_fd, struct aws_credentials **out, struct error *e);
    void (*free)(void *context); /* NULL if there is nothing to free */
    void *context;
};

#endif
