#include "aws/endpoint.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/profile.h"
#include "server/base/mem.h"

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

const char *aws_endpoint_domain(const char *region) {
    static const struct {
        const char *prefix;
        const char *domain;
    } partitions[] = {{"cn-", "amazonaws.com.cn"}, {"us-gov-", "amazonaws.com"}};
    for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++)
        if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
            return partitions[i].domain;
    return "amazonaws.com";
}

static bool ignores_configured(const struct aws_endpoint_query *q, const struct aws_profiles *profiles) {
    const char *value = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (!value)
        value = aws_profiles_setting(profiles, q->profile, "ignore_configured_endpoint_urls");
    return value && strcasecmp(value, "true") == 0;
}

/* The URL that somebody configured (NULL: nobody did); `where` it stands, for messages: the caller's to free.
 */
static const char *configured_url(const struct aws_endpoint_query *q, const struct aws_profiles *profiles,
                                  char **where) {
    *where = mem_printf("AWS_ENDPOINT_URL_%s", q->key);
    const char *url = variable(*where);
    if (url)
        return url;

    free(*where);
    *where = mem_strdup("AWS_ENDPOINT_URL");
    if ((url = variable(*where)))
        return url;

    const char *services = aws_profiles_get(profiles, AWS_PROFILE_CONFIG, q->profile, "services", NULL);
    if (services)
        url = aws_profiles_get(profiles, AWS_PROFILE_SERVICES, services, q->service, "endpoint_url");
    free(*where);
    *where = url ? mem_printf("endpoint_url of %s in services section '%s'", q->service, services)
                 : mem_printf("endpoint_url of profile '%s'", q->profile);
    return url ? url : aws_profiles_get(profiles, AWS_PROFILE_CONFIG, q->profile, "endpoint_url", NULL);
}

static void free_url(CURLU **url) {
    curl_url_cleanup(*url);
}

static void free_part(char **part) {
    curl_free(*part);
}

static bool has_part(CURLU *url, CURLUPart what) {
    _cleanup_(free_part) char *part = NULL;
    return curl_url_get(url, what, &part, 0) == CURLUE_OK;
}

/* The service signs what it sees, so nothing may be in the URL that would have to be signed but "/". */
static bool is_plain(CURLU *url) {
    _cleanup_(free_part) char *scheme = NULL, *path = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(url, CURLUPART_PATH, &path, 0))
        return false;
    bool http = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
    return http && strcmp(path, "/") == 0 && !has_part(url, CURLUPART_USER) &&
           !has_part(url, CURLUPART_PASSWORD) && !has_part(url, CURLUPART_QUERY) &&
           !has_part(url, CURLUPART_FRAGMENT);
}

static enum status parse(struct aws_endpoint *out, const char *text, const char *where, struct error *e) {
    _cleanup_(free_url) CURLU *url = curl_url();
    _cleanup_(free_part) char *host = NULL, *port = NULL, *whole = NULL;
    if (!url)
        mem_exhausted();
    if (curl_url_set(url, CURLUPART_URL, text, 0) || !is_plain(url) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) || curl_url_get(url, CURLUPART_URL, &whole, 0))
        return error_set(e, STATUS_INVALID,
                         "%s is '%s', it must be http://HOST[:PORT] or https://HOST[:PORT]", where, text);
    CURLUcode given = curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
    out->url = mem_strdup(whole);
    out->host = given == CURLUE_OK ? mem_printf("%s:%s", host, port) : mem_strdup(host);
    return STATUS_OK;
}

enum status aws_endpoint_resolve(struct aws_endpoint *out, const struct aws_endpoint_query *query,
                                 const struct aws_profiles *profiles, struct error *e) {
    _cleanup_(mem_freep) char *where = NULL;
    const char *url = ignores_configured(query, profiles) ? NULL : configured_url(query, profiles, &where);
    if (url)
        return parse(out, url, where, e);
    _cleanup_(mem_freep) char *standard =
        mem_printf("https://%s.%s.%s/", query->service, query->region, aws_endpoint_domain(query->region));
    return parse(out, standard, "the endpoint", e);
}

void aws_endpoint_deinit(struct aws_endpoint *endpoint) {
    free(endpoint->url);
    free(endpoint->host);
    memset(endpoint, 0, sizeof *endpoint);
}
