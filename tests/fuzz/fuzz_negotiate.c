/*
 * What a client wants (server/http/negotiate): lines of Accept-Encoding, a NUL, lines of If-None-Match.
 * Second readers, which take the lists of RFC 9110 (sections 5.6.1, 8.8.3, 12.5.3) to pieces from their ends,
 * find the same.
 */
#include "server/http/negotiate.h"

#include <ctype.h>

#include "tests/fuzz/fuzz.h"

#define ETAG "W/\"a,b\""

/* Removes white space at both ends, in place. */
static char *strip(char *text) {
    size_t length = strlen(text);
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text + strspn(text, " \t");
}

/* Accept-Encoding. Its elements have no quotes, so it can be cut at its commas, from the last. */

/* In thousandths; -1: malformed. */
static int weight_of(const char *text) {
    size_t length = strlen(text);
    bool is_number = length == 1 || (length >= 2 && length <= 5 && text[1] == '.');
    if (!is_number || (*text != '0' && *text != '1'))
        return -1;
    char digits[] = "000";
    for (size_t i = 2; i < length; i++) {
        if (!isdigit((unsigned char)text[i]) || (*text == '1' && text[i] != '0'))
            return -1;
        digits[i - 2] = text[i];
    }
    return *text == '1' ? 1000 : atoi(digits);
}

static void set_if_first(int *coding, int weight) {
    if (*coding == NEGOTIATE_UNNAMED)
        *coding = weight;
}

static void read_element(struct negotiate_codings *codings, char *element) {
    char *semicolon = strchr(element, ';');
    int weight = 1000;
    if (semicolon) {
        char *parameter = strip(semicolon + 1);
        *semicolon = '\0';
        weight = strncasecmp(parameter, "q=", 2) == 0 ? weight_of(parameter + 2) : -1;
    }
    char *name = strip(element);
    if (weight < 0)
        return;
    if (strcasecmp(name, "gzip") == 0 || strcasecmp(name, "x-gzip") == 0)
        set_if_first(&codings->gzip, weight);
    else if (strcasecmp(name, "identity") == 0)
        set_if_first(&codings->identity, weight);
    else if (strcmp(name, "*") == 0)
        set_if_first(&codings->any, weight);
}

/* The last element that names a coding decides. */
static void read_codings(struct negotiate_codings *codings, char *value) {
    for (char *comma; (comma = strrchr(value, ',')); *comma = '\0')
        read_element(codings, strip(comma + 1));
    read_element(codings, strip(value));
}

static void check_codings(char *lines[], size_t n) {
    struct negotiate_codings codings = NEGOTIATE_CODINGS, again = NEGOTIATE_CODINGS;
    for (size_t i = 0; i < n; i++)
        negotiate_codings_add(&codings, lines[i]);
    for (size_t i = n; i-- > 0;)
        read_codings(&again, lines[i]);
    FUZZ_CHECK(codings.gzip == again.gzip, "gzip %d %d", codings.gzip, again.gzip);
    FUZZ_CHECK(codings.identity == again.identity, "identity %d %d", codings.identity, again.identity);
    FUZZ_CHECK(codings.any == again.any, "* %d %d", codings.any, again.any);
    FUZZ_CHECK(!negotiate_gzip(&codings, true) || codings.gzip > 0 || codings.any > 0, "refused");
    FUZZ_CHECK(!negotiate_gzip(&codings, false) || negotiate_gzip(&codings, true), "a large body is not");
}

/* If-None-Match. Where tags end is known only from the front: a state for each character. */

enum state { BETWEEN, WEAK, SLASH, INSIDE, AFTER, WRONG };

static enum state next_state(enum state state, unsigned char c) {
    bool is_space = c == ' ' || c == '\t', ends = c == ',' || is_space;
    switch (state) {
    case BETWEEN:
        return ends ? BETWEEN : c == 'W' ? WEAK : c == '"' ? INSIDE : WRONG;
    case WEAK:
        return c == '/' ? SLASH : WRONG;
    case SLASH:
        return c == '"' ? INSIDE : WRONG;
    case INSIDE:
        return c == '"' ? AFTER : c >= 0x21 && c != 0x7f ? INSIDE : WRONG;
    case AFTER:
        return c == ',' ? BETWEEN : is_space ? AFTER : WRONG;
    default:
        return WRONG;
    }
}

/* False: malformed. */
static bool read_tags(const char *value, bool *named) {
    enum state state = BETWEEN;
    const char *begin = value;
    for (; *value; value++) {
        enum state next = next_state(state, (unsigned char)*value);
        if (next == INSIDE && state != INSIDE)
            begin = value;
        if (state == INSIDE && next == AFTER)
            *named |= value - begin == 4 && memcmp(begin, "\"a,b\"", 5) == 0;
        state = next;
    }
    return state == BETWEEN || state == AFTER;
}

static void check_match(char *lines[], size_t n) {
    struct negotiate_match match = {0};
    bool named = false, is_sound = true, any = false;
    for (size_t i = 0; i < n; i++) {
        negotiate_match_add(&match, lines[i], ETAG);
        if (strcmp(strip(lines[i]), "*") == 0)
            any = true;
        else
            is_sound &= read_tags(lines[i], &named);
    }
    is_sound &= !any || n == 1;
    FUZZ_CHECK(negotiate_matches(&match) == (is_sound && (any || named)), "%d %d %d", is_sound, any, named);
}

static void check_lines(char *text, void check(char *lines[], size_t n)) {
    char *lines[8];
    size_t n = 0;
    for (char *line; n < 8 && (line = strsep(&text, "\n"));)
        lines[n++] = line;
    check(lines, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    size_t length;
    _cleanup_(mem_freep) char *codings = fuzz_take_text(&in, '\0', &length);
    _cleanup_(mem_freep) char *tags = fuzz_take_text(&in, '\0', &length);
    check_lines(codings, check_codings);
    check_lines(tags, check_match);
    return 0;
}
