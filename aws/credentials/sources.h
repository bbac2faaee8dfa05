/*
 * aws/credentials/sources: where credentials come from. In the order in which the chain asks them, which is
 * botocore's (credentials.py, create_credential_resolver):
 *
 *     environment     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *     profile's role  role_arn with source_profile (a chain of them, too) or credential_source
 *     web identity    AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME; or the profile's
 *                     web_identity_token_file, role_arn, role_session_name
 *     shared files    the profile's keys, or its credential_process
 *     container       AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS Pod Identity)
 *     EC2             the instance's metadata service, version 2
 *
 * The environment is read when a source is made, at the start: threads must not call getenv while others may
 * set. Files that hold tokens are read again at each fetch, for they are rotated. What a profile asks for and
 * we do not have (sso_*, login_session, mfa_serial) is refused by name, for to take other keys instead would
 * be to act as somebody else than the profile says.
 */
#ifndef AWS_CREDENTIALS_SOURCES_H
#define AWS_CREDENTIALS_SOURCES_H

#include "aws/credentials/chain.h"

struct aws_credentials_source aws_credentials_from_environment(void);

/* SDKs and Tools Reference Guide, "Assume role credential provider". Profiles that lead back to themselves
 * are refused. As in the SDKs a profile that is a source is used for its own keys if it has some, even if it
 * has a role too. */
struct aws_credentials_source aws_credentials_from_role(const struct aws_credentials_setup *setup);

struct aws_credentials_source aws_credentials_from_web_identity(const struct aws_credentials_setup *setup);

/* Key and secret stand in the same file: a pair is never put together from two. The order is: keys in the
 * credentials file, credential_process, keys in the config file. */
struct aws_credentials_source aws_credentials_from_shared_files(const struct aws_credentials_setup *setup);

/*
 * SDKs and Tools Reference Guide, "Container credential provider". A full URI may be https; or http, with one
 * of these hosts: localhost, 127.0.0.0/8, ::1, 169.254.170.2 (ECS), 169.254.170.23 and fd00:ec2::23 (EKS).
 * Hosts are compared whole. AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE goes before
 * AWS_CONTAINER_AUTHORIZATION_TOKEN; the newline at its end is no part of the token.
 */
struct aws_credentials_source aws_credentials_from_container(void);

/* The URL for these two variables (NULL: not set), the caller's to free. INVALID, and why, if it is not
 * allowed. Pure. */
enum status aws_credentials_container_url(const char *relative_uri, const char *full_uri, char **url,
                                          struct error *e);

/*
 * Amazon EC2 User Guide, "Use IMDSv2". AWS_EC2_METADATA_DISABLED, and AWS_EC2_METADATA_SERVICE_ENDPOINT and
 * _ENDPOINT_MODE (IPv4, IPv6) or the profile's ec2_metadata_service_endpoint and _endpoint_mode.
 *
 * Never version 1: it hands out keys to whoever can make the machine send a plain GET, every instance has had
 * version 2 since 2019, and the newer SDKs (Rust, Swift, Kotlin) do not speak version 1 either.
 */
struct aws_credentials_source aws_credentials_from_instance(const struct aws_credentials_setup *setup);

/* Within the folder: what one profile asks for, which may be the source_profile of another. Each as a
 * source's `fetch`: NOT_FOUND if the profile does not ask for it. */

struct aws_sts; /* aws/credentials/sts.h */
struct aws_sts_role;

/* All borrowed. */
struct aws_credentials_profile {
    const struct aws_profiles *profiles;
    const char *name;
    const struct aws_sts *sts;
};

/* The profile's keys, or its credential_process. */
enum status aws_credentials_of_files(const struct aws_credentials_profile *profile, int stop_fd,
                                     struct aws_credentials **out, struct error *e);

/* The profile's web_identity_token_file. */
enum status aws_credentials_of_web_identity(const struct aws_credentials_profile *profile, int stop_fd,
                                            struct aws_credentials **out, struct error *e);

/* The role that the profile names, and how to assume it; borrowed from the profile. NOT_FOUND: it has no
 * role_arn. */
enum status aws_credentials_read_role(const struct aws_credentials_profile *profile,
                                      struct aws_sts_role *role, struct error *e);

#endif
