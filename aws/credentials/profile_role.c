#include <errno.h>
#include <stdlib.h>

#include "aws/credentials/sources.h"
#include "aws/credentials/sts.h"
#include "aws/profile.h"

/* What STS allows for the duration of a session. */
enum { LEAST_DURATION_S = 900, MOST_DURATION_S = 43200 };

enum status aws_credentials_read_again(struct aws_credentials_profile *p, struct aws_profiles **again,
                                       struct error *e) {
    enum status status = aws_profiles_read_again(p->profiles, again, e);
    p->profiles = *again ? *again : p->profiles;
    return status;
}

const char *aws_credentials_setting(const struct aws_credentials_profile *p, const char *key) {
    return aws_profiles_setting(p->profiles, p->name, key);
}

static enum status read_duration(const struct aws_credentials_profile *p, int *duration_s, struct error *e) {
    const char *text = aws_credentials_setting(p, "duration_seconds");
    char *end;
    *duration_s = 0;
    if (!text)
        return STATUS_OK;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end || end == text || value < LEAST_DURATION_S || value > MOST_DURATION_S)
        return error_set(e, STATUS_FAILED,
                         "duration_seconds of profile '%s' is '%s'; allowed: a number from %d to %d", p->name,
                         text, LEAST_DURATION_S, MOST_DURATION_S);
    *duration_s = (int)value;
    return STATUS_OK;
}

enum status aws_credentials_read_role(const struct aws_credentials_profile *p, struct aws_sts_role *role,
                                      struct error *e) {
    *role = (struct aws_sts_role){
        .arn = aws_credentials_setting(p, "role_arn"),
        .session_name = aws_credentials_setting(p, "role_session_name"),
        .external_id = aws_credentials_setting(p, "external_id"),
    };
    if (!role->arn)
        return error_set(e, STATUS_NOT_FOUND, "profile '%s' has no role_arn", p->name);
    if (aws_credentials_setting(p, "mfa_serial"))
        return error_set(
            e, STATUS_FAILED,
            "profile '%s' asks for mfa_serial, which is not supported: it needs a person to type", p->name);
    return read_duration(p, &role->duration_s, e);
}
