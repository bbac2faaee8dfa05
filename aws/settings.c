#include "aws/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/credentials/chain.h"
#include "aws/header_value.h"
#include "aws/profile.h"
#include "aws/stream_arn.h"
#include "aws/transport.h"
#include "aws/trust.h"
#include "base/mem.h"
#include "base/variable.h"

enum { ATTEMPTS_MAX = 100 };

static enum status load_profile(struct aws_settings *c, struct error *e) {
    enum status status = aws_profiles_load(&c->profiles, e);
    if (status)
        return status;
    const char *named = variable_get("AWS_PROFILE");
    c->profile = mem_strdup(named ? named : "default");
    if (named && !aws_profiles_have(c->profiles, named))
        return error_set(
            e, STATUS_INVALID,
            "AWS_PROFILE is '%s'; it must name a profile in '%s' (as [profile %s]) or '%s' (as [%s])", named,
            aws_profiles_config_path(c->profiles), named, aws_profiles_credentials_path(c->profiles), named);
    return STATUS_OK;
}

static enum status load_region(struct aws_settings *c, struct error *e) {
    const char *where = "AWS_REGION";
    c->region = aws_header_value_trim(variable_get(where));
    if (!c->region)
        c->region = aws_header_value_trim(variable_get(where = "AWS_DEFAULT_REGION"));
    if (!c->region) {
        where = "region of the profile";
        c->region = aws_header_value_trim(aws_profiles_setting(c->profiles, c->profile, "region"));
    }
    if (!c->region)
        return STATUS_OK; /* a stream's ARN and a queue's URL have their own */
    if (!aws_region_is_valid(c->region))
        return error_set(e, STATUS_INVALID,
                         "%s is '%s'; it must consist of lower case letters, digits and '-'", where,
                         c->region);
    return STATUS_OK;
}

static enum status load_attempts(struct aws_settings *c, struct error *e) {
    const char *where = "AWS_MAX_ATTEMPTS", *text = variable_get(where);
    if (!text) {
        where = "max_attempts of the profile";
        text = aws_profiles_setting(c->profiles, c->profile, "max_attempts");
    }
    if (!text)
        return STATUS_OK;

    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 1 || value > ATTEMPTS_MAX)
        return error_set(e, STATUS_INVALID, "%s is '%s'; allowed: a number from 1 to %d", where, text,
                         ATTEMPTS_MAX);
    c->max_attempts = (int)value;
    return STATUS_OK;
}

/* legacy, standard and adaptive are what the SDKs know (SDKs and Tools Reference Guide, "Retry behavior").
 * They are set for all programs of a machine, so the two that we do not have are no reason not to start. */
static enum status load_retry_mode(struct aws_settings *c, struct error *e) {
    const char *mode = variable_get("AWS_RETRY_MODE");
    if (!mode)
        mode = aws_profiles_setting(c->profiles, c->profile, "retry_mode");
    if (!mode || strcasecmp(mode, "standard") == 0)
        return STATUS_OK;
    if (strcasecmp(mode, "legacy") != 0 && strcasecmp(mode, "adaptive") != 0)
        return error_set(e, STATUS_INVALID,
                         "AWS_RETRY_MODE (or retry_mode of the profile) is '%s'; it must be standard "
                         "(legacy and adaptive are taken for it)",
                         mode);
    c->warning =
        mem_printf("retry mode '%s' is not there, AWS calls are retried as in mode 'standard'", mode);
    return STATUS_OK;
}

static enum status load_skew(struct aws_settings *c, struct error *e) {
    const char *text = variable_get("AWS_DISABLE_CLOCK_SKEW_CORRECTION");
    if (!text)
        text = aws_profiles_setting(c->profiles, c->profile, "disable_clock_skew_correction");
    c->corrects_skew = !text || strcasecmp(text, "false") == 0;
    if (!c->corrects_skew && strcasecmp(text, "true") != 0)
        return error_set(
            e, STATUS_INVALID,
            "AWS_DISABLE_CLOCK_SKEW_CORRECTION (or disable_clock_skew_correction of the profile) "
            "is '%s'; it must be true or false",
            text);
    return STATUS_OK;
}

static enum status load_bundle(struct aws_settings *c, struct error *e) {
    const char *bundle = variable_get("AWS_CA_BUNDLE"), *file, *folder;
    if (!bundle)
        bundle = aws_profiles_setting(c->profiles, c->profile, "ca_bundle");
    aws_transport_system_trust(&file, &folder);
    if (bundle && aws_trust_new(&c->trust, bundle, folder, e))
        return error_wrap(
            e,
            "AWS_CA_BUNDLE (or ca_bundle of the profile) is '%s'; it must be a file of certificates "
            "that can be read",
            bundle);
    if (!bundle && file)
        aws_trust_new(&c->trust, file, folder, NULL);
    return STATUS_OK;
}

static void load_credentials(struct aws_settings *c) {
    const struct aws_credentials_setup setup = {c->profiles, c->profile, c->region, c->trust,
                                                c->corrects_skew};
    c->credentials = aws_credentials_chain_new_default(&setup);
    c->is_profile_overridden = variable_get("AWS_PROFILE") && variable_get("AWS_ACCESS_KEY_ID") &&
                               variable_get("AWS_SECRET_ACCESS_KEY");
}

enum status aws_settings_load(struct aws_settings **settings, struct error *e) {
    struct aws_settings *c = mem_zalloc(sizeof *c);
    enum status status = load_profile(c, e);
    if (!status)
        status = load_region(c, e);
    if (!status)
        status = load_attempts(c, e);
    if (!status)
        status = load_retry_mode(c, e);
    if (!status)
        status = load_skew(c, e);
    if (!status)
        status = load_bundle(c, e);
    if (!status)
        load_credentials(c);
    if (status) {
        aws_settings_free(c);
        c = NULL;
    }
    *settings = c;
    return status;
}

void aws_settings_free(struct aws_settings *settings) {
    if (!settings)
        return;
    aws_credentials_chain_free(settings->credentials);
    aws_profiles_free(settings->profiles);
    free(settings->profile);
    free(settings->region);
    aws_trust_free(settings->trust);
    free(settings->warning);
    free(settings);
}
