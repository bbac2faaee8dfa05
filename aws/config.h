/*
 * aws/config: what every AWS program takes from its surroundings: region, profile, credentials, endpoints,
 * retries. Loaded once at start, from the environment and the shared files (AWS SDKs and Tools Reference
 * Guide): variables go before settings of the profile, which AWS_PROFILE names (else "default"). An empty
 * variable is not set. Thread-safe once loaded.
 */
#ifndef AWS_CONFIG_H
#define AWS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct aws_config;
struct aws_credentials_chain; /* aws/credentials/credentials.h */
struct aws_endpoint;          /* aws/endpoint.h */
struct aws_service;           /* aws/client.h */

/* INVALID, and says what is allowed, if no region is set anywhere, a named profile does not exist, a setting
 * is none (AWS_MAX_ATTEMPTS, AWS_RETRY_MODE, AWS_DISABLE_CLOCK_SKEW_CORRECTION, AWS_CA_BUNDLE), or a file is
 * broken. */
enum status aws_config_load(struct aws_config **config, struct error *e);
void aws_config_free(struct aws_config *config);

/* What the getters return is borrowed from the config. */

/* AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`. */
const char *aws_config_region(const struct aws_config *config);

const char *aws_config_profile(const struct aws_config *config);

/* AWS_MAX_ATTEMPTS, the profile's `max_attempts`; 0 if neither says. */
int aws_config_max_attempts(const struct aws_config *config);

/* A retry mode that is not ours but that every SDK knows is no reason not to start: we retry as `standard`
 * does. NULL, or words for the log that say so. */
const char *aws_config_warning(const struct aws_config *config);

/* Unless AWS_DISABLE_CLOCK_SKEW_CORRECTION, or the profile's `disable_clock_skew_correction`, is true. */
bool aws_config_corrects_skew(const struct aws_config *config);

/* `found` is called by any thread, under no lock, when a service's clock turns out to be `correction_ms`
 * ahead of ours (negative: behind), and with 0 when the two agree again. Set it before there is a client. */
void aws_config_on_skew(struct aws_config *config,
                        void (*found)(void *context, const char *service, int64_t correction_ms),
                        void *context);
void aws_config_tell_skew(const struct aws_config *config, const char *service, int64_t correction_ms);

/* AWS_CA_BUNDLE, the profile's `ca_bundle`: a file of certificates; NULL: the system's. */
const char *aws_config_ca_bundle(const struct aws_config *config);

/* Everything that stands in aws/credentials/sources.h. Nothing is looked up before the first get, so a
 * program that calls no AWS service needs none. */
struct aws_credentials_chain *aws_config_credentials(const struct aws_config *config);

/* AWS_PROFILE names a profile, but the keys in the environment go before it: worth a word to whoever wonders
 * as whom the program acts. */
bool aws_config_is_profile_overridden(const struct aws_config *config);

/* Where the service's requests go (aws/endpoint.h); reads the environment. */
enum status aws_config_endpoint(const struct aws_config *config, const struct aws_service *service,
                                struct aws_endpoint *out, struct error *e);

/* Where requests for one SQS queue go (aws_endpoint_of_queue); reads the environment. */
enum status aws_config_queue_endpoint(const struct aws_config *config, const char *queue_url,
                                      struct aws_endpoint *out, struct error *e);

#endif
