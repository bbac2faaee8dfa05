/*
 * aws/endpoint: to which URL a service's requests go, and for which region they are signed (SDKs and Tools
 * Reference Guide, "Service-specific endpoints" and "Dual-stack and FIPS endpoints"; the SDKs'
 * partitions.json and endpoint rule sets of DynamoDB, Kinesis, SQS and STS). The first of these that is set:
 *
 *     AWS_ENDPOINT_URL_<SERVICE>            in the environment
 *     AWS_ENDPOINT_URL                      in the environment
 *     endpoint_url of the service           in the services section that the profile names
 *     endpoint_url                          in the profile
 *     https://<service>.<region>.<domain>   the partition's domain
 *
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS (or the profile's ignore_configured_endpoint_urls) `true` leaves the
 * last only. Of that there are variants: AWS_USE_FIPS_ENDPOINT (the profile's use_fips_endpoint) `true` makes
 * it <service>-fips; AWS_USE_DUALSTACK_ENDPOINT (use_dualstack_endpoint) `true` takes the partition's domain
 * that has IPv6 addresses too. With an URL that somebody configured they make no sense, and are refused.
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

/* For whom. All borrowed. */
struct aws_endpoint_query {
    const char *service; /* "dynamodb": the host's first label, and the name in a services section */
    const char *key;     /* "DYNAMODB": AWS_ENDPOINT_URL_<key> */
    const char *region;
    const char *profile;
};

/* Reads the environment: call it at start. INVALID, naming where the URL stands, if it is not http or https,
 * or holds a user, a query, a fragment, or a path other than "/"; if a variant is asked for beside an URL, or
 * is neither true nor false. aws_endpoint_deinit frees, whatever came back. */
enum status aws_endpoint_resolve(struct aws_endpoint *out, const struct aws_endpoint_query *query,
                                 const struct aws_profiles *profiles, struct error *e);

/*
 * The same for one SQS queue, whose URL says where it lives: https://sqs.eu-west-1.amazonaws.com/123/name. A
 * configured endpoint goes first, as above, and so does our own region's where the queue is there. Otherwise
 * requests go to the host of the URL, and are signed for the region that it names ("sqs.<region>.",
 * "sqs-fips.<region>.", "<region>.queue.", also behind a VPC endpoint's name), else for ours. This is what
 * the SDKs for JavaScript and Ruby do; those that stay in their own region are told that there is no such
 * queue.
 */
enum status aws_endpoint_of_queue(struct aws_endpoint *out, const struct aws_endpoint_query *query,
                                  const char *queue_url, const struct aws_profiles *profiles,
                                  struct error *e);
void aws_endpoint_deinit(struct aws_endpoint *endpoint);

/* The domain of the region's partition: aws, aws-cn, aws-us-gov, aws-eusc, aws-iso and its kin. Pure. */
const char *aws_endpoint_domain(const char *region);

#endif
