#include <stdlib.h>

#include "aws/credentials/sources.h"
#include "aws/header_value.h"
#include "base/mem.h"
#include "base/variable.h"

#define ACCESS_KEY_ID "AWS_ACCESS_KEY_ID"
#define SECRET_ACCESS_KEY "AWS_SECRET_ACCESS_KEY"
#define SESSION_TOKEN "AWS_SESSION_TOKEN"

struct environment {
    char *access_key_id;
    char *secret_access_key;
    char *session_token;
};

static enum status fetch(void *context, int stop_fd, struct aws_credentials **out, struct error *e) {
    const struct environment *env = context;
    (void)stop_fd;
    if (!env->access_key_id && !env->secret_access_key)
        return error_set(e, STATUS_NOT_FOUND, ACCESS_KEY_ID " and " SECRET_ACCESS_KEY " are not set");
    if (!env->access_key_id || !env->secret_access_key)
        return error_set(e, STATUS_FAILED, "%s is set, but %s is not",
                         env->access_key_id ? ACCESS_KEY_ID : SECRET_ACCESS_KEY,
                         env->access_key_id ? SECRET_ACCESS_KEY : ACCESS_KEY_ID);
    const struct aws_credentials_found found = {
        .access_key_id = env->access_key_id,
        .secret_access_key = env->secret_access_key,
        .session_token = env->session_token,
        .names = {ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN},
        .source = "environment",
    };
    return aws_credentials_make(out, &found, e);
}

static void free_environment(void *context) {
    struct environment *env = context;
    free(env->access_key_id);
    aws_credentials_wipe(env->secret_access_key);
    aws_credentials_wipe(env->session_token);
    free(env);
}

struct aws_credentials_source aws_credentials_from_environment(void) {
    struct environment *env = mem_zalloc(sizeof *env);
    env->access_key_id = aws_header_value_trim(variable_get(ACCESS_KEY_ID));
    env->secret_access_key = aws_header_value_trim(variable_get(SECRET_ACCESS_KEY));
    env->session_token = aws_header_value_trim(variable_get(SESSION_TOKEN));
    return (struct aws_credentials_source){"environment", fetch, free_environment, env};
}
