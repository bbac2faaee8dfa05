#include "server/http/negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SPACE " \t"

/* qvalue (section 12.4.2) in thousandths, its length in `*length`; -1 if there is none. */
static int parse_qvalue(const char *text, size_t *length) {
    if (*text != '0' && *text != '1')
        return -1;
    int value = (*text - '0') * 1000;
    *length = 1;
    if (text[1] != '.')
        return value;
    *length = 2;
    for (int unit = 100; unit && text[*length] >= '0' && text[*length] <= '9'; unit /= 10)
        value += (text[(*length)++] - '0') * unit;
    return value <= 1000 ? value : -1;
}

/* The weight after a coding's name, 1000 if there is none, -1 if it is malformed. `*end` is where it ends. */
static int parse_weight(const char *text, const char **end) {
    size_t length;
    text += strspn(text, SPACE);
    *end = text;
    if (*text != ';')
        return 1000;
    text += 1 + strspn(text + 1, SPACE);
    if (strncasecmp(text, "q=", 2) != 0)
        return -1;
    int value = parse_qvalue(text + 2, &length);
    if (value >= 0)
        *end = text + 2 + length + strspn(text + 2 + length, SPACE);
    return value;
}

static bool is(const char *name, size_t length, const char *expected) {
    return length == strlen(expected) && strncasecmp(name, expected, length) == 0;
}

static int *find_coding(struct negotiate_codings *codings, const char *name, size_t length) {
    if (is(name, length, "gzip") || is(name, length, "x-gzip"))
        return &codings->gzip;
    if (is(name, length, "identity"))
        return &codings->identity;
    return is(name, length, "*") ? &codings->any : NULL;
}

void negotiate_codings_add(struct negotiate_codings *codings, const char *value) {
    while (*(value += strspn(value, SPACE ","))) {
        const char *name = value, *end;
        size_t length = strcspn(name, SPACE ",;");
        int weight = parse_weight(name + length, &end);
        bool is_whole = weight >= 0 && (!*end || *end == ',');
        int *coding = find_coding(codings, name, length);
        if (coding && is_whole)
            *coding = weight;
        value = end + strcspn(end, ",");
    }
}

bool negotiate_gzip(const struct negotiate_codings *codings, bool large) {
    int gzip = codings->gzip == NEGOTIATE_UNNAMED ? codings->any : codings->gzip;
    int identity = codings->identity == NEGOTIATE_UNNAMED ? codings->any : codings->identity;
    if (gzip <= 0)
        return false;
    return identity == 0 || (large && gzip >= identity);
}

static const char *opaque_tag(const char *etag) {
    return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

/* Section 8.8.3: %x21 / %x23-7E / obs-text */
static bool is_etag_character(char ch) {
    unsigned char c = (unsigned char)ch;
    return c == 0x21 || (c >= 0x23 && c != 0x7F);
}

/* The length of the entity-tag at the start of the text; 0 if there is none. */
static size_t entity_tag_length(const char *text) {
    const char *at = opaque_tag(text);
    if (*at++ != '"')
        return 0;
    while (is_etag_character(*at))
        at++;
    return *at == '"' ? (size_t)(at + 1 - text) : 0;
}

static bool is_weakly_same(const char *tag, size_t length, const char *etag) {
    const char *opaque = opaque_tag(tag), *wanted = opaque_tag(etag);
    length -= (size_t)(opaque - tag);
    return length == strlen(wanted) && memcmp(opaque, wanted, length) == 0;
}

static void add_tags(struct negotiate_match *match, const char *value, const char *etag) {
    while (*(value += strspn(value, SPACE ","))) {
        size_t length = entity_tag_length(value);
        const char *end = value + length + strspn(value + length, SPACE);
        if (!length || (*end && *end != ',')) {
            match->malformed = true;
            return;
        }
        if (is_weakly_same(value, length, etag))
            match->named = true;
        value = end;
    }
}

void negotiate_match_add(struct negotiate_match *match, const char *value, const char *etag) {
    const char *text = value + strspn(value, SPACE);
    bool any = *text == '*' && !text[1 + strspn(text + 1, SPACE)];
    if (match->any || (any && match->lines > 0))
        match->malformed = true; /* "*" is no element of a list */
    match->lines++;
    match->any |= any;
    if (!any)
        add_tags(match, text, etag);
}

bool negotiate_matches(const struct negotiate_match *match) {
    return !match->malformed && (match->any || match->named);
}
