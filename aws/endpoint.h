/*
 * aws/endpoint: to which URL a service's requests go (SDKs and Tools Reference Guide, "Service-specific
 * endpoints"). The first of these that is set:
 *
 *     AWS_ENDPOINT_URL_<SERVICE>            in the environment
 *     AWS_ENDPOINT_URL                      in the environment
 *     endpoint_url of the service           in the services section that the profile names
 *     endpoint_url                          in the profile
 *     https://<service>.<region>.<domain>   the partition's domain
 *
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (or the profile's ignore_configured_endpoint_urls) `true` leaves the
 * last only.
 */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

#include "server/base/error.h"

struct aws_profiles; /* aws/profile.h */

struct aws_endpoint {
    char *url;  /* "http://localhost:8000/" */
    char *host; /* the Host header as it is signed and sent: with the port unless it is the scheme's own */
};

/* For whom. All borrowed. */
struct aws_endpoint_query {
    const char *service; /* "dynamodb": the host's first label, and the name in a services section */
    const char *key;     /* "DYNAMODB": AWS_ENDPOINT_URL_<key> */
    const char *region;
    const char *profile;
};

/* Reads the environment: call it at start. INVALID, naming where the URL stands, if it is not http or https,
 * or holds a user, a query, a fragment, or a path other than "/". aws_endpoint_deinit frees. */
enum status aws_endpoint_resolve(struct aws_endpoint *out, const struct aws_endpoint_query *query,
                                 const struct aws_profiles *profiles, struct error *e);
void aws_endpoint_deinit(struct aws_endpoint *endpoint);

/* The domain of the region's partition: aws, aws-cn, aws-us-gov. Pure. */
const char *aws_endpoint_domain(const char *region);

#endif
