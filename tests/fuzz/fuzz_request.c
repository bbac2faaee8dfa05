/*
 * Request targets (api/request, api/route): a second parser, made from RFC 9112 and the rules of the header,
 * accepts the same targets and reads the same texts. What a route makes of the request is a key that reads
 * back as itself, or a problem that is valid JSON.
 */
#include "api/request.h"

#include "api/listing.h"
#include "api/route.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/view.h"

/* The second opinion. It decodes each piece into a string of its own; jansson says what is UTF-8. */

struct piece {
    const char *text;
    size_t length;
};

static int hex_digit(char c) {
    static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) / 2 : -1;
}

/* NULL: it must be refused. */
static char *decode(struct piece in) {
    _cleanup_(mem_freep) char *out = mem_zalloc(in.length + 1);
    size_t n = 0;
    while (in.length) {
        size_t used = *in.text == '%' ? 3 : 1;
        int high = in.length >= used && used == 3 ? hex_digit(in.text[1]) : -1;
        int low = high >= 0 ? hex_digit(in.text[2]) : -1;
        if (used == 3 && (low < 0 || high + low == 0))
            return NULL;
        out[n++] = used == 3 ? (char)(16 * high + low) : *in.text;
        in.text += used;
        in.length -= used;
    }
    json_auto_t *valid = json_stringn(out, n);
    char *whole = valid ? out : NULL;
    out = whole ? NULL : out;
    return whole;
}

/* Takes what stands before the next `separator`, and the separator. */
static struct piece cut(struct piece *in, char separator) {
    const char *end = in->length ? memchr(in->text, separator, in->length) : NULL;
    struct piece head = {in->text, end ? (size_t)(end - in->text) : in->length};
    in->text += head.length + (end != NULL);
    in->length -= head.length + (end != NULL);
    return head;
}

/* Whether the piece may be decoded, and is `read`. */
static bool accepts(struct piece piece, const char *read, const char *what) {
    _cleanup_(mem_freep) char *text = decode(piece);
    FUZZ_CHECK(!text || !read || strcmp(text, read) == 0, "%s '%s', read as '%s'", what, text, read);
    return text != NULL;
}

/* `r` NULL: the target was refused. */
static bool accepts_path(struct piece path, const struct request *r) {
    size_t n = 0;
    bool all = true;
    cut(&path, '/');
    while (path.length || n == 0 || path.text[-1] == '/') {
        struct piece segment = cut(&path, '/');
        bool kept = r && n < REQUEST_SEGMENTS && n < r->n_segments;
        all &= accepts(segment, kept ? r->segments[n] : NULL, "segment");
        n++;
        if (!path.length && segment.text + segment.length == path.text)
            break;
    }
    FUZZ_CHECK(!r || r->n_segments == (n < REQUEST_SEGMENTS + 1 ? n : REQUEST_SEGMENTS + 1), "%zu segments",
               n);
    return all;
}

static bool accepts_query(struct piece query, const struct request *r) {
    char *names[LIMIT_PARAMETERS + 1] = {NULL};
    size_t n = 0;
    bool all = true;
    while (all && query.length) {
        struct piece value = cut(&query, '&');
        if (!value.length)
            continue;
        struct piece name = cut(&value, '=');
        const struct request_parameter *read = r && n < r->n_parameters ? &r->parameters[n] : NULL;
        all = n < LIMIT_PARAMETERS && accepts(name, read ? read->name : NULL, "name") &&
              accepts(value, read ? read->value : NULL, "value");
        names[n] = all ? decode(name) : NULL;
        for (size_t i = 0; all && i < n; i++)
            all = strcmp(names[i], names[n]) != 0;
        n += all;
    }
    FUZZ_CHECK(!r || !all || r->n_parameters == n, "%zu parameters", n);
    for (size_t i = 0; i <= LIMIT_PARAMETERS; i++)
        free(names[i]);
    return all;
}

static struct piece without_authority(struct piece target) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (target.length < n || strncasecmp(target.text, schemes[i], n) != 0)
            continue;
        while (n < target.length && target.text[n] != '/' && target.text[n] != '?')
            n++;
        return (struct piece){target.text + n, target.length - n};
    }
    return target;
}

static bool accepts_target(struct piece target, const struct request *r) {
    if (target.length > LIMIT_URI_BYTES)
        return false;
    struct piece query = without_authority(target);
    bool is_absolute = query.text != target.text;
    struct piece path = cut(&query, '?');
    if (path.length ? *path.text != '/' : !is_absolute) { /* "*", or the target of a CONNECT */
        FUZZ_CHECK(!r || route_find(r) == NULL, "a route of '%.*s'", (int)path.length, path.text);
        return true;
    }
    bool is_root = path.length <= 1;
    FUZZ_CHECK(!is_root || !r || r->n_segments == 0, "%zu segments of /", r->n_segments);
    return (is_root || accepts_path(path, r)) && accepts_query(query, r);
}

/* What becomes of it. */

static void check_problem(const struct problem *p) {
    struct answer *answer = problem_answer(p);
    json_auto_t *json = json_loadb(answer->body->data, answer->body->length, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_is_object(json), "%.*s", (int)answer->body->length, answer->body->data);
    FUZZ_CHECK(answer->status >= 400 && answer->status < 500, "%u", answer->status);
    answer_unref(answer);
}

/* A key's length is bounded by struct cache_key; its last part is all that may be long. */
static void check_key(const struct cache_key *key) {
    const char *parts[CACHE_KEY_PARTS];
    struct cache_key again;
    FUZZ_CHECK(key->length <= sizeof key->bytes, "%zu", key->length);
    cache_key_split(key->bytes, key->length, parts);
    cache_key_begin(&again, parts[0]);
    for (size_t i = 1; i < CACHE_KEY_PARTS && parts[i]; i++)
        cache_key_add(&again, parts[i]);
    FUZZ_CHECK(again.length == key->length && memcmp(again.bytes, key->bytes, key->length) == 0, "%s",
               parts[0]);
}

/* A list has the text of its value, and an end for each comma that is not escaped, and one more. */
static void check_list(const struct request *r, const struct request_parameter *parameter) {
    char items[REQUEST_ITEMS_SIZE];
    struct problem p;
    size_t ends = 0;
    if (!request_items(r, parameter->name, LIMIT_BOARD_ITEMS, items, &p)) {
        check_problem(&p);
        return;
    }
    for (size_t i = 0; i < parameter->raw_length; i++)
        ends += parameter->raw[i] == ',';
    for (char *end = items; (end = strchr(end, REQUEST_ITEM_END)); ends--)
        *end = ',';
    FUZZ_CHECK(ends == SIZE_MAX, "%zu more commas than items of '%s'", ends, parameter->value);
    items[strlen(items) - 1] = '\0';
    FUZZ_CHECK(strcmp(items, parameter->value) == 0, "'%s' of '%s'", items, parameter->value);
}

static void check_route(const struct request *r) {
    const struct route *route = route_find(r);
    struct problem p;
    struct cache_key key;
    unsigned count;
    if (!request_count(r, "limit", 7, 100, &count, &p))
        check_problem(&p);
    else
        FUZZ_CHECK(count >= 1 && count <= 100, "%u", count);
    for (size_t i = 0; i < r->n_parameters; i++)
        check_list(r, &r->parameters[i]);
    if (!route || route->kind != ROUTE_LOADED)
        return;
    if (!request_allows(r, route->parameters, &p) || !route->prepare(fuzz_view(), r, &key, &p))
        check_problem(&p);
    else if (!cache_key_is_clear(&key))
        check_key(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(mem_freep) char *text = mem_strndup((const char *)data, size); /* a NUL never gets here */
    struct piece target = {text, strlen(text)};
    struct request r;
    struct problem p;
    bool accepted = request_parse(&r, target.text, target.length, &p);
    FUZZ_CHECK(accepted == accepts_target(target, accepted ? &r : NULL), "'%s': %d", text, accepted);
    if (!accepted)
        check_problem(&p);
    else
        check_route(&r);
    return 0;
}
