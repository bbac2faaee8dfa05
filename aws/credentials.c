#include "aws/credentials.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/error.h"
#include "aws/profile.h"
#include "server/base/buffer.h"
#include "server/base/mem.h"

struct aws_credentials {
    atomic_uint refs;
    char *access_key_id;
    char *secret_access_key;
    char *session_token;
    int64_t expires_ms;
    const char *source;
};

struct aws_credentials *aws_credentials_new(const char *access_key_id, const char *secret_access_key,
                                            const char *session_token, int64_t expires_ms,
                                            const char *source) {
    struct aws_credentials *c = mem_zalloc(sizeof *c);
    atomic_init(&c->refs, 1);
    c->access_key_id = mem_strdup(access_key_id);
    c->secret_access_key = mem_strdup(secret_access_key);
    c->session_token = session_token && *session_token ? mem_strdup(session_token) : NULL;
    c->expires_ms = expires_ms;
    c->source = source;
    return c;
}

struct aws_credentials *aws_credentials_ref(struct aws_credentials *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

static void wipe(char *secret) {
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void aws_credentials_unref(struct aws_credentials *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    free(c->access_key_id);
    wipe(c->secret_access_key);
    wipe(c->session_token);
    free(c);
}

void aws_credentials_unrefp(struct aws_credentials **c) {
    aws_credentials_unref(*c);
}

const char *aws_credentials_access_key_id(const struct aws_credentials *c) {
    return c->access_key_id;
}

const char *aws_credentials_secret_access_key(const struct aws_credentials *c) {
    return c->secret_access_key;
}

const char *aws_credentials_session_token(const struct aws_credentials *c) {
    return c->session_token;
}

int64_t aws_credentials_expires_ms(const struct aws_credentials *c) {
    return c->expires_ms;
}

const char *aws_credentials_source_name(const struct aws_credentials *c) {
    return c->source;
}

/* The environment. It is read when the source is made, at start: threads must not call getenv while others
 * may set. */

struct environment {
    char *access_key_id;
    char *secret_access_key;
    char *session_token;
};

static char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? mem_strdup(value) : NULL;
}

static enum status fetch_environment(void *context, struct aws_credentials **out, struct error *e) {
    const struct environment *env = context;
    if (!env->access_key_id && !env->secret_access_key)
        return error_set(e, STATUS_NOT_FOUND, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
    if (!env->access_key_id || !env->secret_access_key)
        return error_set(e, STATUS_FAILED, "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, only %s is set",
                         env->access_key_id ? "the first" : "the second");
    *out =
        aws_credentials_new(env->access_key_id, env->secret_access_key, env->session_token, 0, "environment");
    return STATUS_OK;
}

static void free_environment(void *context) {
    struct environment *env = context;
    free(env->access_key_id);
    wipe(env->secret_access_key);
    wipe(env->session_token);
    free(env);
}

struct aws_credentials_source aws_credentials_from_environment(void) {
    struct environment *env = mem_zalloc(sizeof *env);
    env->access_key_id = variable("AWS_ACCESS_KEY_ID");
    env->secret_access_key = variable("AWS_SECRET_ACCESS_KEY");
    env->session_token = variable("AWS_SESSION_TOKEN");
    return (struct aws_credentials_source){"environment", fetch_environment, free_environment, env};
}

/* The shared files. */

struct shared {
    const struct aws_profiles *profiles;
    const char *profile;
};

/* Key and secret must stand in the same file: a pair is never put together from two. */
static enum status fetch_section(const struct shared *s, enum aws_profile_section section, const char *path,
                                 struct aws_credentials **out, struct error *e) {
    const char *key = aws_profiles_get(s->profiles, section, s->profile, "aws_access_key_id", NULL);
    const char *secret = aws_profiles_get(s->profiles, section, s->profile, "aws_secret_access_key", NULL);
    const char *token = aws_profiles_get(s->profiles, section, s->profile, "aws_session_token", NULL);
    if (!key && !secret)
        return STATUS_NOT_FOUND;
    if (!key || !secret)
        return error_set(e, STATUS_FAILED, "profile '%s' in '%s' has %s but no %s", s->profile, path,
                         key ? "aws_access_key_id" : "aws_secret_access_key",
                         key ? "aws_secret_access_key" : "aws_access_key_id");
    *out = aws_credentials_new(key, secret, token, 0, "shared files");
    return STATUS_OK;
}

/* To take the keys that stand beside these would be to act as somebody else than the profile says. */
static enum status refuse_unsupported(const struct shared *s, struct error *e) {
    static const char *const others[] = {"role_arn", "web_identity_token_file", "sso_session",
                                         "sso_start_url"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (aws_profiles_setting(s->profiles, s->profile, others[i]))
            return error_set(e, STATUS_FAILED, "profile '%s' asks for %s, which is not supported", s->profile,
                             others[i]);
    return STATUS_OK;
}

static enum status fetch_shared(void *context, struct aws_credentials **out, struct error *e) {
    const struct shared *s = context;
    const char *credentials_path = aws_profiles_credentials_path(s->profiles);
    const char *config_path = aws_profiles_config_path(s->profiles);
    enum status status = refuse_unsupported(s, e);
    if (!status)
        status = fetch_section(s, AWS_PROFILE_CREDENTIALS, credentials_path, out, e);
    if (status == STATUS_NOT_FOUND)
        status = fetch_section(s, AWS_PROFILE_CONFIG, config_path, out, e);
    if (status == STATUS_NOT_FOUND)
        error_set(e, status, "no aws_access_key_id for profile '%s' in '%s' or '%s'", s->profile,
                  credentials_path, config_path);
    return status;
}

struct aws_credentials_source aws_credentials_from_profile(const struct aws_profiles *profiles,
                                                           const char *profile) {
    struct shared *s = mem_alloc(sizeof *s);
    *s = (struct shared){profiles, profile};
    return (struct aws_credentials_source){"shared files", fetch_shared, free, s};
}

/* The chain. */

struct aws_credentials_chain {
    struct aws_credentials_source *sources;
    size_t count;
    pthread_mutex_t lock; /* guards `current` only. A leaf: nothing is locked or asked under it. */
    struct aws_credentials *current;
};

struct aws_credentials_chain *aws_credentials_chain_new(const struct aws_credentials_source *sources,
                                                        size_t n) {
    struct aws_credentials_chain *chain = mem_zalloc(sizeof *chain);
    chain->sources = mem_dup(sources, n * sizeof *sources);
    chain->count = n;
    pthread_mutex_init(&chain->lock, NULL);
    return chain;
}

void aws_credentials_chain_free(struct aws_credentials_chain *chain) {
    if (!chain)
        return;
    for (size_t i = 0; i < chain->count; i++)
        if (chain->sources[i].free)
            chain->sources[i].free(chain->sources[i].context);
    aws_credentials_unref(chain->current);
    pthread_mutex_destroy(&chain->lock);
    free(chain->sources);
    free(chain);
}

static enum status search(const struct aws_credentials_chain *chain, struct aws_credentials **out,
                          struct error *e) {
    _cleanup_(buffer_deinit) struct buffer looked_for;
    buffer_init(&looked_for, sizeof e->message);
    for (size_t i = 0; i < chain->count; i++) {
        const struct aws_credentials_source *source = &chain->sources[i];
        struct error local;
        enum status status = source->fetch(source->context, out, &local);
        if (status == STATUS_OK)
            return STATUS_OK;
        if (status != STATUS_NOT_FOUND) {
            error_wrap(&local, "cannot get credentials from the %s", source->name);
            if (e)
                *e = local;
            return status;
        }
        buffer_printf(&looked_for, "; %s: %s", source->name, local.message);
    }
    error_set(e, STATUS_FAILED, "no credentials found%s", looked_for.data ? looked_for.data : "");
    if (e)
        snprintf(e->code, sizeof e->code, "%s", AWS_ERROR_NO_CREDENTIALS);
    return STATUS_FAILED;
}

/* Keeps `fresh` (one more reference) instead of what was kept. */
static void keep(struct aws_credentials_chain *chain, struct aws_credentials *fresh) {
    pthread_mutex_lock(&chain->lock);
    struct aws_credentials *old = chain->current;
    chain->current = aws_credentials_ref(fresh);
    pthread_mutex_unlock(&chain->lock);
    aws_credentials_unref(old);
}

enum status aws_credentials_chain_get(struct aws_credentials_chain *chain, int64_t now_ms,
                                      struct aws_credentials **out, struct error *e) {
    pthread_mutex_lock(&chain->lock);
    struct aws_credentials *current = chain->current;
    bool valid = current && (current->expires_ms == 0 || now_ms < current->expires_ms);
    *out = valid ? aws_credentials_ref(current) : NULL;
    pthread_mutex_unlock(&chain->lock);
    if (valid)
        return STATUS_OK;

    enum status status = search(chain, out, e);
    if (!status)
        keep(chain, *out);
    return status;
}

enum status aws_credentials_chain_refresh(struct aws_credentials_chain *chain, struct error *e) {
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *fresh = NULL;
    enum status status = search(chain, &fresh, e);
    if (!status)
        keep(chain, fresh);
    return status;
}
