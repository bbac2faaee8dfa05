#include "aws/endpoint.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/profile.h"
#include "aws/stream_arn.h"
#include "base/mem.h"
#include "base/variable.h"

/* Partitions (partitions.json of the SDKs). The last one is for every other region. */

static const struct partition {
    const char *prefix; /* of its regions */
    const char *domain;
    const char *dualstack_domain;
    bool fips_by_default; /* its regional hosts are FIPS endpoints and have no -fips name */
} partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false},
    {"us-gov-", "amazonaws.com", "api.aws", true},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu", false},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false},
    {"", "amazonaws.com", "api.aws", false},
};

static const struct partition *partition_of(const char *region) {
    const struct partition *p = partitions;
    while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
        p++;
    return p;
}

const char *aws_endpoint_domain(const char *region) {
    return partition_of(region)->domain;
}

/* What is configured. */

struct flags {
    bool ignore_urls, fips, dualstack;
};

/* A variable, else a setting of the profile, that is true or false; false if it is not set. */
static enum status read_flag(bool *out, const char *name, const char *key, const char *profile,
                             const struct aws_profiles *profiles, struct error *e) {
    const char *value = variable_get(name);
    if (!value)
        value = aws_profiles_setting(profiles, profile, key);
    *out = value && strcasecmp(value, "true") == 0;
    if (!value || *out || strcasecmp(value, "false") == 0)
        return STATUS_OK;
    return error_set(e, STATUS_INVALID, "%s (or %s of profile '%s') is '%s'; allowed: true, false", name, key,
                     profile, value);
}

static enum status read_flags(struct flags *out, const struct aws_endpoint_query *q,
                              const struct aws_profiles *profiles, struct error *e) {
    enum status status = read_flag(&out->ignore_urls, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                                   "ignore_configured_endpoint_urls", q->profile, profiles, e);
    if (!status)
        status = read_flag(&out->fips, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", q->profile, profiles, e);
    if (!status)
        status = read_flag(&out->dualstack, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint",
                           q->profile, profiles, e);
    return status;
}

/* The configured URL (NULL: none). `where` is its place, for messages: the caller's to free. */
static const char *configured_url(const struct aws_endpoint_query *q, const struct aws_profiles *profiles,
                                  char **where) {
    *where = mem_printf("AWS_ENDPOINT_URL_%s", q->key);
    const char *url = variable_get(*where);
    if (url)
        return url;

    free(*where);
    *where = mem_strdup("AWS_ENDPOINT_URL");
    if ((url = variable_get(*where)))
        return url;

    const char *services = aws_profiles_get(profiles, AWS_PROFILE_CONFIG, q->profile, "services", NULL);
    if (services)
        url = aws_profiles_get(profiles, AWS_PROFILE_SERVICES, services, q->service, "endpoint_url");
    free(*where);
    *where = url ? mem_printf("endpoint_url of %s in services section '%s'", q->service, services)
                 : mem_printf("endpoint_url of profile '%s'", q->profile);
    return url ? url : aws_profiles_get(profiles, AWS_PROFILE_CONFIG, q->profile, "endpoint_url", NULL);
}

/* URLs. */

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

static bool is_web(CURLU *url) {
    _cleanup_(free_part) char *scheme = NULL;
    return curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
           (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) && !has_part(url, CURLUPART_USER) &&
           !has_part(url, CURLUPART_PASSWORD) && !has_part(url, CURLUPART_QUERY) &&
           !has_part(url, CURLUPART_FRAGMENT);
}

/* The path and the query are signed, and we always sign "/" without a query. */
static bool is_plain(CURLU *url) {
    _cleanup_(free_part) char *path = NULL;
    return is_web(url) && curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0;
}

static bool take_url(struct aws_endpoint *out, CURLU *url, const char *region) {
    _cleanup_(free_part) char *host = NULL, *port = NULL, *whole = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) || curl_url_get(url, CURLUPART_URL, &whole, 0))
        return false;
    CURLUcode given = curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
    out->url = mem_strdup(whole);
    out->host = given == CURLUE_OK ? mem_printf("%s:%s", host, port) : mem_strdup(host);
    out->region = mem_strdup(region);
    return true;
}

static enum status parse(struct aws_endpoint *out, const char *text, const char *where, const char *region,
                         struct error *e) {
    _cleanup_(free_url) CURLU *url = curl_url();
    if (!url)
        mem_exhausted();
    if (curl_url_set(url, CURLUPART_URL, text, 0) || !is_plain(url) || !take_url(out, url, region))
        return error_set(e, STATUS_INVALID,
                         "%s is '%s'; it must be http://HOST[:PORT] or https://HOST[:PORT]", where, text);
    return STATUS_OK;
}

/* Services. */

static char *standard_url(const struct aws_endpoint_query *q, const struct flags *flags) {
    const struct partition *p = partition_of(q->region);
    bool named = flags->fips && (flags->dualstack || !p->fips_by_default);
    return mem_printf("https://%s%s.%s.%s/", q->service, named ? "-fips" : "", q->region,
                      flags->dualstack ? p->dualstack_domain : p->domain);
}

/* The configured endpoint in `out`; NOT_FOUND if there is none. */
static enum status resolve_configured(struct aws_endpoint *out, const struct aws_endpoint_query *q,
                                      const struct flags *flags, const struct aws_profiles *profiles,
                                      struct error *e) {
    _cleanup_(mem_freep) char *where = NULL;
    const char *url = flags->ignore_urls ? NULL : configured_url(q, profiles, &where);
    if (!url)
        return STATUS_NOT_FOUND;
    if (flags->fips || flags->dualstack)
        return error_set(e, STATUS_INVALID, "%s and %s are both set: remove one", where,
                         flags->fips ? "AWS_USE_FIPS_ENDPOINT (or use_fips_endpoint)"
                                     : "AWS_USE_DUALSTACK_ENDPOINT (or use_dualstack_endpoint)");
    return parse(out, url, where, q->region, e);
}

/* Queues: their URLs name host and region. */

/* The region that the host of a queue's URL names, the caller's to free; NULL if it names none. */
static char *region_of_queue(const char *host) {
    static const char *const services[] = {"sqs.", "sqs-fips."};
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        const char *at = strstr(host, services[i]);
        if (at && (at == host || at[-1] == '.')) {
            at += strlen(services[i]);
            size_t length = strcspn(at, ".");
            return length > 0 && at[length] == '.' ? mem_printf("%.*s", (int)length, at) : NULL;
        }
    }
    if (strcasecmp(host, "queue.amazonaws.com") == 0) /* of the time when there was one region */
        return mem_strdup("us-east-1");
    const char *legacy = strstr(host, ".queue.");
    return legacy && legacy > host ? mem_printf("%.*s", (int)(legacy - host), host) : NULL;
}

/* Whether the host is a usual one for queues of this region. */
static bool is_standard_host(const char *host, const char *region) {
    const char *domain = aws_endpoint_domain(region);
    _cleanup_(mem_freep) char *usual = mem_printf("sqs.%s.%s", region, domain);
    _cleanup_(mem_freep) char *legacy = mem_printf("%s.queue.%s", region, domain);
    return strcasecmp(host, usual) == 0 || strcasecmp(host, legacy) == 0;
}

/* Resources that name their region. */

struct lead {
    char *region; /* NULL: there is none */
    char *url;    /* of the resource's own host; NULL: the standard one of the region */
};

static void lead_deinit(struct lead *lead) {
    free(lead->region);
    free(lead->url);
}

static enum status follow_queue(struct lead *lead, const struct aws_endpoint_query *q, struct error *e) {
    _cleanup_(free_url) CURLU *url = curl_url();
    _cleanup_(free_part) char *host = NULL, *whole = NULL;
    if (!url)
        mem_exhausted();
    if (curl_url_set(url, CURLUPART_URL, q->resource, 0) || !is_web(url) ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) || curl_url_set(url, CURLUPART_PATH, "/", 0) ||
        curl_url_get(url, CURLUPART_URL, &whole, 0))
        return error_set(e, STATUS_INVALID,
                         "the queue is '%s'; it must be http[s]://HOST[:PORT]/ACCOUNT/NAME", q->resource);
    lead->region = region_of_queue(host);
    if (!lead->region && q->region)
        lead->region = mem_strdup(q->region);
    if (lead->region && !is_standard_host(host, lead->region))
        lead->url = mem_strdup(whole);
    return STATUS_OK;
}

static enum status follow(struct lead *lead, const struct aws_endpoint_query *q, struct error *e) {
    char region[AWS_REGION_SIZE];
    if (q->resource && !aws_stream_arn_is(q->resource))
        return follow_queue(lead, q, e);
    enum status status = q->resource ? aws_stream_arn_region(q->resource, region, e) : STATUS_OK;
    if (!status && (q->resource || q->region))
        lead->region = mem_strdup(q->resource ? region : q->region);
    return status;
}

static enum status require_region(const struct lead *lead, const struct aws_endpoint_query *q,
                                  const struct aws_profiles *profiles, struct error *e) {
    if (lead->region)
        return STATUS_OK;
    return error_set(e, STATUS_INVALID,
                     "no AWS region is set for %s: set AWS_REGION, or `region` for profile '%s' in '%s'",
                     q->service, q->profile, aws_profiles_config_path(profiles));
}

enum status aws_endpoint_resolve(struct aws_endpoint *out, const struct aws_endpoint_query *query,
                                 const struct aws_profiles *profiles, struct error *e) {
    struct flags flags;
    _cleanup_(lead_deinit) struct lead lead = {0};
    memset(out, 0, sizeof *out);
    enum status status = follow(&lead, query, e);
    if (!status)
        status = require_region(&lead, query, profiles, e);
    if (!status)
        status = read_flags(&flags, query, profiles, e);
    struct aws_endpoint_query there = *query;
    there.region = lead.region;
    if (!status)
        status = resolve_configured(out, &there, &flags, profiles, e);
    if (status != STATUS_NOT_FOUND)
        return status;
    _cleanup_(mem_freep) char *standard = standard_url(&there, &flags);
    return parse(out, lead.url ? lead.url : standard, "the endpoint", there.region, e);
}

void aws_endpoint_deinit(struct aws_endpoint *endpoint) {
    free(endpoint->url);
    free(endpoint->host);
    free(endpoint->region);
    memset(endpoint, 0, sizeof *endpoint);
}
