#include "aws/credentials/sts.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "aws/clock_skew.h"
#include "aws/credentials/chain.h"
#include "aws/credentials/sts_reply.h"
#include "aws/endpoint.h"
#include "aws/fetch.h"
#include "aws/sigv4.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"

#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"

enum { FORM_BYTES = 4 * LIMIT_TOKEN_FILE_BYTES, TRIES = 3, PAUSE_MS = 500, LINES = 6 };

struct aws_sts {
    struct aws_endpoint endpoint;
    struct error problem; /* of the endpoint; status OK: none */
    struct aws_credentials_setup setup;
    char session_name[32];
};

struct aws_sts *aws_sts_new(const struct aws_credentials_setup *setup) {
    struct aws_sts *sts = mem_zalloc(sizeof *sts);
    const struct aws_endpoint_query query = {"sts", "STS", setup->region, setup->profile, NULL};
    aws_endpoint_resolve(&sts->endpoint, &query, setup->profiles, &sts->problem);
    sts->setup = *setup;
    strcpy(sts->session_name, "winner-view-");
    random_hex(sts->session_name + strlen(sts->session_name), 4);
    return sts;
}

void aws_sts_free(struct aws_sts *sts) {
    if (!sts)
        return;
    aws_endpoint_deinit(&sts->endpoint);
    free(sts);
}

/* The form. */

static void add_field(struct buffer *form, const char *name, const char *value) {
    if (form->length)
        buffer_putc(form, '&');
    buffer_printf(form, "%s=", name);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (plain)
            buffer_putc(form, (char)c);
        else
            buffer_printf(form, "%%%02X", c);
    }
}

static void add_role(struct buffer *form, const struct aws_sts *sts, const char *operation,
                     const struct aws_sts_role *role) {
    add_field(form, "Action", operation);
    add_field(form, "Version", "2011-06-15");
    add_field(form, "RoleArn", role->arn);
    add_field(form, "RoleSessionName", role->session_name ? role->session_name : sts->session_name);
    if (role->duration_s)
        buffer_printf(form, "&DurationSeconds=%d", role->duration_s);
}

static void form_deinit(struct buffer *form) {
    if (form->data)
        OPENSSL_cleanse(form->data, form->capacity);
    buffer_deinit(form);
}

/* The exchange. */

static void free_lines(char *(*lines)[LINES]) {
    for (size_t i = 0; i < LINES; i++)
        free((*lines)[i]);
}

/* One request to STS. */
struct request {
    const char *operation;
    const struct aws_sts_role *role;
    const struct buffer *form;
    const struct aws_credentials *as; /* NULL: not signed */
    int stop_fd;
    int64_t ahead_ms; /* how far STS's clock is ahead of ours, as known so far */
};

/* The header lines of the form, signed unless `as` is NULL. */
static enum status make_lines(const struct aws_sts *sts, const struct request *q, char *lines[LINES],
                              struct error *e) {
    const struct aws_credentials *as = q->as;
    if (!as) {
        lines[0] = mem_printf("Host: %s", sts->endpoint.host);
        lines[1] = mem_strdup("Content-Type: " CONTENT_TYPE);
        return STATUS_OK;
    }
    const struct sigv4_header headers[] = {{"Host", sts->endpoint.host},
                                           {"Content-Type", CONTENT_TYPE},
                                           {"X-Amz-Security-Token", as->session_token}};
    const size_t n = as->session_token ? 3 : 2;
    const struct sigv4_request request = {"POST", "/", "", headers, n, q->form->data, q->form->length};
    const struct sigv4_scope scope = {
        .access_key_id = as->access_key_id,
        .secret_access_key = as->secret_access_key,
        .region = sts->setup.region,
        .service = "sts",
        .time_ms = clock_real_ms() + q->ahead_ms,
    };
    return sigv4_sign_lines(lines, &request, &scope, NULL, e);
}

static enum status send_form(const struct aws_sts *sts, const struct request *q, struct aws_fetch *f,
                             struct error *e) {
    _cleanup_(free_lines) char *lines[LINES] = {NULL};
    enum status status = make_lines(sts, q, lines, e);
    if (status)
        return status;
    f->exchange.method = "POST";
    f->exchange.url = sts->endpoint.url;
    f->exchange.lines = (const char *const *)lines;
    f->exchange.body = q->form->data;
    f->exchange.length = q->form->length;
    f->exchange.trust = sts->setup.trust;
    f->exchange.connect_ms = LIMIT_AWS_CONNECT_MS;
    f->exchange.attempt_ms = LIMIT_STS_TRY_MS;
    f->tries = TRIES;
    f->pause_ms = PAUSE_MS;
    f->stop_fd = q->stop_fd;
    status = aws_fetch(f, e);
    if (status && e)
        error_wrap(e, "sts %s at %s failed", q->operation, sts->endpoint.url);
    return status;
}

/* Updates `ahead_ms` by the answer. */
static void learn_skew(const struct aws_sts *sts, struct request *q, const struct aws_fetch *f) {
    int64_t offset_ms;
    if (sts->setup.corrects_skew && aws_skew_measure(&f->clock, &offset_ms))
        q->ahead_ms = aws_skew_correction(offset_ms, q->ahead_ms);
}

/* One attempt. `*skewed`: it was refused, and may succeed if it is signed with the time of the answer. */
static enum status send_once(const struct aws_sts *sts, struct request *q, bool *skewed,
                             struct aws_credentials **out, struct error *e) {
    _cleanup_(aws_fetch_deinit) struct aws_fetch f;
    _cleanup_(mem_freep) char *source = mem_printf("%s of role '%s'", q->operation, q->role->arn);
    int64_t signed_with_ms = q->ahead_ms;
    aws_fetch_init(&f);
    *skewed = false;
    enum status status = send_form(sts, q, &f, e);
    if (status)
        return status;
    learn_skew(sts, q, &f);
    status = aws_sts_reply_read(q->operation, f.exchange.http_status, f.exchange.reply.data,
                                f.exchange.reply.length, source, out, e);
    if (!status)
        (*out)->issued_ms = aws_fetch_date(&f);
    *skewed = status && q->as && aws_skew_explains(e->code, signed_with_ms, q->ahead_ms);
    return status;
}

/* The offset of STS's clock is not kept: requests are so rare that our clock may be set between two. */
static enum status ask(const struct aws_sts *sts, struct request *q, struct aws_credentials **out,
                       struct error *e) {
    struct error unread;
    bool skewed;
    e = e ? e : &unread;
    *out = NULL;
    if (sts->problem.status) {
        *e = sts->problem;
        return sts->problem.status;
    }
    if (q->form->overflowed)
        return error_set(e, STATUS_FAILED, "sts %s failed: the request is too long", q->operation);
    enum status status = send_once(sts, q, &skewed, out, e);
    return skewed ? send_once(sts, q, &skewed, out, e) : status;
}

enum status aws_sts_assume_role(const struct aws_sts *sts, const struct aws_sts_role *role,
                                const struct aws_credentials *as, int stop_fd, struct aws_credentials **out,
                                struct error *e) {
    _cleanup_(form_deinit) struct buffer form;
    buffer_init(&form, FORM_BYTES);
    add_role(&form, sts, "AssumeRole", role);
    if (role->external_id)
        add_field(&form, "ExternalId", role->external_id);
    struct request q = {"AssumeRole", role, &form, as, stop_fd, 0};
    return ask(sts, &q, out, e);
}

enum status aws_sts_assume_role_with_web_identity(const struct aws_sts *sts, const struct aws_sts_role *role,
                                                  const char *token, int stop_fd,
                                                  struct aws_credentials **out, struct error *e) {
    _cleanup_(form_deinit) struct buffer form;
    buffer_init(&form, FORM_BYTES);
    add_role(&form, sts, "AssumeRoleWithWebIdentity", role);
    add_field(&form, "WebIdentityToken", token);
    struct request q = {"AssumeRoleWithWebIdentity", role, &form, NULL, stop_fd, 0};
    return ask(sts, &q, out, e);
}
