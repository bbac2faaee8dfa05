/*
 * aws/endpoint: the URL for the requests of a service, and the region for which they are signed (SDKs and
 * Tools Reference Guide, "Service-specific endpoints" and "Dual-stack and FIPS endpoints"; the SDKs'
 * partitions.json and the endpoint rule sets of DynamoDB, Kinesis, SQS and STS). The first of these that is
 * set:
 *
 *     AWS_ENDPOINT_URL_<SERVICE>            in the environment
 *     AWS_ENDPOINT_URL                      in the environment
 *     endpoint_url of the service           in the services section that the profile names
 *     endpoint_url                          in the profile
 *     https://<service>.<region>.<domain>   the partition's domain
 *
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (or the profile's ignore_configured_endpoint_urls) `true` leaves only
 * the last. AWS_USE_FIPS_ENDPOINT (use_fips_endpoint) `true` changes its host to <service>-fips;
 * AWS_USE_DUALSTACK_ENDPOINT (use_dualstack_endpoint) `true` takes the domain of the partition that has IPv6
 * addresses too. Both are refused if a URL is configured.
 */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

#include "base/error.h"

struct aws_profiles; /* aws/profile.h */

struct aws_endpoint {
    char *url;    /* "http://localhost:8000/" */
    char *host;   /* the Host header as it is signed and sent: with the port unless it is the scheme's own */
    char *region; /* to sign for */
};

/* The service and the place. All borrowed. */
struct aws_endpoint_query {
    const char *service; /* "dynamodb": the host's first label, and the name in a services section */
    const char *key;     /* "DYNAMODB": AWS_ENDPOINT_URL_<key> */
    const char *region;  /* NULL: none is set */
    const char *profile;
    const char
        *resource; /* the ARN of a stream, or the URL of a queue, whose region comes first; NULL: none */
};

/* Reads the environment: call it at start. INVALID, with the place of the URL, if it is not http or https, or
 * has a user, a query, a fragment, or a path other than "/"; if FIPS or dual-stack is asked for besides a
 * URL, or is neither true nor false; if there is no region, or the resource is malformed. aws_endpoint_deinit
 * frees `out` in any case.
 *
 * A queue's URL names its region (https://sqs.eu-west-1.amazonaws.com/123/name: "sqs.<region>.",
 * "sqs-fips.<region>.", "<region>.queue.", also after the name of a VPC endpoint), and its host is called
 * unless it is the region's usual one. The SDKs for JavaScript and Ruby do the same; with an SDK that stays
 * in its own region SQS answers that the queue does not exist, and Kinesis that the stream does not. */
enum status aws_endpoint_resolve(struct aws_endpoint *out, const struct aws_endpoint_query *query,
                                 const struct aws_profiles *profiles, struct error *e);
void aws_endpoint_deinit(struct aws_endpoint *endpoint);

/* The domain of the region's partition: aws, aws-cn, aws-us-gov, aws-eusc, aws-iso and its kin. Pure. */
const char *aws_endpoint_domain(const char *region);

#endif
