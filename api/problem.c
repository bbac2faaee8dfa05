#include "api/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define TYPE "/openapi.yaml#/components/x-problems/"

static const struct {
    const char *code;
    const char *title;
    unsigned status;
    unsigned retry_after_s;
} types[PROBLEM_TYPES] = {
    [PROBLEM_INVALID_PARAMETER] = {"invalid-parameter", "A parameter is not valid", 400, 0},
    [PROBLEM_MALFORMED_REQUEST] = {"malformed-request", "The request is malformed", 400, 0},
    [PROBLEM_NOT_FOUND] = {"not-found", "Not found", 404, 0},
    [PROBLEM_PERIOD_NOT_KEPT] = {"period-not-kept", "The view does not keep this period", 404, 0},
    [PROBLEM_METHOD_NOT_ALLOWED] = {"method-not-allowed", "The method is not allowed here", 405, 0},
    [PROBLEM_VIEW_NOT_READY] = {"view-not-ready", "The view is still catching up with its stream", 503, 1},
    [PROBLEM_TOO_STALE] = {"too-stale", "The answer is older than maxLag allows", 412, 1},
    [PROBLEM_STORE_UNAVAILABLE] = {"store-unavailable", "The store is unavailable", 503, 1},
    [PROBLEM_OVERLOADED] = {"overloaded", "The service is overloaded", 503, 1},
    [PROBLEM_CONTENT_TOO_LARGE] = {"content-too-large", "The request's body is too large", 413, 0},
    [PROBLEM_URI_TOO_LONG] = {"uri-too-long", "The request's URI is too long", 414, 0},
    [PROBLEM_HEADERS_TOO_LARGE] = {"headers-too-large", "The request's headers are too large", 431, 0},
};

bool problem_set(struct problem *p, enum problem_type type, const char *format, ...) {
    memset(p, 0, sizeof *p);
    p->type = type;
    va_list args;
    va_start(args, format);
    vsnprintf(p->detail, sizeof p->detail, format, args);
    va_end(args);
    return false;
}

/* Cuts between characters. */
static void copy_text(char *out, size_t size, const char *text) {
    size_t length = strlen(text);
    if (length >= size)
        length = utf8_cut(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

void problem_name_parameter(struct problem *p, const char *parameter, const char *given,
                            const char *allowed) {
    copy_text(p->parameter, sizeof p->parameter, parameter);
    copy_text(p->given, sizeof p->given, given);
    copy_text(p->allowed, sizeof p->allowed, allowed);
}

bool problem_set_parameter(struct problem *p, const char *parameter, const char *given, const char *allowed) {
    char name[32];
    copy_text(name, sizeof name, parameter);
    problem_set(p, PROBLEM_INVALID_PARAMETER, "parameter '%s' is not valid; allowed: %s", name, allowed);
    problem_name_parameter(p, parameter, given, allowed);
    return false;
}

static json_t *problem_json(const struct problem *p) {
    const char *code = types[p->type].code;
    json_t *json = json_object();
    json_object_set_new(json, "type", json_sprintf(TYPE "%s", code));
    json_object_set_new(json, "title", json_string(types[p->type].title));
    json_object_set_new(json, "status", json_integer((json_int_t)types[p->type].status));
    json_object_set_new(json, "detail", answer_text(p->detail));
    if (p->parameter[0]) {
        json_object_set_new(json, "parameter", answer_text(p->parameter));
        json_object_set_new(json, "given", answer_text(p->given));
        json_object_set_new(json, "allowed", answer_text(p->allowed));
    }
    json_object_set_new(json, "code", json_string(code));
    return json;
}

struct answer *problem_answer(const struct problem *p) {
    struct answer *answer = answer_json(types[p->type].status, problem_json(p));
    answer->content_type = ANSWER_PROBLEM;
    answer->retry_after_s = types[p->type].retry_after_s;
    answer->allow = p->allow;
    return answer;
}
