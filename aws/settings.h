/*
 * aws/settings: what every AWS program reads from its surroundings: region, profile, credentials, endpoints,
 * retries. Loaded once at start, from the environment and the shared files (AWS SDKs and Tools Reference
 * Guide). Variables precede settings of the profile. An empty variable is not set. Thread-safe once loaded.
 */
#ifndef AWS_SETTINGS_H
#define AWS_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct aws_credentials_chain; /* aws/credentials/chain.h */
struct aws_profiles;          /* aws/profile.h */
struct aws_service;           /* aws/client.h */
struct aws_trust;             /* aws/trust.h */
struct service_clock;         /* base/service_clock.h */

/* Read-only once loaded, except the fields after `credentials`. */
struct aws_settings {
    struct aws_profiles *profiles;
    char *profile;           /* AWS_PROFILE, else "default" */
    char *region;            /* AWS_REGION, AWS_DEFAULT_REGION, the profile's `region`; NULL: none */
    struct aws_trust *trust; /* AWS_CA_BUNDLE, the profile's `ca_bundle`: a file of certificates; else the
                              * system's; NULL: those cannot be read, and TLS connections fail */
    int max_attempts;        /* AWS_MAX_ATTEMPTS, the profile's `max_attempts`; 0: not set */
    bool corrects_skew;      /* unless AWS_DISABLE_CLOCK_SKEW_CORRECTION, or the profile's
                              * `disable_clock_skew_correction`, is true */
    char *warning; /* for the log: `standard` is used in the place of another retry mode; NULL: none */
    bool is_profile_overridden; /* AWS_PROFILE names a profile, but the keys in the environment precede it */
    struct aws_credentials_chain *credentials; /* asks no source before the first get */

    /* Called (unless NULL) by any thread, under no lock, when a service's clock is found to be
     * `correction_ms` ahead of ours (negative: behind), and with 0 when the two agree again. Set it before
     * there is a client. */
    void (*on_skew)(void *context, const char *service, int64_t correction_ms);
    void *skew_context;

    /* The replies of this service teach this clock (NULL: none do). Set both before there is a client. */
    const struct aws_service *teacher;
    struct service_clock *clock;
};

/* INVALID, with what is allowed, if a named profile does not exist, a value is not valid
 * (AWS_MAX_ATTEMPTS, AWS_RETRY_MODE, AWS_DISABLE_CLOCK_SKEW_CORRECTION, AWS_CA_BUNDLE), or a file is broken.
 */
enum status aws_settings_load(struct aws_settings **settings, struct error *e);
void aws_settings_free(struct aws_settings *settings);

#endif
