/*
 * aws/credentials/credentials: the keys that sign requests, and the interface of their sources.
 *
 * aws/credentials/sources.h lists the sources; aws/credentials/chain.h asks them. Secrets are never in a
 * message, and are wiped with the last reference.
 */
#ifndef AWS_CREDENTIALS_CREDENTIALS_H
#define AWS_CREDENTIALS_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Shared, so never changed once made: each holder has a reference (aws_credentials_ref). */
struct aws_credentials {
    atomic_uint refs;
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* NULL: none */
    int64_t expires_ms;  /* by the clock of AWS; 0: never */
    int64_t issued_ms; /* when they were fetched, by the clock of STS or the metadata service; 0: not known */
    bool outlives;     /* AWS may accept them after the expiry: they are the metadata service's (chain.h) */
    char *source;      /* for people: "environment" */
};

/* What a source has found. All borrowed. */
struct aws_credentials_found {
    const char *access_key_id, *secret_access_key, *session_token; /* the token may be NULL */
    const char *names[3]; /* of these three, as they are called where they were found */
    int64_t expires_ms;
    const char *source;
};

/* One reference in `out`, to copies without white space around them. INVALID, naming the text at fault, if
 * one cannot stand in a header (aws/header_value.h), or if key or secret is blank. */
enum status aws_credentials_make(struct aws_credentials **out, const struct aws_credentials_found *found,
                                 struct error *e);
bool aws_credentials_equal(const struct aws_credentials *a, const struct aws_credentials *b); /* the keys */
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
