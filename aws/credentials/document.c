#include "aws/credentials/document.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "aws/credentials/credentials.h"
#include "aws/service_error.h"
#include "base/clock.h"

const struct aws_credentials_form aws_credentials_form_process = {
    .token = "SessionToken", .has_version = true, .malformed = STATUS_FAILED};
const struct aws_credentials_form aws_credentials_form_endpoint = {
    .token = "Token", .is_temporary = true, .malformed = STATUS_RETRY};

/* The text of the member; NULL if it is absent, null, empty or not a string. */
static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text && *text ? text : NULL;
}

/* Whether the object is an error instead of credentials. */
static bool is_refusal(const json_t *object, struct error *e) {
    const char *code = text_of(object, "Code"), *message = text_of(object, "Message");
    if (!code) {
        code = text_of(object, "code");
        message = text_of(object, "message");
    }
    if (!code || strcmp(code, "Success") == 0)
        return false;
    error_set_code(e, STATUS_FAILED, code, "%s: %s", code, message ? message : "no reason given");
    return true;
}

static enum status check_version(const json_t *object, struct error *e) {
    const json_t *version = json_object_get(object, "Version");
    if (json_is_integer(version) && json_integer_value(version) == 1)
        return STATUS_OK;
    return error_set(e, STATUS_FAILED, "the reply must have \"Version\": 1");
}

static enum status read_expiration(const json_t *object, bool is_needed, int64_t *expires_ms,
                                   struct error *e) {
    const json_t *member = json_object_get(object, "Expiration");
    const char *text = json_string_value(member);
    *expires_ms = 0;
    if (!is_needed && (!member || json_is_null(member)))
        return STATUS_OK;
    if (text && clock_parse(text, strlen(text), expires_ms) && *expires_ms > 0)
        return STATUS_OK;
    return error_set(e, STATUS_FAILED, "the reply has no RFC 3339 time in Expiration");
}

static enum status read_object(const json_t *object, const struct aws_credentials_form *form,
                               const char *source, struct aws_credentials **out, struct error *e) {
    const char *names[] = {"AccessKeyId", "SecretAccessKey", form->token};
    const char *texts[3];
    int64_t expires_ms;
    if (is_refusal(object, e))
        return STATUS_FAILED;
    enum status status = form->has_version ? check_version(object, e) : STATUS_OK;
    for (size_t i = 0; i < 3 && !status; i++) {
        texts[i] = text_of(object, names[i]);
        if (!texts[i] && (i < 2 || form->is_temporary))
            status = error_set(e, STATUS_FAILED, "the reply has no %s", names[i]);
    }
    if (!status)
        status = read_expiration(object, form->is_temporary, &expires_ms, e);
    if (status)
        return status;
    const struct aws_credentials_found found = {.access_key_id = texts[0],
                                                .secret_access_key = texts[1],
                                                .session_token = texts[2],
                                                .names = {names[0], names[1], names[2]},
                                                .expires_ms = expires_ms,
                                                .source = source};
    return aws_credentials_make(out, &found, e);
}

enum status aws_credentials_parse(const char *text, size_t length, const struct aws_credentials_form *form,
                                  const char *source, struct aws_credentials **out, struct error *e) {
    json_auto_t *object = json_loadb(text ? text : "", length, JSON_REJECT_DUPLICATES, NULL);
    struct error unread;
    e = e ? e : &unread;
    *out = NULL;
    if (!json_is_object(object))
        error_set(e, STATUS_FAILED, "the reply is not a JSON object");
    else if (!read_object(object, form, source, out, e))
        return STATUS_OK;
    if (*e->code)
        return e->status;
    strcpy(e->code, AWS_ERROR_MALFORMED);
    return e->status = form->malformed;
}
