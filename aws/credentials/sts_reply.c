#include "aws/credentials/sts_reply.h"

#include <expat.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "aws/credentials/credentials.h"
#include "aws/service_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/mem.h"

/* The texts that we read, each an element `name` directly within a `parent`. */
enum { ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, EXPIRATION, CODE, MESSAGE, ID, ID_OF_ERROR, FIELDS };

static const struct {
    const char *parent;
    const char *name;
} fields[FIELDS] = {
    [ACCESS_KEY_ID] = {"Credentials", "AccessKeyId"},
    [SECRET_ACCESS_KEY] = {"Credentials", "SecretAccessKey"},
    [SESSION_TOKEN] = {"Credentials", "SessionToken"},
    [EXPIRATION] = {"Credentials", "Expiration"},
    [CODE] = {"Error", "Code"},
    [MESSAGE] = {"Error", "Message"},
    [ID] = {"ResponseMetadata", "RequestId"},
    [ID_OF_ERROR] = {"ErrorResponse", "RequestId"},
};

enum { DEPTH = 8, NAME_SIZE = 40, TEXT_BYTES = 16384 };

struct reader {
    XML_Parser parser;
    char path[DEPTH][NAME_SIZE]; /* names of the open elements; deeper ones are ignored */
    int depth;
    int field; /* the one whose text is being read; FIELDS: none */
    struct buffer texts[FIELDS];
};

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes) {
    struct reader *r = data;
    (void)attributes;
    r->field = FIELDS;
    if (r->depth < DEPTH) {
        snprintf(r->path[r->depth], NAME_SIZE, "%s", name);
        for (int i = 0; r->depth > 0 && i < FIELDS; i++)
            if (strcmp(fields[i].name, name) == 0 && strcmp(fields[i].parent, r->path[r->depth - 1]) == 0)
                r->field = i;
    }
    r->depth++;
}

static void XMLCALL on_end(void *data, const XML_Char *name) {
    struct reader *r = data;
    (void)name;
    r->depth--;
    r->field = FIELDS;
}

static void XMLCALL on_text(void *data, const XML_Char *text, int length) {
    struct reader *r = data;
    if (r->field < FIELDS)
        buffer_append(&r->texts[r->field], text, (size_t)length);
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset) {
    struct reader *r = data;
    (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
    XML_StopParser(r->parser, XML_FALSE);
}

static void reader_init(struct reader *r) {
    memset(r, 0, sizeof *r);
    r->field = FIELDS;
    for (int i = 0; i < FIELDS; i++)
        buffer_init(&r->texts[i], TEXT_BYTES);
    r->parser = XML_ParserCreate(NULL);
    if (!r->parser)
        mem_exhausted();
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
}

static void reader_deinit(struct reader *r) {
    XML_ParserFree(r->parser);
    for (int i = 0; i < FIELDS; i++)
        aws_credentials_wipe(r->texts[i].data);
}

/* NULL if the document does not have it, or it is too long. */
static const char *text_of(const struct reader *r, int field) {
    const struct buffer *text = &r->texts[field];
    return text->length > 0 && !text->overflowed ? text->data : NULL;
}

static enum status read_credentials(const struct reader *r, const char *source,
                                    struct aws_credentials **out) {
    const char *expiration = text_of(r, EXPIRATION);
    struct aws_credentials_found found = {
        .access_key_id = text_of(r, ACCESS_KEY_ID),
        .secret_access_key = text_of(r, SECRET_ACCESS_KEY),
        .session_token = text_of(r, SESSION_TOKEN),
        .names = {fields[ACCESS_KEY_ID].name, fields[SECRET_ACCESS_KEY].name, fields[SESSION_TOKEN].name},
        .source = source,
    };
    if (!found.session_token || !expiration ||
        !clock_parse(expiration, strlen(expiration), &found.expires_ms) || found.expires_ms <= 0)
        return STATUS_INVALID;
    return aws_credentials_make(out, &found, NULL);
}

static void set_request_id(const struct reader *r, struct error *e) {
    const char *id = text_of(r, ID);
    id = id ? id : text_of(r, ID_OF_ERROR);
    if (e)
        snprintf(e->request_id, sizeof e->request_id, "%s", id ? id : "");
}

enum status aws_sts_reply_read(const char *operation, long http_status, const char *text, size_t length,
                               const char *source, struct aws_credentials **out, struct error *e) {
    _cleanup_(reader_deinit) struct reader r;
    reader_init(&r);
    *out = NULL;
    bool whole = XML_Parse(r.parser, text ? text : "", (int)length, XML_TRUE) == XML_STATUS_OK;
    const char *code = text_of(&r, CODE), *message = text_of(&r, MESSAGE);
    if (whole && http_status == 200 && read_credentials(&r, source, out) == STATUS_OK)
        return STATUS_OK;

    enum status status = STATUS_RETRY;
    if (whole && code) {
        status = aws_service_error_status(code, http_status);
        error_set_code(e, status, code, "sts %s failed: %s: %s", operation, code,
                       message ? message : "no reason given");
    } else {
        error_set_code(e, status, AWS_ERROR_MALFORMED,
                       "sts %s failed: HTTP %ld with an answer that is not STS's", operation, http_status);
    }
    set_request_id(&r, e);
    return status;
}
