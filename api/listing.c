#include "api/listing.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A sealed cursor: version, listing, three numbers (big-endian), the row's id. */
enum { VERSION = 1, NUMBERS = 3, HEAD_BYTES = 2 + 8 * NUMBERS };

/* The parts of a key. */
enum { PART_LIMIT = 1, PART_SCORE, PART_RANK, PART_ROWS, PART_AFTER };

char *listing_seal_cursor(const struct sealer *sealer, enum listing listing,
                          const struct listing_cursor *cursor) {
    uint8_t plain[HEAD_BYTES + LIMIT_KEY_BYTES] = {VERSION, (uint8_t)listing};
    size_t length = strlen(cursor->after);
    const uint64_t numbers[NUMBERS] = {htobe64((uint64_t)cursor->score), htobe64((uint64_t)cursor->rank),
                                       htobe64((uint64_t)cursor->rows)};
    memcpy(plain + 2, numbers, sizeof numbers);
    memcpy(plain + HEAD_BYTES, cursor->after, length);
    return seal_make(sealer, SEAL_CURSOR, plain, HEAD_BYTES + length);
}

bool listing_open_cursor(const struct sealer *sealer, enum listing listing, const char *sealed,
                         struct listing_cursor *cursor) {
    size_t length;
    _cleanup_(mem_freep) char *opened = seal_open(sealer, SEAL_CURSOR, sealed, &length);
    const uint8_t *plain = (const uint8_t *)opened;
    if (!opened || length <= HEAD_BYTES || length > HEAD_BYTES + LIMIT_KEY_BYTES || plain[0] != VERSION ||
        plain[1] != listing)
        return false;
    uint64_t numbers[NUMBERS];
    memcpy(numbers, plain + 2, sizeof numbers);
    cursor->score = (int64_t)be64toh(numbers[0]);
    cursor->rank = (int64_t)be64toh(numbers[1]);
    cursor->rows = (int64_t)be64toh(numbers[2]);
    memcpy(cursor->after, plain + HEAD_BYTES, length - HEAD_BYTES + 1); /* with the NUL that follows it */
    return true;
}

json_t *listing_next(const struct sealer *sealer, enum listing listing, struct listing_cursor *last,
                     const char *after) {
    if (!after)
        return json_null();
    snprintf(last->after, sizeof last->after, "%s", after);
    _cleanup_(mem_freep) char *sealed = listing_seal_cursor(sealer, listing, last);
    return json_string(sealed);
}

static void add_number(struct cache_key *key, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    cache_key_add(key, text);
}

bool listing_add_limit(const struct request *request, unsigned default_limit, struct cache_key *key,
                       struct problem *p) {
    unsigned limit;
    if (!request_count(request, "limit", default_limit, LIMIT_BOARD_ITEMS, &limit, p))
        return false;
    add_number(key, limit);
    return true;
}

bool listing_add_page(const struct sealer *sealer, enum listing listing, const struct request *request,
                      unsigned default_limit, struct cache_key *key, struct problem *p) {
    const char *sealed = request_parameter(request, "cursor");
    struct listing_cursor cursor;
    if (!listing_add_limit(request, default_limit, key, p))
        return false;
    if (!sealed)
        return true;
    if (!listing_open_cursor(sealer, listing, sealed, &cursor))
        return problem_set_parameter(p, "cursor", sealed, "the `next` of a page of this listing, or none");
    add_number(key, cursor.score);
    add_number(key, cursor.rank);
    add_number(key, cursor.rows);
    cache_key_add(key, cursor.after);
    return true;
}

size_t listing_limit(const char *const parts[CACHE_KEY_PARTS]) {
    return strtoul(parts[PART_LIMIT], NULL, 10);
}

bool listing_is_first_page(const char *const parts[CACHE_KEY_PARTS]) {
    return !parts[PART_AFTER];
}

void listing_read_page(const char *const parts[CACHE_KEY_PARTS], struct listing_page *page) {
    *page = (struct listing_page){.limit = listing_limit(parts), .is_first = listing_is_first_page(parts)};
    if (page->is_first)
        return;
    page->from.score = strtoll(parts[PART_SCORE], NULL, 10);
    page->from.rank = strtoll(parts[PART_RANK], NULL, 10);
    page->from.rows = strtoll(parts[PART_ROWS], NULL, 10);
    snprintf(page->from.after, sizeof page->from.after, "%s", parts[PART_AFTER]);
}
