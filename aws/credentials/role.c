#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials/sources.h"
#include "aws/credentials/sts.h"
#include "aws/profile.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/mem.h"

/* What credential_source may be. */
enum { ENVIRONMENT, ECS_CONTAINER, INSTANCE, SOURCES };
static const char *const source_names[] = {"Environment", "EcsContainer", "Ec2InstanceMetadata"};

struct role {
    struct aws_credentials_profile profile;
    struct aws_sts *sts;
    struct aws_credentials_source sources[SOURCES];
};

/* The source profiles so far. A name that is in it already is a cycle. */
struct path {
    const char *names[LIMIT_SOURCE_PROFILES];
    size_t length;
};

static bool has_keys(const struct aws_credentials_profile *p) {
    return aws_credentials_setting(p, "aws_access_key_id") ||
           aws_credentials_setting(p, "aws_secret_access_key");
}

static enum status fetch_role(const struct role *r, const struct aws_credentials_profile *p,
                              struct path *path, int stop_fd, struct aws_credentials **out, struct error *e);

/* Fails because the chain of source profiles cannot continue with `name`. `how`: the reason. */
static enum status fail_chain(const struct path *path, const char *name, const char *how, struct error *e) {
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, sizeof e->message);
    for (size_t i = 0; i < path->length; i++)
        buffer_printf(&text, "'%s' -> ", path->names[i]);
    return error_set(e, STATUS_FAILED, "the chain of source_profile %s: %s'%s'", how, text.data, name);
}

/* As in botocore: if the source profile has keys, they are used and its role_arn is ignored. So a profile can
 * name itself as its source. */
static enum status fetch_source_profile(const struct role *r, const struct aws_credentials_profile *referring,
                                        const char *name, struct path *path, int stop_fd,
                                        struct aws_credentials **out, struct error *e) {
    const struct aws_credentials_profile p = {referring->profiles, name, referring->sts};
    bool has_own_credentials = has_keys(&p) || !aws_credentials_setting(&p, "role_arn") ||
                               aws_credentials_setting(&p, "web_identity_token_file");
    if (!aws_profiles_have(p.profiles, name))
        return error_set(e, STATUS_FAILED, "source_profile of profile '%s' is '%s', which does not exist",
                         referring->name, name);
    if (!has_own_credentials)
        return fetch_role(r, &p, path, stop_fd, out, e);

    enum status status = STATUS_NOT_FOUND;
    if (!has_keys(&p))
        status = aws_credentials_of_web_identity(&p, stop_fd, out, e);
    if (status == STATUS_NOT_FOUND)
        status = aws_credentials_of_files(&p, stop_fd, out, e);
    return status == STATUS_NOT_FOUND ? error_set(e, STATUS_FAILED,
                                                  "source_profile of profile '%s' is '%s', which has no "
                                                  "credentials",
                                                  referring->name, name)
                                      : status;
}

static enum status fetch_credential_source(const struct role *r, const struct aws_credentials_profile *p,
                                           const char *name, int stop_fd, struct aws_credentials **out,
                                           struct error *e) {
    for (int i = 0; i < SOURCES; i++) {
        const struct aws_credentials_source *source = &r->sources[i];
        if (strcmp(name, source_names[i]) != 0)
            continue;
        enum status status = source->fetch(source->context, stop_fd, out, e);
        if (status && e) {
            e->status = status == STATUS_NOT_FOUND ? STATUS_FAILED : status;
            error_wrap(e, "credential_source %s of profile '%s'", name, p->name);
        }
        return status == STATUS_NOT_FOUND ? STATUS_FAILED : status;
    }
    return error_set(e, STATUS_FAILED,
                     "credential_source of profile '%s' is '%s'; allowed: Environment, EcsContainer, "
                     "Ec2InstanceMetadata",
                     p->name, name);
}

/* Gets the credentials with which the role is assumed. */
static enum status fetch_base(const struct role *r, const struct aws_credentials_profile *p,
                              struct path *path, int stop_fd, struct aws_credentials **out, struct error *e) {
    const char *source_profile = aws_credentials_setting(p, "source_profile");
    const char *credential_source = aws_credentials_setting(p, "credential_source");
    if (!source_profile == !credential_source)
        return error_set(e, STATUS_FAILED,
                         "profile '%s' has role_arn and %s source_profile %s credential_source: set exactly "
                         "one of the two",
                         p->name, source_profile ? "both" : "neither", source_profile ? "and" : "nor");
    if (source_profile)
        return fetch_source_profile(r, p, source_profile, path, stop_fd, out, e);
    return fetch_credential_source(r, p, credential_source, stop_fd, out, e);
}

static enum status fetch_role(const struct role *r, const struct aws_credentials_profile *p,
                              struct path *path, int stop_fd, struct aws_credentials **out, struct error *e) {
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *base = NULL;
    struct aws_sts_role role;
    for (size_t i = 0; i < path->length; i++)
        if (strcmp(path->names[i], p->name) == 0)
            return fail_chain(path, p->name, "has a cycle", e);
    if (path->length == LIMIT_SOURCE_PROFILES)
        return fail_chain(path, p->name, "is too long", e);
    path->names[path->length++] = p->name;

    enum status status = aws_credentials_read_role(p, &role, e);
    if (!status)
        status = fetch_base(r, p, path, stop_fd, &base, e);
    return status ? status : aws_sts_assume_role(p->sts, &role, base, stop_fd, out, e);
}

static enum status fetch(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    const struct role *r = context;
    struct aws_credentials_profile p = r->profile;
    _cleanup_(aws_profiles_freep) struct aws_profiles *again = NULL;
    struct path path = {.length = 0};
    enum status status = aws_credentials_read_again(&p, &again, e);
    if (status)
        return status;
    if (!aws_credentials_setting(&p, "role_arn") || aws_credentials_setting(&p, "web_identity_token_file"))
        return error_set(e, STATUS_NOT_FOUND, "profile '%s' has no role_arn", p.name);
    return fetch_role(r, &p, &path, stop_fd, out, e);
}

static void free_role(void *context) {
    struct role *r = context;
    for (int i = 0; i < SOURCES; i++)
        r->sources[i].free(r->sources[i].context);
    aws_sts_free(r->sts);
    free(r);
}

struct aws_credentials_source aws_credentials_from_role(const struct aws_credentials_setup *setup) {
    struct role *r = mem_zalloc(sizeof *r);
    r->sts = aws_sts_new(setup);
    r->profile = (struct aws_credentials_profile){setup->profiles, setup->profile, r->sts};
    r->sources[ENVIRONMENT] = aws_credentials_from_environment();
    r->sources[ECS_CONTAINER] = aws_credentials_from_container();
    r->sources[INSTANCE] = aws_credentials_from_instance(setup);
    return (struct aws_credentials_source){"profile's role", fetch, free_role, r};
}
