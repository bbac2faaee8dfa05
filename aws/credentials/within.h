/* aws/credentials/within: what profiles may ask for, of their own or because another profile names them as
 * its source. Internal to the sources in aws/. Each as a source's fetch. */
#ifndef AWS_CREDENTIALS_WITHIN_H
#define AWS_CREDENTIALS_WITHIN_H

#include "aws/credentials/sources.h"

struct aws_sts_role; /* aws/credentials/sts.h */

/* The profile's keys or credential_process. */
enum status aws_credentials_within_files(const struct aws_credentials_profile *profile, int stop_fd,
                                         struct aws_credentials **out, struct error *e);

/* The profile's web_identity_token_file. */
enum status aws_credentials_within_web_identity(const struct aws_credentials_profile *profile, int stop_fd,
                                                struct aws_credentials **out, struct error *e);

/* What the profile says of its role, borrowed from it; NOT_FOUND if it has no role_arn. */
enum status aws_credentials_within_role(const struct aws_credentials_profile *profile,
                                        struct aws_sts_role *role, struct error *e);

#endif
