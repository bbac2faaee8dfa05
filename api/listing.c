#include "api/listing.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

/* A sealed cursor: version, direction, scope, three numbers (big-endian), the row's id. */
enum { VERSION = 2, NUMBERS = 3, SCOPE_AT = 2, NUMBERS_AT = 18, HEAD_BYTES = NUMBERS_AT + 8 * NUMBERS };
_Static_assert(SCOPE_AT + sizeof((struct listing_scope *)0)->digest == NUMBERS_AT, "the scope has its room");
_Static_assert(HEAD_BYTES + LIMIT_KEY_BYTES <= SEAL_LONGEST_BYTES, "a cursor can be padded");

/* The parts of a page in a key. */
enum { PART_LIMIT, PART_SCORE, PART_RANK, PART_ROWS, PART_DIRECTION, PART_AFTER };

void listing_scope_of(const struct view *view, const struct cache_key *key, struct listing_scope *scope) {
    char text[CACHE_KEY_BYTES + sizeof view->order];
    uint8_t digest[DIGEST_BYTES];
    size_t length = strlen(view->order) + 1;
    memcpy(text, view->order, length);
    memcpy(text + length, key->bytes, key->length);
    digest_sha256(text, length + key->length, digest);
    memcpy(scope->digest, digest, sizeof scope->digest);
}

char *listing_seal_cursor(const struct sealer *sealer, const struct listing_scope *scope,
                          const struct listing_cursor *cursor) {
    uint8_t plain[HEAD_BYTES + LIMIT_KEY_BYTES] = {VERSION, cursor->up};
    size_t length = strlen(cursor->after);
    const uint64_t numbers[NUMBERS] = {htobe64((uint64_t)cursor->score), htobe64((uint64_t)cursor->rank),
                                       htobe64((uint64_t)cursor->rows)};
    memcpy(plain + SCOPE_AT, scope->digest, sizeof scope->digest);
    memcpy(plain + NUMBERS_AT, numbers, sizeof numbers);
    memcpy(plain + HEAD_BYTES, cursor->after, length);
    return seal_make(sealer, SEAL_CURSOR, plain, HEAD_BYTES + length);
}

bool listing_open_cursor(const struct sealer *sealer, const struct listing_scope *scope, const char *sealed,
                         struct listing_cursor *cursor) {
    size_t length;
    _cleanup_(mem_freep) char *opened = seal_open(sealer, SEAL_CURSOR, sealed, &length);
    const uint8_t *plain = (const uint8_t *)opened;
    if (!opened || length <= HEAD_BYTES || length > HEAD_BYTES + LIMIT_KEY_BYTES || plain[0] != VERSION ||
        plain[1] > 1 || memcmp(plain + SCOPE_AT, scope->digest, sizeof scope->digest) != 0)
        return false;
    uint64_t numbers[NUMBERS];
    memcpy(numbers, plain + NUMBERS_AT, sizeof numbers);
    cursor->up = plain[1];
    cursor->score = (int64_t)be64toh(numbers[0]);
    cursor->rank = (int64_t)be64toh(numbers[1]);
    cursor->rows = (int64_t)be64toh(numbers[2]);
    memcpy(cursor->after, plain + HEAD_BYTES, length - HEAD_BYTES + 1); /* with the NUL that follows it */
    return true;
}

json_t *listing_next(const struct view *view, const struct cache_key *key, struct listing_cursor *last,
                     const char *after) {
    struct listing_scope scope;
    if (!after)
        return json_null();
    listing_scope_of(view, key, &scope);
    snprintf(last->after, sizeof last->after, "%s", after);
    _cleanup_(mem_freep) char *sealed = listing_seal_cursor(view->sealer, &scope, last);
    return json_string(sealed);
}

bool listing_read_cursor(const struct view *view, const struct request *request, const struct cache_key *key,
                         struct listing_cursor *cursor, struct problem *p) {
    const char *sealed = request_parameter(request, "cursor");
    struct listing_scope scope;
    cursor->after[0] = '\0';
    if (!sealed)
        return true;
    listing_scope_of(view, key, &scope);
    return listing_open_cursor(view->sealer, &scope, sealed, cursor) ||
           problem_set_parameter(p, "cursor", sealed, "a cursor from a page of this listing, or none");
}

/* Not by snprintf: every request for a list has its limit, and that would take half of making its key. */
static void add_number(struct cache_key *key, int64_t number) {
    char text[24], *at = text + sizeof text - 1;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    *at = '\0';
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    cache_key_add(key, at);
}

static bool read_limit(const struct request *request, unsigned default_limit, unsigned *limit,
                       struct problem *p) {
    return request_count(request, "limit", default_limit, LIMIT_BOARD_ITEMS, limit, p);
}

bool listing_add_limit(const struct request *request, unsigned default_limit, struct cache_key *key,
                       struct problem *p) {
    unsigned limit;
    if (!read_limit(request, default_limit, &limit, p))
        return false;
    add_number(key, limit);
    return true;
}

bool listing_add_page(const struct view *view, const struct request *request, unsigned default_limit,
                      struct cache_key *key, struct problem *p) {
    struct listing_cursor cursor;
    unsigned limit;
    if (!read_limit(request, default_limit, &limit, p) ||
        !listing_read_cursor(view, request, key, &cursor, p))
        return false;
    add_number(key, limit);
    if (!*cursor.after)
        return true;
    add_number(key, cursor.score);
    add_number(key, cursor.rank);
    add_number(key, cursor.rows);
    add_number(key, cursor.up);
    cache_key_add(key, cursor.after);
    return true;
}

size_t listing_limit(const char *const parts[]) {
    return strtoul(parts[PART_LIMIT], NULL, 10);
}

bool listing_is_first_page(const char *const parts[]) {
    return !parts[PART_SCORE];
}

void listing_read_page(const char *const parts[], struct listing_page *page) {
    *page = (struct listing_page){.limit = listing_limit(parts), .is_first = listing_is_first_page(parts)};
    if (page->is_first)
        return;
    page->from.score = strtoll(parts[PART_SCORE], NULL, 10);
    page->from.rank = strtoll(parts[PART_RANK], NULL, 10);
    page->from.rows = strtoll(parts[PART_ROWS], NULL, 10);
    page->from.up = *parts[PART_DIRECTION] == '1';
    snprintf(page->from.after, sizeof page->from.after, "%s", parts[PART_AFTER]);
}
