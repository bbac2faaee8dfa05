/*
 * The shared files (aws/profile): the config file, a NUL, the credentials file. Whatever they hold: line ends
 * of Windows, comments between the lines, and the same text once more change no setting. What is written as a
 * setting is read as it.
 */
#include "aws/profile.h"

#include <ctype.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "tests/fuzz/fuzz.h"

enum { CONFIG, CREDENTIALS, FILES };
enum { MAX_BYTES = 1 << 16, NAMES = 6 };

/* The files, in memory. */

static int files[FILES];

static void open_files(void) {
    static const char *const variables[FILES] = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"};
    for (int i = 0; i < FILES; i++) {
        char path[32];
        files[i] = memfd_create(variables[i], 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", files[i]);
        setenv(variables[i], path, 1);
    }
}

static struct aws_profiles *load(const char *const texts[FILES]) {
    struct aws_profiles *profiles;
    struct error e = {0};
    for (int i = 0; i < FILES; i++) {
        ssize_t length = (ssize_t)strlen(texts[i]);
        FUZZ_CHECK(ftruncate(files[i], 0) == 0 && pwrite(files[i], texts[i], (size_t)length, 0) == length,
                   "file");
    }
    enum status status = aws_profiles_load(&profiles, &e);
    FUZZ_CHECK(!status == (profiles != NULL), "%d", status);
    FUZZ_CHECK(!status || (status == STATUS_INVALID && strstr(e.message, ": line ")), "%s", e.message);
    return profiles;
}

/* What the settings must not depend on. */

/* The text with `end` for each end of a line, twice. */
static char *rewrite(const char *text, const char *end) {
    struct buffer out;
    buffer_init(&out, SIZE_MAX / 2);
    for (int i = 0; i < 2; i++) {
        for (const char *at = text, *stop; *at; at = *stop ? stop + 1 : stop) {
            stop = at + strcspn(at, "\n");
            buffer_append(&out, at, (size_t)(stop - at));
            buffer_puts(&out, *stop ? end : "");
        }
        buffer_puts(&out, i ? "" : "\n");
    }
    return buffer_detach(&out);
}

/* Words of the texts: names that a setting or a section may have. */
static size_t find_names(const char *const texts[FILES], char *names[NAMES]) {
    static const char separators[] = "[]=\n\r";
    size_t n = 0;
    for (int i = 0; i < FILES; i++)
        for (const char *at = texts[i]; n < NAMES && *at; at += strcspn(at, separators)) {
            at += strspn(at, "[]=\n\r \t");
            const char *rest = strncmp(at, "profile ", 8) == 0 || strncmp(at, "services ", 9) == 0
                                   ? strchr(at, ' ') + 1
                                   : at;
            size_t length = strcspn(rest, separators);
            while (length && (rest[length - 1] == ' ' || rest[length - 1] == '\t'))
                length--;
            if (length)
                names[n++] = mem_strndup(rest, length);
        }
    return n;
}

static void check_equal(const char *a, const char *b, const char *key) {
    FUZZ_CHECK(!a == !b && (!a || strcmp(a, b) == 0), "%s: '%s' '%s'", key, a ? a : "", b ? b : "");
}

static void compare_section(const struct aws_profiles *a, const struct aws_profiles *b,
                            enum aws_profile_section kind, const char *section, char *const names[],
                            size_t n) {
    for (size_t i = 0; i < n; i++) {
        check_equal(aws_profiles_get(a, kind, section, names[i], NULL),
                    aws_profiles_get(b, kind, section, names[i], NULL), names[i]);
        for (size_t k = 0; k < n; k++)
            check_equal(aws_profiles_get(a, kind, section, names[i], names[k]),
                        aws_profiles_get(b, kind, section, names[i], names[k]), names[k]);
    }
}

/* Frees `b`. */
static void compare(const struct aws_profiles *a, struct aws_profiles *b, char *const names[], size_t n) {
    FUZZ_CHECK(!a == !b, "only one can be read");
    for (size_t i = 0; a && i < n; i++) {
        FUZZ_CHECK(aws_profiles_have(a, names[i]) == aws_profiles_have(b, names[i]), "profile '%s'",
                   names[i]);
        compare_section(a, b, AWS_PROFILE_CONFIG, names[i], names, n);
        compare_section(a, b, AWS_PROFILE_CREDENTIALS, names[i], names, n);
        compare_section(a, b, AWS_PROFILE_SERVICES, names[i], names, n);
    }
    aws_profiles_free(b);
}

static struct aws_profiles *load_rewritten(const char *const texts[FILES], const char *end) {
    _cleanup_(mem_freep) char *config = rewrite(texts[CONFIG], end);
    _cleanup_(mem_freep) char *credentials = rewrite(texts[CREDENTIALS], end);
    return load((const char *const[FILES]){config, credentials});
}

static void check_texts(const char *const texts[FILES]) {
    char *names[NAMES];
    size_t n = find_names(texts, names);
    _cleanup_(aws_profiles_freep) struct aws_profiles *profiles = load(texts);
    compare(profiles, load_rewritten(texts, "\r\n# note = [x]\r\n\n  ; = ]\r\n"), names, n);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
}

/* What is written is read. */

/* Leaves only what may be in a name or a value, whatever stands around it. */
static void tame(char *text) {
    char *to = text;
    for (; *text; text++)
        if (isgraph((unsigned char)*text) && !strchr("[]=#;\"", *text))
            *to++ = *text;
    *to = '\0';
}

static void check_written(char *section, char *key, char *value) {
    tame(section);
    tame(key);
    tame(value);
    if (!*section || !*key)
        return;
    _cleanup_(mem_freep) char *config =
        mem_printf("[profile %s]\n%s = %s # note\n[services %s]\n x=y\n%s=\n\t%s\t=%s", section, key, value,
                   section, key, key, value);
    _cleanup_(mem_freep) char *credentials = mem_printf("; note\n[%s] ;\n%s=%s\r\n", section, key, value);
    _cleanup_(aws_profiles_freep) struct aws_profiles *p =
        load((const char *const[FILES]){config, credentials});
    const char *expected = *value ? value : NULL;
    FUZZ_CHECK(p != NULL, "'%s'", config);
    check_equal(aws_profiles_get(p, AWS_PROFILE_CONFIG, section, key, NULL), expected, key);
    check_equal(aws_profiles_get(p, AWS_PROFILE_SERVICES, section, key, key), expected, key);
    check_equal(aws_profiles_setting(p, section, key), expected, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    size_t length;
    if (!files[CONFIG])
        open_files();
    if (size > MAX_BYTES)
        return 0;
    _cleanup_(mem_freep) char *config = fuzz_take_text(&in, '\0', &length);
    _cleanup_(mem_freep) char *credentials = fuzz_take_text(&in, '\0', &length);
    check_texts((const char *const[FILES]){config, credentials});
    _cleanup_(mem_freep) char *value = fuzz_take_text(&in, '\0', &length);
    check_written(config, credentials, value);
    return 0;
}
