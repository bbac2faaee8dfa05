/*
 * aws/credentials/sts: the two operations of the AWS Security Token Service that give the credentials of a
 * role.
 *
 * The endpoint is the region's (aws/endpoint.h, key "STS"). Requests follow its API Reference: a form,
 * version 2011-06-15, answered in XML. A try without an answer is repeated. A refusal is not, unless our
 * clock may be the cause (aws/clock_skew.h): then the request is signed once more, with the time of STS.
 */
#ifndef AWS_CREDENTIALS_STS_H
#define AWS_CREDENTIALS_STS_H

#include "base/error.h"

struct aws_credentials;       /* aws/credentials/credentials.h */
struct aws_credentials_setup; /* aws/credentials/chain.h */
struct aws_sts;

struct aws_sts_role {
    const char *arn;
    const char *session_name; /* the name in AWS's logs; NULL: winner-view- and random digits */
    const char *external_id;  /* NULL: none */
    int duration_s;           /* 0: the default of STS, an hour */
};

/* Reads the environment: call it at start. The members of `setup` are borrowed. A configured endpoint that is
 * not valid is reported by each call. */
struct aws_sts *aws_sts_new(const struct aws_credentials_setup *setup);
void aws_sts_free(struct aws_sts *sts);

/*
 * One reference in `out`. Any thread. Blocks for up to three tries of LIMIT_STS_TRY_MS; `stop_fd` as in
 * aws/fetch.h. Errors as in aws/credentials/sts_reply.h; without an answer RETRY, "NoAnswer". The first
 * operation is signed with `as`; the second is not signed: it carries the token. */
enum status aws_sts_assume_role(const struct aws_sts *sts, const struct aws_sts_role *role,
                                const struct aws_credentials *as, int stop_fd, struct aws_credentials **out,
                                struct error *e);
enum status aws_sts_assume_role_with_web_identity(const struct aws_sts *sts, const struct aws_sts_role *role,
                                                  const char *token, int stop_fd,
                                                  struct aws_credentials **out, struct error *e);

#endif
