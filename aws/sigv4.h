/*
 * aws/sigv4: AWS Signature Version 4, in headers.
 *
 * Follows "Create a signed AWS API request"
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html) by its own
 * names of steps: canonical request, string to sign, signing key, signature. Pure: the time is an argument,
 * and the same request always gets the same signature. Any thread.
 */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

#define SIGV4_DATE_SIZE sizeof "20150830T123600Z"
#define SIGV4_HEADERS 32 /* most headers of a request */

struct sigv4_header {
    const char *name;  /* in any case */
    const char *value; /* for the signature it is trimmed and its runs of spaces are folded */
};

/* What is sent. All borrowed. */
struct sigv4_request {
    const char *method;
    const char *path;                   /* encoded and normalized: "/" for services that speak JSON */
    const char *query;                  /* canonical: encoded, and sorted by name; "" if none */
    const struct sigv4_header *headers; /* to sign, in the order sent, without x-amz-date */
    size_t header_count;
    const void *body;
    size_t body_length;
};

/* Keys, region, service and time. All borrowed. */
struct sigv4_scope {
    const char *access_key_id;
    const char *secret_access_key;
    const char *region;
    const char *service;
    int64_t time_ms; /* wall clock */
};

/* The signing key changes once a day, and with the secret. A caller that signs often keeps one of these
 * (zeroed at first), which saves four HMACs for each request; sigv4_sign renews it when needed. Not
 * thread-safe. */
struct sigv4_key {
    uint8_t made_of[DIGEST_BYTES]; /* the digest of secret, day, region and service */
    uint8_t key[DIGEST_BYTES];
};

struct sigv4_signed {
    char date[SIGV4_DATE_SIZE];      /* send it as x-amz-date: it is signed */
    char signature[DIGEST_HEX_SIZE]; /* lower case hex */
    char *authorization;             /* send it as Authorization */
    char *canonical_request;         /* these two to compare with what AWS reports */
    char *string_to_sign;
};

/* Fills `out`, which sigv4_signed_deinit frees in any case. `key` may be NULL. INVALID if there are
 * more headers than SIGV4_HEADERS, if they are longer than 64 KiB together, or if the time is outside years
 * 1970 to 9999. */
enum status sigv4_sign(struct sigv4_signed *out, const struct sigv4_request *request,
                       const struct sigv4_scope *scope, struct sigv4_key *key, struct error *e);
void sigv4_signed_deinit(struct sigv4_signed *s);

/* The same, as the header lines to send: the request's headers, X-Amz-Date and Authorization. `lines` has
 * room for `header_count` + 2; they are the caller's to free. */
enum status sigv4_sign_lines(char *lines[], const struct sigv4_request *request,
                             const struct sigv4_scope *scope, struct sigv4_key *key, struct error *e);

#endif
