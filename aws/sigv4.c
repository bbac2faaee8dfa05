#include "aws/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buffer.h"
#include "base/mem.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
enum { CANONICAL_MAX = 64 << 10, DAY_LENGTH = 8 };

static void hmac(const void *key, size_t key_length, const void *data, size_t length,
                 uint8_t out[DIGEST_BYTES]) {
    if (!HMAC(EVP_sha256(), key, (int)key_length, data, length, out, NULL))
        mem_exhausted();
}

static bool format_date(int64_t time_ms, char out[SIGV4_DATE_SIZE]) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    return time_ms >= 0 && gmtime_r(&seconds, &tm) && tm.tm_year < 10000 - 1900 &&
           strftime(out, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) == SIGV4_DATE_SIZE - 1;
}

/* By name without regard to case; the same name in the order sent. An insertion sort, for it must be stable.
 */
static void sort_headers(const struct sigv4_header **headers, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const struct sigv4_header *h = headers[i];
        size_t at = i;
        for (; at > 0 && strcasecmp(headers[at - 1]->name, h->name) > 0; at--)
            headers[at] = headers[at - 1];
        headers[at] = h;
    }
}

static void append_lower(struct buffer *out, const char *name) {
    for (; *name; name++)
        buffer_putc(out, (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name));
}

static void append_trimmed(struct buffer *out, const char *value) {
    bool space = false, begun = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            space = true;
            continue;
        }
        if (space && begun)
            buffer_putc(out, ' ');
        buffer_putc(out, *value);
        space = false;
        begun = true;
    }
}

/* CanonicalHeaders and SignedHeaders; values of the same name are joined by commas. */
static void append_headers(struct buffer *canonical, struct buffer *names,
                           const struct sigv4_header *const *headers, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && strcasecmp(headers[i - 1]->name, headers[i]->name) == 0;
        if (again) {
            buffer_putc(canonical, ',');
        } else {
            if (i > 0)
                buffer_putc(names, ';');
            append_lower(names, headers[i]->name);
            append_lower(canonical, headers[i]->name);
            buffer_putc(canonical, ':');
        }
        append_trimmed(canonical, headers[i]->value);
        if (i + 1 == n || strcasecmp(headers[i]->name, headers[i + 1]->name) != 0)
            buffer_putc(canonical, '\n');
    }
}

/* Step 1: create a canonical request. */
static bool canonical_request(struct buffer *out, struct buffer *signed_names,
                              const struct sigv4_request *request, const char *date) {
    const struct sigv4_header date_header = {"x-amz-date", date};
    const struct sigv4_header *headers[SIGV4_HEADERS + 1];
    size_t n = 0;
    for (; n < request->header_count; n++)
        headers[n] = &request->headers[n];
    headers[n++] = &date_header;
    sort_headers(headers, n);

    char payload[DIGEST_HEX_SIZE];
    digest_sha256_hex(request->body, request->body_length, payload);
    buffer_printf(out, "%s\n%s\n%s\n", request->method, request->path, request->query);
    append_headers(out, signed_names, headers, n);
    buffer_printf(out, "\n%s\n%s", signed_names->data ? signed_names->data : "", payload);
    return !out->overflowed && !signed_names->overflowed;
}

/* Step 4: derive the signing key, unless `key` is the right one already. */
static void signing_key(struct sigv4_key *key, const struct sigv4_scope *scope, const char *day) {
    _cleanup_(mem_freep) char *made_of =
        mem_printf("%s\n%s\n%s\n%s", scope->secret_access_key, day, scope->region, scope->service);
    uint8_t digest[DIGEST_BYTES];
    digest_sha256(made_of, strlen(made_of), digest);
    OPENSSL_cleanse(made_of, strlen(made_of));
    if (memcmp(digest, key->made_of, sizeof digest) == 0)
        return;

    _cleanup_(mem_freep) char *secret = mem_printf("AWS4%s", scope->secret_access_key);
    uint8_t date_key[DIGEST_BYTES], region_key[DIGEST_BYTES], service_key[DIGEST_BYTES];
    hmac(secret, strlen(secret), day, strlen(day), date_key);
    hmac(date_key, sizeof date_key, scope->region, strlen(scope->region), region_key);
    hmac(region_key, sizeof region_key, scope->service, strlen(scope->service), service_key);
    hmac(service_key, sizeof service_key, TERMINATOR, strlen(TERMINATOR), key->key);
    OPENSSL_cleanse(secret, strlen(secret));
    memcpy(key->made_of, digest, sizeof digest);
}

enum status sigv4_sign(struct sigv4_signed *out, const struct sigv4_request *request,
                       const struct sigv4_scope *scope, struct sigv4_key *key, struct error *e) {
    memset(out, 0, sizeof *out);
    if (request->header_count > SIGV4_HEADERS)
        return error_set(e, STATUS_INVALID, "cannot sign more than %d headers", SIGV4_HEADERS);
    if (!format_date(scope->time_ms, out->date))
        return error_set(e, STATUS_INVALID, "cannot sign for a time outside years 1970 to 9999");

    _cleanup_(buffer_deinit) struct buffer canonical, names;
    buffer_init(&canonical, CANONICAL_MAX);
    buffer_init(&names, CANONICAL_MAX);
    if (!canonical_request(&canonical, &names, request, out->date))
        return error_set(e, STATUS_INVALID, "cannot sign headers of more than %d bytes", CANONICAL_MAX);

    char day[DAY_LENGTH + 1] = "";
    memcpy(day, out->date, DAY_LENGTH);
    _cleanup_(mem_freep) char *credential_scope =
        mem_printf("%s/%s/%s/" TERMINATOR, day, scope->region, scope->service);

    /* Steps 2 and 3: the canonical request's hash, and the string to sign. */
    char hash[DIGEST_HEX_SIZE];
    digest_sha256_hex(canonical.data, canonical.length, hash);
    out->string_to_sign = mem_printf(ALGORITHM "\n%s\n%s\n%s", out->date, credential_scope, hash);
    out->canonical_request = buffer_detach(&canonical);

    /* Steps 4 to 6: signing key, signature, and the header that carries it. */
    struct sigv4_key fresh = {{0}, {0}};
    struct sigv4_key *use = key ? key : &fresh;
    uint8_t signature[DIGEST_BYTES];
    signing_key(use, scope, day);
    hmac(use->key, sizeof use->key, out->string_to_sign, strlen(out->string_to_sign), signature);
    digest_hex(signature, out->signature);
    out->authorization = mem_printf(ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                                    scope->access_key_id, credential_scope, names.data, out->signature);
    return STATUS_OK;
}

void sigv4_signed_deinit(struct sigv4_signed *s) {
    free(s->authorization);
    free(s->canonical_request);
    free(s->string_to_sign);
    memset(s, 0, sizeof *s);
}

enum status sigv4_sign_lines(char *lines[], const struct sigv4_request *request,
                             const struct sigv4_scope *scope, struct sigv4_key *key, struct error *e) {
    _cleanup_(sigv4_signed_deinit) struct sigv4_signed result;
    enum status status = sigv4_sign(&result, request, scope, key, e);
    if (status)
        return status;
    for (size_t i = 0; i < request->header_count; i++)
        *lines++ = mem_printf("%s: %s", request->headers[i].name, request->headers[i].value);
    *lines++ = mem_printf("X-Amz-Date: %s", result.date);
    *lines = mem_printf("Authorization: %s", result.authorization);
    return STATUS_OK;
}
