#include <stdlib.h>
#include <string.h>

#include "aws/credentials/document.h"
#include "aws/credentials/process.h"
#include "aws/credentials/sources.h"
#include "aws/profile.h"
#include "base/limits.h"
#include "base/mem.h"

/* Key and secret must be in the same section. */
static enum status fetch_section(const struct aws_credentials_profile *p, enum aws_profile_section section,
                                 const char *path, struct aws_credentials **out, struct error *e) {
    const char *key = aws_profiles_get(p->profiles, section, p->name, "aws_access_key_id", NULL);
    const char *secret = aws_profiles_get(p->profiles, section, p->name, "aws_secret_access_key", NULL);
    const char *token = aws_profiles_get(p->profiles, section, p->name, "aws_session_token", NULL);
    if (!key && !secret)
        return STATUS_NOT_FOUND;
    if (!key || !secret)
        return error_set(e, STATUS_FAILED, "profile '%s' in '%s' has %s but no %s", p->name, path,
                         key ? "aws_access_key_id" : "aws_secret_access_key",
                         key ? "aws_secret_access_key" : "aws_access_key_id");
    const struct aws_credentials_found found = {
        .access_key_id = key,
        .secret_access_key = secret,
        .session_token = token,
        .names = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"},
        .source = "shared files",
    };
    struct error local;
    enum status status = aws_credentials_make(out, &found, &local);
    if (status && e) {
        *e = local;
        error_wrap(e, "profile '%s' in '%s'", p->name, path);
    }
    return status;
}

static enum status run_process(const struct aws_credentials_profile *p, const char *line, int stop_fd,
                               struct aws_credentials **out, struct error *e) {
    _cleanup_(aws_process_free_words) char **words = NULL;
    _cleanup_(mem_freep) char *source = mem_printf("credential_process of profile '%s'", p->name);
    struct buffer output;
    struct error local;
    buffer_init(&output, LIMIT_PROCESS_BYTES);
    enum status status = aws_process_split(line, &words, &local);
    if (!status)
        status = aws_process_run(words, LIMIT_PROCESS_MS, stop_fd, &output, &local);
    if (!status)
        status = aws_credentials_parse(output.data, output.length, &aws_credentials_form_process, source, out,
                                       &local);
    aws_credentials_wipe(output.data);
    if (status) {
        error_wrap(&local, "%s", source);
        if (e)
            *e = local;
    }
    return status;
}

static enum status refuse(const struct aws_credentials_profile *p, const char *const settings[],
                          struct error *e) {
    for (; *settings; settings++)
        if (aws_credentials_setting(p, *settings))
            return error_set(e, STATUS_FAILED,
                             "profile '%s' uses %s, which is not supported; use credential_process = aws "
                             "configure export-credentials instead",
                             p->name, *settings);
    return STATUS_OK;
}

enum status aws_credentials_of_files(const struct aws_credentials_profile *p, int stop_fd,
                                     struct aws_credentials **out, struct error *e) {
    static const char *const before_keys[] = {"sso_session", "sso_start_url", NULL};
    static const char *const after_keys[] = {"login_session", NULL};
    const char *credentials_path = aws_profiles_credentials_path(p->profiles);
    const char *config_path = aws_profiles_config_path(p->profiles);
    const char *process = aws_credentials_setting(p, "credential_process");

    enum status status = refuse(p, before_keys, e);
    if (!status)
        status = fetch_section(p, AWS_PROFILE_CREDENTIALS, credentials_path, out, e);
    if (status == STATUS_NOT_FOUND && refuse(p, after_keys, e))
        return STATUS_FAILED;
    if (status == STATUS_NOT_FOUND && process)
        return run_process(p, process, stop_fd, out, e);
    if (status == STATUS_NOT_FOUND)
        status = fetch_section(p, AWS_PROFILE_CONFIG, config_path, out, e);
    if (status == STATUS_NOT_FOUND)
        error_set(e, status, "no aws_access_key_id or credential_process for profile '%s' in '%s' or '%s'",
                  p->name, credentials_path, config_path);
    return status;
}

static enum status fetch(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    struct aws_credentials_profile p = *(const struct aws_credentials_profile *)context;
    _cleanup_(aws_profiles_freep) struct aws_profiles *again = NULL;
    enum status status = aws_credentials_read_again(&p, &again, e);
    return status ? status : aws_credentials_of_files(&p, stop_fd, out, e);
}

struct aws_credentials_source aws_credentials_from_shared_files(const struct aws_credentials_setup *setup) {
    const struct aws_credentials_profile profile = {setup->profiles, setup->profile, NULL};
    return (struct aws_credentials_source){"shared files", fetch, free, mem_dup(&profile, sizeof profile)};
}
