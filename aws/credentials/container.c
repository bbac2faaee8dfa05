#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/credentials/document.h"
#include "aws/credentials/sources.h"
#include "aws/credentials/token_file.h"
#include "aws/fetch.h"
#include "aws/header_value.h"
#include "aws/service_error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/variable.h"

#define ECS_HOST "169.254.170.2"
#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"

struct container {
    char *relative_uri, *full_uri, *token_file, *token; /* NULL: not set */
};

/* The URL. */

static void free_url(CURLU **url) {
    curl_url_cleanup(*url);
}

static void free_part(char **part) {
    curl_free(*part);
}

static bool is_allowed_ipv6(const char *host) {
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed, eks;
    size_t n = strlen(host);
    if (n < 2 || n > sizeof address || host[0] != '[' || host[n - 1] != ']')
        return false;
    memcpy(address, host + 1, n - 2);
    address[n - 2] = '\0';
    inet_pton(AF_INET6, "fd00:ec2::23", &eks);
    return inet_pton(AF_INET6, address, &parsed) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&parsed) || memcmp(&parsed, &eks, sizeof eks) == 0);
}

/* Addresses are compared as numbers, names whole: a name may begin like an address. */
static bool is_allowed_host(const char *host) {
    struct in_addr parsed, ecs, eks;
    inet_pton(AF_INET, ECS_HOST, &ecs);
    inet_pton(AF_INET, "169.254.170.23", &eks);
    if (inet_pton(AF_INET, host, &parsed) == 1)
        return ntohl(parsed.s_addr) >> 24 == 127 || parsed.s_addr == ecs.s_addr ||
               parsed.s_addr == eks.s_addr;
    return strcasecmp(host, "localhost") == 0 || is_allowed_ipv6(host);
}

static bool is_allowed(CURLU *url) {
    _cleanup_(free_part) char *scheme = NULL, *host = NULL, *user = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(url, CURLUPART_HOST, &host, 0) ||
        curl_url_get(url, CURLUPART_USER, &user, 0) != CURLUE_NO_USER)
        return false;
    return strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_allowed_host(host));
}

enum status aws_credentials_container_url(const char *relative_uri, const char *full_uri, char **url,
                                          struct error *e) {
    _cleanup_(free_url) CURLU *parsed = curl_url();
    _cleanup_(free_part) char *whole = NULL;
    _cleanup_(mem_freep) char *text =
        relative_uri ? mem_printf("http://" ECS_HOST "%s", relative_uri) : mem_strdup(full_uri);
    if (!parsed)
        mem_exhausted();
    bool fails = curl_url_set(parsed, CURLUPART_URL, text, 0) || !is_allowed(parsed) ||
                 curl_url_get(parsed, CURLUPART_URL, &whole, 0);
    if (relative_uri && (fails || *relative_uri != '/')) /* else it would be part of the host */
        return error_set(e, STATUS_INVALID, RELATIVE_URI " is '%s'; it must be a path that begins with /",
                         relative_uri);
    if (fails)
        return error_set(
            e, STATUS_INVALID,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is '%s'; it must be https, or http to localhost, "
            "127.0.0.0/8, [::1], 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]",
            full_uri);
    *url = mem_strdup(whole); /* the URL that was checked is the one that is used */
    return STATUS_OK;
}

/* Asking. */

static enum status read_token(const struct container *c, char **token, struct error *e) {
    if (c->token_file)
        return aws_token_file_read(c->token_file, token, e);
    return aws_header_value_take(c->token, "AWS_CONTAINER_AUTHORIZATION_TOKEN", token, e);
}

/* An error is a document, too, with a code and a message. */
static enum status read_answer(const struct aws_fetch *f, struct aws_credentials **out, struct error *e) {
    struct error local = {0};
    enum status status =
        aws_credentials_parse(f->exchange.reply.data, f->exchange.reply.length,
                              &aws_credentials_form_endpoint, "container endpoint", out, &local);
    if (f->exchange.http_status == 200 && !status)
        return STATUS_OK;
    aws_credentials_unref(*out);
    *out = NULL;
    long http_status = f->exchange.http_status;
    if (http_status != 200 && (!*local.code || strcmp(local.code, AWS_ERROR_MALFORMED) == 0))
        error_set(&local, STATUS_FAILED, "HTTP %ld", http_status);
    if (http_status != 200)
        local.status = http_status == 429 || http_status >= 500 ? STATUS_RETRY : STATUS_FAILED;
    if (e)
        *e = local;
    return local.status;
}

static enum status ask(const char *url, const char *token, int stop_fd, struct aws_credentials **out,
                       struct error *e) {
    _cleanup_(aws_credentials_wipep) char *authorization =
        token ? mem_printf("Authorization: %s", token) : NULL;
    const char *const lines[] = {"Accept: application/json", authorization, NULL};
    _cleanup_(aws_fetch_deinit) struct aws_fetch f;
    aws_fetch_init(&f);
    f.exchange.method = "GET";
    f.exchange.url = url;
    f.exchange.lines = lines;
    f.exchange.direct = true;
    f.exchange.connect_ms = LIMIT_METADATA_TRY_MS;
    f.exchange.attempt_ms = LIMIT_METADATA_TRY_MS;
    f.tries = LIMIT_METADATA_TRIES;
    f.pause_ms = LIMIT_METADATA_PAUSE_MS;
    f.stop_fd = stop_fd;
    enum status status = aws_fetch(&f, e);
    if (!status)
        status = read_answer(&f, out, e);
    if (status && e)
        error_wrap(e, "%s", url);
    return status;
}

static enum status fetch(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    const struct container *c = context;
    _cleanup_(mem_freep) char *url = NULL;
    _cleanup_(aws_credentials_wipep) char *token = NULL;
    if (!c->relative_uri && !c->full_uri)
        return error_set(e, STATUS_NOT_FOUND,
                         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
    enum status status = aws_credentials_container_url(c->relative_uri, c->full_uri, &url, e);
    if (!status)
        status = read_token(c, &token, e);
    return status ? status : ask(url, token, stop_fd, out, e);
}

static void free_container(void *context) {
    struct container *c = context;
    free(c->relative_uri);
    free(c->full_uri);
    free(c->token_file);
    aws_credentials_wipe(c->token);
    free(c);
}

struct aws_credentials_source aws_credentials_from_container(void) {
    struct container *c = mem_zalloc(sizeof *c);
    c->relative_uri = aws_header_value_trim(variable_get(RELATIVE_URI));
    c->full_uri = aws_header_value_trim(variable_get("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    c->token_file = variable_copy("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    c->token = variable_copy("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    return (struct aws_credentials_source){"container endpoint", fetch, free_container, c};
}
