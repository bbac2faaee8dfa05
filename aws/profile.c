#include "aws/profile.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "base/variable.h"

enum { FILE_MAX = 1 << 20 };

enum kind {
    KIND_CREDENTIALS,
    KIND_CONFIG,         /* [profile x] */
    KIND_CONFIG_DEFAULT, /* [default]: not used if there is a [profile default] */
    KIND_SERVICES,
    KIND_OTHER,
};

/* One setting; or a section's name line (key NULL). In the order of the file. */
struct entry {
    enum kind kind;
    char *section;
    char *key;
    char *nested;
    char *value;
};

struct aws_profiles {
    char *config_path;
    char *credentials_path;
    struct entry *entries;
    size_t count;
    size_t capacity;
};

/* Where the reader of a file is. Texts point into the file's bytes. */
struct reader {
    struct aws_profiles *profiles;
    const char *path;
    bool is_config;
    unsigned line;
    enum kind kind;
    const char *section; /* NULL before the first */
    const char *key;     /* of the last setting that was not indented; NULL if none in this section yet */
    bool key_is_parent;  /* it had no value: indented lines below belong to it */
};

static void add_entry(struct reader *r, const char *key, const char *nested, const char *value) {
    struct aws_profiles *p = r->profiles;
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? p->capacity * 2 : 16;
        p->entries = mem_resize(p->entries, p->capacity, sizeof *p->entries);
    }
    p->entries[p->count++] = (struct entry){
        .kind = r->kind,
        .section = mem_strdup(r->section),
        .key = key ? mem_strdup(key) : NULL,
        .nested = nested ? mem_strdup(nested) : NULL,
        .value = value ? mem_strdup(value) : NULL,
    };
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* Removes blanks at both ends, in place. */
static char *trim(char *s) {
    while (is_blank(*s))
        s++;
    size_t n = strlen(s);
    while (n > 0 && is_blank(s[n - 1]))
        n--;
    s[n] = '\0';
    return s;
}

static void cut_comment(char *s) {
    char *last = s;
    for (char *c = s; *c; last = c++)
        if ((*c == '#' || *c == ';') && is_blank(*last)) {
            *c = '\0';
            return;
        }
}

/* What follows `word` and a blank at the start of `s`; NULL if `s` does not begin so. */
static char *after_word(char *s, const char *word) {
    size_t n = strlen(word);
    return strncmp(s, word, n) == 0 && is_blank(s[n]) ? trim(s + n) : NULL;
}

static char *unquote(char *s) {
    size_t n = strlen(s);
    if (n < 2 || s[0] != '"' || s[n - 1] != '"')
        return s;
    s[n - 1] = '\0';
    return s + 1;
}

static void name_section(struct reader *r, char *name) {
    char *rest;
    r->kind = r->is_config ? KIND_OTHER : KIND_CREDENTIALS;
    r->section = name;
    if (!r->is_config)
        return;
    if ((rest = after_word(name, "profile"))) {
        r->kind = KIND_CONFIG;
        r->section = unquote(rest);
    } else if ((rest = after_word(name, "services"))) {
        r->kind = KIND_SERVICES;
        r->section = unquote(rest);
    } else if (strcmp(name, "default") == 0) {
        r->kind = KIND_CONFIG_DEFAULT;
    }
}

static enum status broken(const struct reader *r, const char *what, struct error *e) {
    return error_set(e, STATUS_INVALID, "cannot read '%s': line %u: %s", r->path, r->line, what);
}

static enum status read_section(struct reader *r, char *line, struct error *e) {
    char *end = strchr(line, ']');
    if (!end)
        return broken(r, "a section without its ']'", e);
    char *rest = trim(end + 1);
    if (*rest && *rest != '#' && *rest != ';')
        return broken(r, "something follows the section's ']'", e);
    *end = '\0';
    name_section(r, trim(line + 1));
    r->key = NULL;
    if (!*r->section)
        return broken(r, "a section without a name", e);
    add_entry(r, NULL, NULL, NULL);
    return STATUS_OK;
}

static enum status read_setting(struct reader *r, char *line, bool indented, struct error *e) {
    if (!r->section)
        return broken(r, "a setting before the first section", e);
    /* Below a setting with a value, an indented line continues the value. We read no such setting. */
    if (indented && r->key && !r->key_is_parent)
        return STATUS_OK;

    char *equals = strchr(line, '=');
    if (!equals)
        return broken(r, "a setting without its '='", e);
    *equals = '\0';
    char *key = trim(line), *value = equals + 1;
    cut_comment(value);
    value = trim(value);
    if (!*key)
        return broken(r, "a setting without a name", e);

    if (indented && r->key) {
        add_entry(r, r->key, key, value);
    } else {
        add_entry(r, key, NULL, value);
        r->key = key;
        r->key_is_parent = !*value;
    }
    return STATUS_OK;
}

static enum status read_line(struct reader *r, char *line, struct error *e) {
    bool indented = is_blank(*line);
    char *text = trim(line);
    if (!*text || *text == '#' || *text == ';')
        return STATUS_OK;
    return *text == '[' && !indented ? read_section(r, text, e) : read_setting(r, text, indented, e);
}

static enum status read_text(struct reader *r, char *text, struct error *e) {
    for (char *next; text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        r->line++;
        enum status status = read_line(r, text, e);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static void close_file(FILE **f) {
    if (*f)
        fclose(*f);
}

/* Reads the whole file; one that does not exist is empty. */
static enum status read_file(const char *path, struct buffer *text, struct error *e) {
    _cleanup_(close_file) FILE *f = fopen(path, "re");
    if (!f && (errno == ENOENT || errno == ENOTDIR))
        return STATUS_OK;
    char chunk[4096];
    for (size_t n; f && (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        if (!buffer_append(text, chunk, n))
            return error_set(e, STATUS_INVALID, "cannot read '%s': larger than %d bytes", path, FILE_MAX);
    if (!f || ferror(f))
        return error_set(e, STATUS_INVALID, "cannot read '%s': %s", path, strerror(errno));
    if (text->data && memchr(text->data, '\0', text->length))
        return error_set(e, STATUS_INVALID, "cannot read '%s': it holds a NUL byte", path);
    return STATUS_OK;
}

static enum status load_file(struct aws_profiles *profiles, const char *path, bool is_config,
                             struct error *e) {
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, FILE_MAX);
    enum status status = read_file(path, &text, e);
    if (status || !text.data)
        return status;
    struct reader r = {.profiles = profiles, .path = path, .is_config = is_config};
    status = read_text(&r, text.data, e);
    OPENSSL_cleanse(text.data, text.capacity);
    return status;
}

static char *home(void) {
    char *home = variable_copy("HOME");
    if (home)
        return home;
    struct passwd entry, *found = NULL;
    char names[4096];
    getpwuid_r(getuid(), &entry, names, sizeof names, &found);
    return mem_strdup(found ? entry.pw_dir : "");
}

/* The file that the variable names ("~/" is the home directory), else the one in ~/.aws. */
static char *file_path(const char *variable, const char *usual) {
    _cleanup_(mem_freep) char *directory = home();
    const char *named = variable_get(variable);
    if (!named)
        return mem_printf("%s/.aws/%s", directory, usual);
    if (strncmp(named, "~/", 2) == 0)
        return mem_printf("%s%s", directory, named + 1);
    return mem_strdup(named);
}

/* Takes over the paths. */
static enum status load(struct aws_profiles **profiles, char *config_path, char *credentials_path,
                        struct error *e) {
    struct aws_profiles *p = mem_zalloc(sizeof *p);
    *profiles = p;
    p->config_path = config_path;
    p->credentials_path = credentials_path;

    enum status status = load_file(p, p->config_path, true, e);
    if (!status)
        status = load_file(p, p->credentials_path, false, e);
    if (status) {
        aws_profiles_free(p);
        *profiles = NULL;
    }
    return status;
}

enum status aws_profiles_load(struct aws_profiles **profiles, struct error *e) {
    return load(profiles, file_path("AWS_CONFIG_FILE", "config"),
                file_path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), e);
}

/* Such as bash's <(command). */
static bool is_pipe(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

enum status aws_profiles_read_again(const struct aws_profiles *loaded, struct aws_profiles **again,
                                    struct error *e) {
    *again = NULL;
    if (is_pipe(loaded->config_path) || is_pipe(loaded->credentials_path))
        return STATUS_OK;
    return load(again, mem_strdup(loaded->config_path), mem_strdup(loaded->credentials_path), e);
}

void aws_profiles_free(struct aws_profiles *profiles) {
    if (!profiles)
        return;
    for (size_t i = 0; i < profiles->count; i++) {
        struct entry *entry = &profiles->entries[i];
        free(entry->section);
        free(entry->key);
        free(entry->nested);
        if (entry->value)
            OPENSSL_cleanse(entry->value, strlen(entry->value)); /* a secret, perhaps */
        free(entry->value);
    }
    free(profiles->entries);
    free(profiles->config_path);
    free(profiles->credentials_path);
    free(profiles);
}

void aws_profiles_freep(struct aws_profiles **profiles) {
    aws_profiles_free(*profiles);
}

static bool have_section(const struct aws_profiles *profiles, enum kind kind, const char *name) {
    for (size_t i = 0; i < profiles->count; i++)
        if (profiles->entries[i].kind == kind && strcmp(profiles->entries[i].section, name) == 0)
            return true;
    return false;
}

bool aws_profiles_have(const struct aws_profiles *profiles, const char *profile) {
    return have_section(profiles, KIND_CREDENTIALS, profile) ||
           have_section(profiles, KIND_CONFIG, profile) ||
           have_section(profiles, KIND_CONFIG_DEFAULT, profile);
}

static enum kind kind_of(const struct aws_profiles *profiles, enum aws_profile_section section,
                         const char *name) {
    static const enum kind kinds[] = {
        [AWS_PROFILE_CREDENTIALS] = KIND_CREDENTIALS,
        [AWS_PROFILE_CONFIG] = KIND_CONFIG,
        [AWS_PROFILE_SERVICES] = KIND_SERVICES,
    };
    bool plain_default = section == AWS_PROFILE_CONFIG && strcmp(name, "default") == 0 &&
                         !have_section(profiles, KIND_CONFIG, name);
    return plain_default ? KIND_CONFIG_DEFAULT : kinds[section];
}

static bool names_setting(const struct entry *entry, const char *key, const char *nested) {
    if (!entry->key || strcasecmp(entry->key, key) != 0 || !entry->nested != !nested)
        return false;
    return !nested || strcasecmp(entry->nested, nested) == 0;
}

const char *aws_profiles_get(const struct aws_profiles *profiles, enum aws_profile_section section,
                             const char *name, const char *key, const char *nested) {
    enum kind kind = kind_of(profiles, section, name);
    for (size_t i = profiles->count; i-- > 0;) {
        const struct entry *entry = &profiles->entries[i];
        if (entry->kind == kind && strcmp(entry->section, name) == 0 && names_setting(entry, key, nested))
            return *entry->value ? entry->value : NULL;
    }
    return NULL;
}

const char *aws_profiles_setting(const struct aws_profiles *profiles, const char *profile, const char *key) {
    const char *value = aws_profiles_get(profiles, AWS_PROFILE_CREDENTIALS, profile, key, NULL);
    return value ? value : aws_profiles_get(profiles, AWS_PROFILE_CONFIG, profile, key, NULL);
}

const char *aws_profiles_config_path(const struct aws_profiles *profiles) {
    return profiles->config_path;
}

const char *aws_profiles_credentials_path(const struct aws_profiles *profiles) {
    return profiles->credentials_path;
}
