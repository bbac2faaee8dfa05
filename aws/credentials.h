/*
 * aws/credentials: with which keys requests are signed, and where they come from.
 *
 * A chain asks its sources in order; the first one that is configured answers, for good or bad (SDKs and
 * Tools Reference Guide, "Standardized credential providers"). A source is a const struct with a name; those
 * that talk to the network or start a program fit the same interface, for nothing is locked while one is
 * asked. What the chain found is kept until it expires. Secrets stand in no message.
 */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include <stddef.h>
#include <stdint.h>

#include "server/base/error.h"

struct aws_profiles; /* aws/profile.h */

/* Shared and never changed: aws_credentials_ref for each holder. */
struct aws_credentials;

/* Strings are copied; `session_token` may be NULL; `expires_ms` is wall clock, 0: never; `source` is a
 * literal. */
struct aws_credentials *aws_credentials_new(const char *access_key_id, const char *secret_access_key,
                                            const char *session_token, int64_t expires_ms,
                                            const char *source);
struct aws_credentials *aws_credentials_ref(struct aws_credentials *c);
void aws_credentials_unref(struct aws_credentials *c); /* the last one wipes the secret; NULL is fine */
void aws_credentials_unrefp(struct aws_credentials **c);

const char *aws_credentials_access_key_id(const struct aws_credentials *c);
const char *aws_credentials_secret_access_key(const struct aws_credentials *c);
const char *aws_credentials_session_token(const struct aws_credentials *c); /* NULL if none */
int64_t aws_credentials_expires_ms(const struct aws_credentials *c);
const char *aws_credentials_source_name(const struct aws_credentials *c);

/*
 * `fetch` may block, within limits of its own, and is called by any thread, several at once. It gives one
 * reference in `out`; NOT_FOUND: not configured, ask the next one (the error says what was looked for, and
 * where); anything else: configured, but it does not work.
 */
struct aws_credentials_source {
    const char *name;
    enum status (*fetch)(void *context, struct aws_credentials **out, struct error *e);
    void (*free)(void *context); /* NULL if there is nothing to free */
    void *context;
};

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN as they are now. */
struct aws_credentials_source aws_credentials_from_environment(void);

/* Keys that stand in the shared files under `profile`. Both are borrowed and outlive the source. */
struct aws_credentials_source aws_credentials_from_profile(const struct aws_profiles *profiles,
                                                           const char *profile);

struct aws_credentials_chain;

/* Takes the sources over. */
struct aws_credentials_chain *aws_credentials_chain_new(const struct aws_credentials_source *sources,
                                                        size_t n);
void aws_credentials_chain_free(struct aws_credentials_chain *chain);

/* One reference to what is valid at `now_ms` (wall clock). Asks the sources if nothing is kept that is. Any
 * thread. FAILED, code "NoCredentials" and where we looked, if no source is configured; else the status of
 * the one that is. */
enum status aws_credentials_chain_get(struct aws_credentials_chain *chain, int64_t now_ms,
                                      struct aws_credentials **out, struct error *e);

/* Asks the sources now and, if that succeeds, keeps what they say instead. Any thread. */
enum status aws_credentials_chain_refresh(struct aws_credentials_chain *chain, struct error *e);

#endif
