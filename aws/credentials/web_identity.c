#include <stdlib.h>

#include "aws/credentials/sources.h"
#include "aws/credentials/sts.h"
#include "aws/credentials/token_file.h"
#include "aws/profile.h"
#include "base/mem.h"
#include "base/variable.h"

struct web_identity {
    struct aws_credentials_profile profile;
    struct aws_sts *sts;
    char *token_file, *role_arn, *session_name; /* of the environment; NULL: not set */
};

static enum status assume(const struct aws_sts *sts, const struct aws_sts_role *role, const char *token_file,
                          int stop_fd, struct aws_credentials **out, struct error *e) {
    _cleanup_(aws_credentials_wipep) char *token = NULL;
    enum status status = aws_token_file_read(token_file, &token, e);
    return status ? status : aws_sts_assume_role_with_web_identity(sts, role, token, stop_fd, out, e);
}

enum status aws_credentials_of_web_identity(const struct aws_credentials_profile *p, int stop_fd,
                                            struct aws_credentials **out, struct error *e) {
    const char *token_file = aws_credentials_setting(p, "web_identity_token_file");
    struct aws_sts_role role;
    if (!token_file)
        return error_set(e, STATUS_NOT_FOUND, "profile '%s' has no web_identity_token_file", p->name);
    enum status status = aws_credentials_read_role(p, &role, e);
    if (status == STATUS_NOT_FOUND)
        return error_set(e, STATUS_FAILED, "profile '%s' has web_identity_token_file but no role_arn",
                         p->name);
    return status ? status : assume(p->sts, &role, token_file, stop_fd, out, e);
}

static enum status fetch(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    const struct web_identity *w = context;
    if (!w->token_file) {
        struct aws_credentials_profile p = w->profile;
        _cleanup_(aws_profiles_freep) struct aws_profiles *again = NULL;
        enum status status = aws_credentials_read_again(&p, &again, e);
        if (!status)
            status = aws_credentials_of_web_identity(&p, stop_fd, out, e);
        return status == STATUS_NOT_FOUND ? error_set(e, status, "AWS_WEB_IDENTITY_TOKEN_FILE is not set")
                                          : status;
    }
    const struct aws_sts_role role = {.arn = w->role_arn, .session_name = w->session_name};
    if (!role.arn)
        return error_set(e, STATUS_FAILED, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
    return assume(w->profile.sts, &role, w->token_file, stop_fd, out, e);
}

static void free_web_identity(void *context) {
    struct web_identity *w = context;
    free(w->token_file);
    free(w->role_arn);
    free(w->session_name);
    aws_sts_free(w->sts);
    free(w);
}

struct aws_credentials_source aws_credentials_from_web_identity(const struct aws_credentials_setup *setup) {
    struct web_identity *w = mem_zalloc(sizeof *w);
    w->sts = aws_sts_new(setup);
    w->profile = (struct aws_credentials_profile){setup->profiles, setup->profile, w->sts};
    w->token_file = variable_copy("AWS_WEB_IDENTITY_TOKEN_FILE");
    w->role_arn = variable_copy("AWS_ROLE_ARN");
    w->session_name = variable_copy("AWS_ROLE_SESSION_NAME");
    return (struct aws_credentials_source){"web identity", fetch, free_web_identity, w};
}
