/*
 * What hands out credentials (aws/credentials): documents of programs and endpoints, answers of STS, URLs of
 * container endpoints, command lines of programs. In a document the character U+0001, which neither JSON nor
 * XML allows, stands for a secret: no error may quote it. What is accepted can stand in a header, and reads
 * as itself when it is written again.
 */
#include <arpa/inet.h>
#include <jansson.h>

#include "aws/credentials/credentials.h"
#include "aws/credentials/document.h"
#include "aws/credentials/process.h"
#include "aws/credentials/sources.h"
#include "aws/credentials/sts_reply.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "S3kr1t"

/* Documents. */

/* Ends with a NUL. */
static char *with_secrets(const struct fuzz_input *in, size_t *length) {
    struct buffer out;
    buffer_init(&out, in->size * sizeof SECRET + 1);
    for (size_t i = 0; i < in->size; i++)
        in->data[i] == 1 ? buffer_puts(&out, SECRET) : buffer_putc(&out, (char)in->data[i]);
    *length = out.length;
    return buffer_detach(&out);
}

static void check_credentials(const struct aws_credentials *c) {
    const char *const texts[] = {c->access_key_id, c->secret_access_key,
                                 c->session_token ? c->session_token : "-"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(texts[i]);
        FUZZ_CHECK(n && !strchr(" \t", texts[i][0]) && !strchr(" \t", texts[i][n - 1]), "'%s'", texts[i]);
        for (size_t k = 0; k < n; k++)
            FUZZ_CHECK((texts[i][k] >= ' ' && texts[i][k] <= '~') || texts[i][k] == '\t', "'%s'", texts[i]);
    }
}

static void check_written(const struct aws_credentials *c, const struct aws_credentials_form *form) {
    char expires[CLOCK_TEXT_SIZE];
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *again = NULL;
    json_auto_t *json = json_pack("{s:i,s:s,s:s,s:s*,s:s*}", "Version", 1, "AccessKeyId", c->access_key_id,
                                  "SecretAccessKey", c->secret_access_key, form->token, c->session_token,
                                  "Expiration", c->expires_ms ? clock_format(c->expires_ms, expires) : NULL);
    char *text = json_dumps(json, JSON_ENSURE_ASCII);
    FUZZ_CHECK(aws_credentials_parse(text, strlen(text), form, "again", &again, NULL) == STATUS_OK, "%s",
               text);
    FUZZ_CHECK(aws_credentials_equal(c, again) && again->expires_ms == c->expires_ms, "%s", text);
    free(text);
}

/* Only these members may be quoted. */
static bool may_quote_json(const char *text, size_t length) {
    static const char *const names[] = {"Code", "Message", "code", "message"};
    json_auto_t *json = json_loadb(text, length, 0, NULL);
    bool may = false;
    for (size_t i = 0; i < 4; i++) {
        const char *quoted = json_string_value(json_object_get(json, names[i]));
        may |= quoted && strstr(quoted, SECRET);
    }
    return may;
}

static void check_json(const struct fuzz_input *in, const struct aws_credentials_form *form) {
    size_t length;
    struct error e = {0};
    _cleanup_(mem_freep) char *text = with_secrets(in, &length);
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *c = NULL;
    enum status status = aws_credentials_parse(text, length, form, "fuzz", &c, &e);
    FUZZ_CHECK(!status == (c != NULL), "%d", status);
    if (status) {
        FUZZ_CHECK(*e.code && *e.message && e.status == status, "%s", e.message);
        FUZZ_CHECK(!strstr(e.message, SECRET) || may_quote_json(text, length), "%s", e.message);
        return;
    }
    check_credentials(c);
    FUZZ_CHECK(!form->is_temporary || (c->session_token && c->expires_ms > 0), "for ever");
    check_written(c, form);
}

/* Whether some secret stands in a code or a message, or where a glance cannot tell. */
static bool may_quote_xml(const char *text, size_t length) {
    static const char *const begins[] = {"<Code", "<Message", "<!"};
    for (const char *at = text; (at = memmem(at, length - (size_t)(at - text), SECRET, strlen(SECRET)));
         at++) {
        const char *tag = memrchr(text, '<', (size_t)(at - text));
        for (size_t i = 0; tag && i < 3; i++)
            if (strncmp(tag, begins[i], strlen(begins[i])) == 0)
                return true;
    }
    return false;
}

static void check_xml(const struct fuzz_input *in, long http_status) {
    size_t length;
    struct error e = {0};
    _cleanup_(mem_freep) char *text = with_secrets(in, &length);
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *c = NULL;
    enum status status = aws_sts_reply_read("AssumeRole", http_status, text, length, "fuzz", &c, &e);
    FUZZ_CHECK(!status == (c != NULL), "%d", status);
    if (!status) {
        FUZZ_CHECK(http_status == 200 && c->session_token && c->expires_ms > 0, "HTTP %ld", http_status);
        check_credentials(c);
        return;
    }
    FUZZ_CHECK(*e.code && *e.message && e.status == status, "%s", e.message);
    FUZZ_CHECK(!strstr(e.message, SECRET) || may_quote_xml(text, length), "%s", e.message);
}

/* URLs of container endpoints. */

/* The second opinion: the host is what stands before the first of "/?#", without port. */
static bool is_near(const char *url) {
    char host[64] = "";
    struct in_addr v4;
    struct in6_addr v6, eks;
    size_t length = strcspn(url, "/?#");
    if (length >= sizeof host)
        return false;
    memcpy(host, url, length);
    char *port = strrchr(host, ':');
    if (port && !strchr(port, ']'))
        *port = '\0';
    if (inet_pton(AF_INET, host, &v4) == 1)
        return strncmp(host, "127.", 4) == 0 || strcmp(host, "169.254.170.2") == 0 ||
               strcmp(host, "169.254.170.23") == 0;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    size_t n = strlen(host);
    if (*host != '[' || host[n - 1] != ']')
        return false;
    host[n - 1] = '\0';
    inet_pton(AF_INET6, "fd00:ec2::23", &eks);
    return inet_pton(AF_INET6, host + 1, &v6) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&v6) || memcmp(&v6, &eks, sizeof eks) == 0);
}

static void check_url(struct fuzz_input *in, bool is_relative) {
    size_t length;
    struct error e = {0};
    _cleanup_(mem_freep) char *text = fuzz_take_text(in, '\0', &length), *url = NULL;
    if (aws_credentials_container_url(is_relative ? text : NULL, text, &url, &e)) {
        FUZZ_CHECK(strstr(e.message, "AWS_CONTAINER_CREDENTIALS_"), "%s", e.message);
        return;
    }
    for (const char *c = url; *c; c++)
        FUZZ_CHECK((unsigned char)*c > ' ' && *c != 127, "'%s'", url);
    if (is_relative)
        FUZZ_CHECK(strncmp(url, "http://169.254.170.2/", 21) == 0, "'%s'", url);
    else
        FUZZ_CHECK(strncmp(url, "https://", 8) == 0 || (strncmp(url, "http://", 7) == 0 && is_near(url + 7)),
                   "'%s'", url);
    FUZZ_CHECK(!memchr(url, '@', strcspn(strstr(url, "//") + 2, "/?#") + 8), "a user: '%s'", url);
}

/* Command lines. */

static void quote(struct buffer *out, const char *word) {
    buffer_puts(out, out->length ? " \"" : "\"");
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            buffer_putc(out, '\\');
        buffer_putc(out, *word);
    }
    buffer_putc(out, '"');
}

static void check_command(struct fuzz_input *in) {
    size_t length, n = 0;
    struct error e = {0};
    _cleanup_(mem_freep) char *line = fuzz_take_text(in, '\0', &length);
    _cleanup_(aws_process_free_words) char **words = NULL, **again = NULL;
    _cleanup_(buffer_deinit) struct buffer quoted;
    buffer_init(&quoted, 4 * length + 4096);
    if (aws_process_split(line, &words, &e)) {
        FUZZ_CHECK(e.status == STATUS_INVALID && !words, "%s", e.message);
        return;
    }
    for (char **word = words; *word; word++, n++)
        quote(&quoted, *word);
    FUZZ_CHECK(n && n <= LIMIT_PROCESS_ARGUMENTS, "%zu words", n);
    FUZZ_CHECK(aws_process_split(quoted.data, &again, &e) == STATUS_OK, "%s", quoted.data);
    for (size_t i = 0; i <= n; i++)
        FUZZ_CHECK(!words[i] == !again[i] && (!words[i] || strcmp(words[i], again[i]) == 0), "%s",
                   quoted.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    switch (fuzz_take_below(&in, 7)) {
    case 0:
        check_json(&in, &aws_credentials_form_process);
        break;
    case 1:
        check_json(&in, &aws_credentials_form_endpoint);
        break;
    case 2:
        check_xml(&in, 200);
        break;
    case 3:
        check_xml(&in, 400);
        break;
    case 4:
        check_url(&in, false);
        break;
    case 5:
        check_url(&in, true);
        break;
    default:
        check_command(&in);
    }
    return 0;
}
