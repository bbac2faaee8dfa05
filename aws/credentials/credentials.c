#include "aws/credentials/credentials.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aws/header_value.h"
#include "base/mem.h"

enum status aws_credentials_make(struct aws_credentials **out, const struct aws_credentials_found *found,
                                 struct error *e) {
    struct aws_credentials *c = *out = mem_zalloc(sizeof *c);
    atomic_init(&c->refs, 1);
    c->expires_ms = found->expires_ms;
    c->source = mem_strdup(found->source);
    const char *const texts[] = {found->access_key_id, found->secret_access_key, found->session_token};
    char **const copies[] = {&c->access_key_id, &c->secret_access_key, &c->session_token};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < 3 && !status; i++) {
        status = aws_header_value_take(texts[i], found->names[i], copies[i], e);
        if (!status && i < 2 && !*copies[i])
            status = error_set(e, STATUS_INVALID, "%s is empty", found->names[i]);
    }
    if (status) {
        aws_credentials_unref(c);
        *out = NULL;
    }
    return status;
}

bool aws_credentials_equal(const struct aws_credentials *a, const struct aws_credentials *b) {
    return strcmp(a->access_key_id, b->access_key_id) == 0 &&
           strcmp(a->secret_access_key, b->secret_access_key) == 0 &&
           !a->session_token == !b->session_token &&
           (!a->session_token || strcmp(a->session_token, b->session_token) == 0);
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
