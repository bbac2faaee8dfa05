/*
 * aws/credentials/sts: the two operations of the AWS Security Token Service that hand out credentials of a
 * role.
 *
 * The endpoint is the region's (aws/endpoint.h, key "STS"). Requests are as its API Reference says: a form,
 * version 2011-06-15, answered in XML. A try that gets no answer is repeated; what STS refuses is not, unless
 * it comes of our clock (aws/skew.h): then it is signed once more, by STS's. What STS hands out expires by
 * its own clock; that is told by ours.
 */
#ifndef AWS_CREDENTIALS_STS_H
#define AWS_CREDENTIALS_STS_H

#include "base/error.h"

struct aws_credentials;       /* aws/credentials/credentials.h */
struct aws_credentials_setup; /* aws/credentials/chain.h */
struct aws_sts;

struct aws_sts_role {
    const char *arn;
    const char *session_name; /* what AWS's logs say of who acted; NULL: winner-view- and something random */
    const char *external_id;  /* NULL: none */
    int duration_s;           /* 0: what STS does by itself, an hour */
};

/* Reads the environment: call it at start. The members of `setup` are borrowed. A configured endpoint that is
 * not valid is reported by each call. */
struct aws_sts *aws_sts_new(const struct aws_credentials_setup *setup);
void aws_sts_free(struct aws_sts *sts);

/*
 * One reference in `out`. Any thread. Blocks, for some tries of LIMIT_STS_TRY_MS; `stop_fd` as in
 * aws/fetch.h. RETRY or else, code, message and request id as aws/credentials/sts_reply.h says; without an
 * answer RETRY, "NoAnswer". The first is signed with `as`; the second is not signed, the token says who asks.
 */
enum status aws_sts_assume_role(const struct aws_sts *sts, const struct aws_sts_role *role,
                                const struct aws_credentials *as, int stop_fd, struct aws_credentials **out,
                                struct error *e);
enum status aws_sts_assume_role_with_web_identity(const struct aws_sts *sts, const struct aws_sts_role *role,
                                                  const char *token, int stop_fd,
                                                  struct aws_credentials **out, struct error *e);

#endif
