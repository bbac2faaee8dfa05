#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/credentials/document.h"
#include "aws/credentials/sources.h"
#include "aws/fetch.h"
#include "aws/header_value.h"
#include "aws/profile.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/variable.h"

/* IAM API Reference, RoleName. None of these needs encoding in a path. */
#define ROLE_NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-"
#define ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define ROLES "/latest/meta-data/iam/security-credentials/"

struct instance {
    bool is_disabled;
    char *endpoint; /* without a slash at its end; NULL: `mode` is none that there is */
    char *mode;
};

/* One request to `path`. With a token it is a GET that carries it, without one the PUT that gets one. */
static enum status ask(const struct instance *in, const char *path, const char *token, int stop_fd,
                       struct aws_fetch *f, struct error *e) {
    _cleanup_(mem_freep) char *url = mem_printf("%s%s", in->endpoint, path);
    _cleanup_(aws_credentials_wipep) char *line =
        token ? mem_printf("X-aws-ec2-metadata-token: %s", token)
              : mem_strdup("X-aws-ec2-metadata-token-ttl-seconds: 21600");
    const char *const lines[] = {line, NULL};
    f->exchange.method = token ? "GET" : "PUT";
    f->exchange.url = url;
    f->exchange.lines = lines;
    f->exchange.direct = true;
    f->exchange.connect_ms = LIMIT_METADATA_CONNECT_MS;
    f->exchange.attempt_ms = LIMIT_METADATA_TRY_MS;
    f->tries = token ? LIMIT_METADATA_TRIES : 1; /* outside EC2 nothing answers: do not wait long */
    f->pause_ms = LIMIT_METADATA_PAUSE_MS;
    f->stop_fd = stop_fd;
    return aws_fetch(f, e);
}

static enum status refused(const struct aws_fetch *f, const char *what, struct error *e) {
    long http_status = f->exchange.http_status;
    bool passes = http_status == 200 || http_status == 429 || http_status >= 500 || http_status == 401;
    return error_set(e, passes ? STATUS_RETRY : STATUS_FAILED, "%s: HTTP %ld", what, http_status);
}

/* The answer to the PUT has a hop limit of its own, by default 1: it does not reach a container, where the
 * service seems to accept the request and not to answer. */
static enum status no_token(const struct instance *in, const struct aws_fetch *f, struct error *e) {
    if (!e || e->status != STATUS_RETRY)
        return e ? e->status : STATUS_FAILED;
    if (!f->exchange.connected) {
        e->status = STATUS_NOT_FOUND;
        return error_wrap(e, "nothing answers at %s", in->endpoint);
    }
    return error_wrap(e,
                      "%s takes requests but gives no token (in a container the instance's "
                      "HttpPutResponseHopLimit must be 2 or more)",
                      in->endpoint);
}

static enum status fetch_token(const struct instance *in, int stop_fd, char **token, struct error *e) {
    _cleanup_(aws_fetch_deinit) struct aws_fetch f;
    aws_fetch_init(&f);
    if (ask(in, "/latest/api/token", NULL, stop_fd, &f, e))
        return no_token(in, &f, e);
    if (f.exchange.http_status == 403)
        return error_set(e, STATUS_NOT_FOUND, "%s: metadata is switched off for this instance (HTTP 403)",
                         in->endpoint);
    if (f.exchange.http_status != 200)
        return refused(&f, "no token from the metadata service", e);
    enum status status =
        aws_header_value_take(f.exchange.reply.data, "the metadata service's token", token, e);
    if (!status && !*token)
        error_set(e, STATUS_RETRY, "the metadata service's token is empty");
    return *token ? STATUS_OK : (e->status = STATUS_RETRY); /* another server's answer, perhaps */
}

/* An instance has at most one role; of several lines the first is taken. */
static enum status fetch_role_name(const struct instance *in, const char *token, int stop_fd, char **name,
                                   struct error *e) {
    _cleanup_(aws_fetch_deinit) struct aws_fetch f;
    aws_fetch_init(&f);
    enum status status = ask(in, ROLES, token, stop_fd, &f, e);
    if (status)
        return e ? error_wrap(e, "no role from the metadata service") : status;
    size_t length = f.exchange.reply.data ? strcspn(f.exchange.reply.data, "\r\n") : 0;
    if (f.exchange.http_status == 404 || (f.exchange.http_status == 200 && length == 0))
        return error_set(e, STATUS_NOT_FOUND, "this instance has no role (instance profile)");
    if (f.exchange.http_status != 200)
        return refused(&f, "no role from the metadata service", e);
    if (strspn(f.exchange.reply.data, ROLE_NAME) < length)
        return error_set(e, STATUS_RETRY, "the metadata service returned an invalid role name");
    *name = mem_strndup(f.exchange.reply.data, length);
    return STATUS_OK;
}

static enum status fetch_credentials(const struct instance *in, const char *token, const char *role,
                                     int stop_fd, struct aws_credentials **out, struct error *e) {
    _cleanup_(mem_freep) char *path = mem_printf(ROLES "%s", role);
    _cleanup_(mem_freep) char *source = mem_printf("EC2 instance metadata, role '%s'", role);
    _cleanup_(aws_fetch_deinit) struct aws_fetch f;
    aws_fetch_init(&f);
    enum status status = ask(in, path, token, stop_fd, &f, e);
    if (!status && f.exchange.http_status != 200)
        return refused(&f, "no credentials from the metadata service", e);
    if (!status)
        status = aws_credentials_parse(f.exchange.reply.data, f.exchange.reply.length,
                                       &aws_credentials_form_endpoint, source, out, e);
    if (status)
        return e ? error_wrap(e, "%s", source) : status;
    (*out)->issued_ms = aws_fetch_date(&f);
    (*out)->outlives = true;
    return STATUS_OK;
}

static enum status fetch(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    const struct instance *in = context;
    _cleanup_(aws_credentials_wipep) char *token = NULL;
    _cleanup_(mem_freep) char *role = NULL, *checked = NULL;
    struct error local;
    e = e ? e : &local;
    if (in->is_disabled)
        return error_set(e, STATUS_NOT_FOUND, "AWS_EC2_METADATA_DISABLED is true");
    if (!in->endpoint)
        return error_set(e, STATUS_FAILED, ENDPOINT "_MODE is '%s'; it must be IPv4 or IPv6", in->mode);
    enum status status = aws_header_value_take(in->endpoint, ENDPOINT, &checked, e);
    if (!status)
        status = fetch_token(in, stop_fd, &token, e);
    if (!status)
        status = fetch_role_name(in, token, stop_fd, &role, e);
    return status ? status : fetch_credentials(in, token, role, stop_fd, out, e);
}

static void free_instance(void *context) {
    struct instance *in = context;
    free(in->endpoint);
    free(in->mode);
    free(in);
}

static char *setting(const struct aws_credentials_setup *setup, const char *variable, const char *key) {
    char *value = aws_header_value_trim(variable_get(variable));
    return value ? value : aws_header_value_trim(aws_profiles_setting(setup->profiles, setup->profile, key));
}

/* What is configured (NULL: nothing) goes before the mode. Takes it over. */
static char *choose_endpoint(char *configured, const char *mode) {
    char *end = configured ? configured + strlen(configured) - 1 : NULL;
    if (end && *end == '/')
        *end = '\0';
    if (configured)
        return configured;
    if (!mode || strcasecmp(mode, "IPv4") == 0)
        return mem_strdup("http://169.254.169.254");
    return strcasecmp(mode, "IPv6") == 0 ? mem_strdup("http://[fd00:ec2::254]") : NULL;
}

struct aws_credentials_source aws_credentials_from_instance(const struct aws_credentials_setup *setup) {
    struct instance *in = mem_zalloc(sizeof *in);
    in->is_disabled = variable_is_true("AWS_EC2_METADATA_DISABLED");
    in->mode = setting(setup, ENDPOINT "_MODE", "ec2_metadata_service_endpoint_mode");
    in->endpoint = choose_endpoint(setting(setup, ENDPOINT, "ec2_metadata_service_endpoint"), in->mode);
    return (struct aws_credentials_source){"EC2 instance metadata", fetch, free_instance, in};
}
