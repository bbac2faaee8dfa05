/*
 * aws/credentials/sources: the places where credentials are found, in the order of botocore (credentials.py,
 * create_credential_resolver), in which the chain asks them. Internal to the folder.
 *
 *     environment     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *     profile's role  role_arn with source_profile (a chain of them, too) or credential_source
 *     web identity    AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME; or the profile's
 *                     web_identity_token_file, role_arn, role_session_name
 *     shared files    the profile's keys, or its credential_process
 *     container       AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS Pod Identity)
 *     EC2             the instance's metadata service, version 2
 *
 * A source reads the environment when it is made, at the start: getenv is not safe while another thread
 * changes the environment. Files are read at each fetch, because other programs renew what is in them. A
 * profile that asks for what we do not have (sso_*, login_session, mfa_serial) is refused by name: other keys
 * would be another identity than the profile's.
 */
#ifndef AWS_CREDENTIALS_SOURCES_H
#define AWS_CREDENTIALS_SOURCES_H

#include "aws/credentials/chain.h"

struct aws_credentials_source aws_credentials_from_environment(void);

/* SDKs and Tools Reference Guide, "Assume role credential provider". A cycle of source profiles is refused.
 * As in the SDKs, the keys of a source profile are used even if it has a role too. */
struct aws_credentials_source aws_credentials_from_role(const struct aws_credentials_setup *setup);

struct aws_credentials_source aws_credentials_from_web_identity(const struct aws_credentials_setup *setup);

/* The order is: keys in the credentials file, credential_process, keys in the config file. Key and secret
 * must be in the same file. */
struct aws_credentials_source aws_credentials_from_shared_files(const struct aws_credentials_setup *setup);

/*
 * SDKs and Tools Reference Guide, "Container credential provider". A full URI must be https, or http with one
 * of these hosts, which are compared whole: localhost, 127.0.0.0/8, ::1, 169.254.170.2 (ECS), 169.254.170.23
 * and fd00:ec2::23 (EKS). AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE precedes AWS_CONTAINER_AUTHORIZATION_TOKEN;
 * a newline at the end of the file is not part of the token. */
struct aws_credentials_source aws_credentials_from_container(void);

/* The URL for these two variables (NULL: not set), the caller's to free. INVALID, and why, if it is not
 * allowed. Pure. */
enum status aws_credentials_container_url(const char *relative_uri, const char *full_uri, char **url,
                                          struct error *e);

/*
 * Amazon EC2 User Guide, "Use IMDSv2". AWS_EC2_METADATA_DISABLED, and AWS_EC2_METADATA_SERVICE_ENDPOINT and
 * _ENDPOINT_MODE (IPv4, IPv6) or the profile's ec2_metadata_service_endpoint and _endpoint_mode.
 *
 * Version 1 is never used: it gives keys to anyone who can make the machine send a plain GET. Every instance
 * has had version 2 since 2019, and the newer SDKs (Rust, Swift, Kotlin) do not use version 1 either. */
struct aws_credentials_source aws_credentials_from_instance(const struct aws_credentials_setup *setup);

/* For profiles that may be the source_profile of another. As `fetch` of a source: NOT_FOUND if the profile
 * does not ask for this. */

struct aws_sts; /* aws/credentials/sts.h */
struct aws_sts_role;

/* All borrowed. */
struct aws_credentials_profile {
    const struct aws_profiles *profiles;
    const char *name;
    const struct aws_sts *sts;
};

/* Reads the shared files again: from then on the profile's settings are those of `*again`, the caller's to
 * free (NULL: they stay). INVALID if one is broken. */
enum status aws_credentials_read_again(struct aws_credentials_profile *profile, struct aws_profiles **again,
                                       struct error *e);

/* A setting of the profile; NULL if it has none. */
const char *aws_credentials_setting(const struct aws_credentials_profile *profile, const char *key);

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
