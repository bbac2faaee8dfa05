/*
 * aws/settings: what every AWS program takes from its surroundings: region, profile, credentials, endpoints,
 * retries. Loaded once at start, from the environment and the shared files (AWS SDKs and Tools Reference
 * Guide): variables go before settings of the profile, which AWS_PROFILE names (else "default"). An empty
 * variable is not set. Thread-safe once loaded.
 */
#ifndef AWS_SETTINGS_H
#define AWS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct aws_settings;
struct aws_credentials_chain; /* aws/credentials/credentials.h */
struct aws_endpoint;          /* aws/endpoint.h */
struct aws_service;           /* aws/client.h */

/* INVALID, and says what is allowed, if no region is set anywhere, a named profile does not exist, a setting
 * is none (AWS_MAX_ATTEMPTS, AWS_RETRY_MODE, AWS_DISABLE_CLOCK_SKEW_CORRECTION, AWS_CA_BUNDLE), or a file is
 * broken. */
enum status aws_settings_load(struct aws_settings **settings, struct error *e);
void aws_settings_free(struct aws_settings *settings);

/* What the getters return is borrowed from the settings. */

/* AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`. */
const char *aws_settings_region(const struct aws_settings *settings);

const char *aws_settings_profile(const struct aws_settings *settings);

/* AWS_MAX_ATTEMPTS, the profile's `max_attempts`; 0 if neither says. */
int aws_settings_max_attempts(const struct aws_settings *settings);

/* A retry mode that is not ours but that every SDK knows is no reason not to start: we retry as `standard`
 * does. NULL, or words for the log that say so. */
const char *aws_settings_warning(const struct aws_settings *settings);

/* Unless AWS_DISABLE_CLOCK_SKEW_CORRECTION, or the profile's `disable_clock_skew_correction`, is true. */
bool aws_settings_corrects_skew(const struct aws_settings *settings);

/* `found` is called by any thread, under no lock, when a service's clock turns out to be `correction_ms`
 * ahead of ours (negative: behind), and with 0 when the two agree again. Set it before there is a client. */
void aws_settings_on_skew(struct aws_settings *settings,
                          void (*found)(void *context, const char *service, int64_t correction_ms),
                          void *context);
void aws_settings_tell_skew(const struct aws_settings *settings, const char *service, int64_t correction_ms);

/* AWS_CA_BUNDLE, the profile's `ca_bundle`: a file of certificates; NULL: the system's. */
const char *aws_settings_ca_bundle(const struct aws_settings *settings);

/* Everything that stands in aws/credentials/sources.h. Nothing is looked up before the first get, so a
 * program that calls no AWS service needs none. */
struct aws_credentials_chain *aws_settings_credentials(const struct aws_settings *settings);

/* AWS_PROFILE names a profile, but the keys in the environment go before it: worth a word to whoever wonders
 * as whom the program acts. */
bool aws_settings_is_profile_overridden(const struct aws_settings *settings);

/* Where the service's requests go (aws/endpoint.h); reads the environment. */
enum status aws_settings_endpoint(const struct aws_settings *settings, const struct aws_service *service,
                                  struct aws_endpoint *out, struct error *e);

/* Where requests for one SQS queue go (aws_endpoint_of_queue); reads the environment. */
enum status aws_settings_queue_endpoint(const struct aws_settings *settings, const char *queue_url,
                                        struct aws_endpoint *out, struct error *e);

#endif
