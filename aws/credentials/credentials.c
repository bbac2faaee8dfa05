#include "aws/credentials/credentials.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct aws_credentials *aws_credentials_new(const char *access_key_id, const char *secret_access_key,
                                            const char *session_token, int64_t expires_ms,
                                            const char *source) {
    struct aws_credentials *c = mem_zalloc(sizeof *c);
    atomic_init(&c->refs, 1);
    c->access_key_id = mem_strdup(access_key_id);
    c->secret_access_key = mem_strdup(secret_access_key);
    c->session_token = session_token && *session_token ? mem_strdup(session_token) : NULL;
    c->expires_ms = expires_ms;
    c->source = mem_strdup(source);
    return c;
}

struct aws_credentials *aws_credentials_ref(struct aws_credentials *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void aws_credentials_wipe(char *secret) {
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void aws_credentials_wipep(char **secret) {
    aws_credentials_wipe(*secret);
}

void aws_credentials_unref(struct aws_credentials *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    free(c->access_key_id);
    aws_credentials_wipe(c->secret_access_key);
    aws_credentials_wipe(c->session_token);
    free(c->source);
    free(c);
}

void aws_credentials_unrefp(struct aws_credentials **c) {
    aws_credentials_unref(*c);
}
