/*
 * aws/profile: the shared config and credentials files, read as the AWS SDKs do (SDKs and Tools Reference
 * Guide, "Shared config and credentials files"): ~/.aws/config and ~/.aws/credentials, or the files that
 * AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name.
 *
 * The config file has sections `[default]`, `[profile NAME]`, `[services NAME]` (others are read and not
 * used); the credentials file has `[NAME]`. A setting without a value may have indented settings of its own:
 *
 *     [services local]
 *     dynamodb =
 *       endpoint_url = http://localhost:8000
 *
 * Lines that begin with # or ; are comments, as is the rest of a line after one of them that follows a space.
 * Names of settings are not case-sensitive. Sections of the same name are one; of two settings of the same
 * name the later one holds; `[profile default]` precedes `[default]`. A file that does not exist is empty.
 */
#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include <stdbool.h>

#include "base/error.h"

struct aws_profiles;

enum aws_profile_section {
    AWS_PROFILE_CREDENTIALS, /* a profile in the credentials file */
    AWS_PROFILE_CONFIG,      /* a profile in the config file */
    AWS_PROFILE_SERVICES,    /* a services section of the config file */
};

/* Reads both files, blocking; call it at start, it reads the environment. INVALID, with file and line, if one
 * is malformed, cannot be read, or is larger than 1 MiB. The caller frees. */
enum status aws_profiles_load(struct aws_profiles **profiles, struct error *e);
void aws_profiles_free(struct aws_profiles *profiles);
void aws_profiles_freep(struct aws_profiles **profiles);

/* Reads the same files again, as they are now: other programs renew the keys in them. Any thread; the
 * environment is not read. Errors as above. `*again` is NULL if one of them is a pipe, which can be read only
 * once: then what was loaded holds. */
enum status aws_profiles_read_again(const struct aws_profiles *loaded, struct aws_profiles **again,
                                    struct error *e);

/* The following only read, from any thread. Strings are borrowed from `profiles`. */

/* Whether there is a profile of that name in either file. */
bool aws_profiles_have(const struct aws_profiles *profiles, const char *profile);

/* A setting; NULL if it is not there or empty. `nested` is the name of a setting within `key`, or NULL. */
const char *aws_profiles_get(const struct aws_profiles *profiles, enum aws_profile_section section,
                             const char *name, const char *key, const char *nested);

/* A setting of a profile, from the credentials file or else the config file. */
const char *aws_profiles_setting(const struct aws_profiles *profiles, const char *profile, const char *key);

/* The paths of the files, for messages. */
const char *aws_profiles_config_path(const struct aws_profiles *profiles);
const char *aws_profiles_credentials_path(const struct aws_profiles *profiles);

#endif
