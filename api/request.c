#include "api/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

struct span {
    const char *at;
    const char *end;
};

static const char *find(struct span in, char c) {
    const char *at = memchr(in.at, c, (size_t)(in.end - in.at));
    return at ? at : in.end;
}

/* Decodes into `out`, which has room, and moves it. NULL: a bad escape, "%00", or not UTF-8. */
static const char *decode(struct span in, char **out) {
    char *start = *out, *to = start;
    for (;;) {
        const char *c = find(in, '%');
        to = mempcpy(to, in.at, (size_t)(c - in.at));
        if (c == in.end)
            break;
        if (in.end - c <= 2 || !isxdigit((unsigned char)c[1]) || !isxdigit((unsigned char)c[2]))
            return NULL;
        const char digits[] = {c[1], c[2], '\0'};
        *to = (char)strtol(digits, NULL, 16);
        if (!*to++)
            return NULL;
        in.at = c + 3;
    }
    if (!utf8_is_valid(start, (size_t)(to - start)))
        return NULL;
    *to++ = '\0';
    *out = to;
    return start;
}

static bool refuse_escape(struct problem *p, const char *where, struct span raw) {
    char given[256];
    snprintf(given, sizeof given, "%.*s", (int)(raw.end - raw.at), raw.at);
    return problem_set_parameter(p, where, given, "percent-encoded UTF-8 without %00");
}

static bool parse_path(struct request *r, struct span path, char **out, struct problem *p) {
    if (path.end - path.at == 1) /* "/" has no segments */
        return true;
    while (path.at < path.end) {
        path.at++; /* the slash */
        struct span segment = {path.at, find(path, '/')};
        const char *text = decode(segment, out);
        if (!text)
            return refuse_escape(p, "path", segment);
        if (r->n_segments < REQUEST_SEGMENTS)
            r->segments[r->n_segments] = text;
        if (r->n_segments <= REQUEST_SEGMENTS)
            r->n_segments++;
        path.at = segment.end;
    }
    return true;
}

static bool add_parameter(struct request *r, struct span pair, char **out, struct problem *p) {
    struct span name = {pair.at, find(pair, '=')};
    struct span value = {name.end < pair.end ? name.end + 1 : pair.end, pair.end};
    struct request_parameter parameter = {
        .name = decode(name, out), .raw = value.at, .raw_length = (size_t)(value.end - value.at)};
    if (!parameter.name)
        return refuse_escape(p, "query", name);
    parameter.value = decode(value, out);
    if (!parameter.value)
        return refuse_escape(p, parameter.name, value);
    const char *allowed = request_parameter(r, parameter.name)  ? "to be given once"
                          : r->n_parameters == LIMIT_PARAMETERS ? "fewer parameters"
                                                                : NULL;
    if (allowed)
        return problem_set_parameter(p, parameter.name, parameter.value, allowed);
    r->parameters[r->n_parameters++] = parameter;
    return true;
}

static bool parse_query(struct request *r, struct span query, char **out, struct problem *p) {
    while (query.at < query.end) {
        struct span pair = {query.at, find(query, '&')};
        if (pair.at < pair.end && !add_parameter(r, pair, out, p))
            return false;
        query.at = pair.end < query.end ? pair.end + 1 : query.end;
    }
    return true;
}

/* "http://host:port/path" is the same as "/path". False: the target has another form, or none. */
static bool skip_authority(struct span *target) {
    size_t length = (size_t)(target->end - target->at);
    if (length && *target->at == '/')
        return true;
    size_t scheme = length >= 7 && strncasecmp(target->at, "http://", 7) == 0    ? 7
                    : length >= 8 && strncasecmp(target->at, "https://", 8) == 0 ? 8
                                                                                 : 0;
    target->at += scheme;
    while (scheme && target->at < target->end && *target->at != '/' && *target->at != '?')
        target->at++;
    return scheme;
}

bool request_parse(struct request *r, const char *target, size_t length, struct problem *p) {
    struct span all = {target, target + length};
    char *out = r->text;
    r->n_segments = r->n_parameters = 0;
    if (length > LIMIT_URI_BYTES)
        return problem_set(p, PROBLEM_URI_TOO_LONG, "the URI has %zu bytes; allowed: %d", length,
                           LIMIT_URI_BYTES);
    if (!skip_authority(&all)) { /* "*" or "host:port": no route */
        r->n_segments = REQUEST_SEGMENTS + 1;
        return true;
    }
    struct span path = {all.at, find(all, '?')};
    struct span query = {path.end < all.end ? path.end + 1 : all.end, all.end};
    return parse_path(r, path, &out, p) && parse_query(r, query, &out, p);
}

static const struct request_parameter *find_parameter(const struct request *r, const char *name) {
    for (size_t i = 0; i < r->n_parameters; i++)
        if (strcmp(r->parameters[i].name, name) == 0)
            return &r->parameters[i];
    return NULL;
}

const char *request_parameter(const struct request *r, const char *name) {
    const struct request_parameter *found = find_parameter(r, name);
    return found ? found->value : NULL;
}

static bool is_among(const char *name, const char *const names[]) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

bool request_allows(const struct request *r, const char *const names[], struct problem *p) {
    for (size_t i = 0; i < r->n_parameters; i++) {
        if (is_among(r->parameters[i].name, names))
            continue;
        char allowed[128] = "no parameters";
        for (size_t n = 0, length = 0; names[n] && length < sizeof allowed; n++)
            length +=
                (size_t)snprintf(allowed + length, sizeof allowed - length, "%s%s", n ? ", " : "", names[n]);
        return problem_set_parameter(p, r->parameters[i].name, r->parameters[i].value, allowed);
    }
    return true;
}

static bool parse_count(const char *text, unsigned max, unsigned *out) {
    size_t length = strlen(text);
    if (*text == '0' || length == 0 || length > 9 || strspn(text, "0123456789") != length)
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= max;
}

bool request_count(const struct request *r, const char *name, unsigned fallback, unsigned max, unsigned *out,
                   struct problem *p) {
    const char *text = request_parameter(r, name);
    *out = fallback;
    if (!text || parse_count(text, max, out))
        return true;
    char allowed[64];
    snprintf(allowed, sizeof allowed, "1 to %u", max);
    return problem_set_parameter(p, name, text, allowed);
}

bool request_items(const struct request *r, const char *name, unsigned max, char out[REQUEST_ITEMS_SIZE],
                   struct problem *p) {
    const struct request_parameter *list = find_parameter(r, name);
    struct span rest = {list->raw, list->raw + list->raw_length};
    char allowed[64];
    snprintf(allowed, sizeof allowed, "1 to %u items, with a comma between them", max);
    for (unsigned n = 0; n < max; n++) {
        struct span item = {rest.at, find(rest, ',')};
        if (!decode(item, &out) || item.at == item.end)
            break;
        out[-1] = REQUEST_ITEM_END; /* in the place of the NUL */
        *out = '\0';
        if (item.end == rest.end)
            return true;
        rest.at = item.end + 1;
    }
    return problem_set_parameter(p, name, list->value, allowed);
}
