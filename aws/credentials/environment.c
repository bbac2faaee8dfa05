#include <stdlib.h>

#include "aws/credentials/sources.h"
#include "base/mem.h"
#include "base/variable.h"

#define ACCESS_KEY_ID "AWS_ACCESS_KEY_ID"
#define SECRET_ACCESS_KEY "AWS_SECRET_ACCESS_KEY"

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
    *out =
        aws_credentials_new(env->access_key_id, env->secret_access_key, env->session_token, 0, "environment");
    return STATUS_OK;
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
    env->access_key_id = variable_copy(ACCESS_KEY_ID);
    env->secret_access_key = variable_copy(SECRET_ACCESS_KEY);
    env->session_token = variable_copy("AWS_SESSION_TOKEN");
    return (struct aws_credentials_source){"environment", fetch, free_environment, env};
}
