#include "api/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Sealed: version, listing, three numbers (big-endian), the row's id. */
enum { VERSION = 1, NUMBERS = 3, HEAD_BYTES = 2 + 8 * NUMBERS };

static void put_number(uint8_t *out, int64_t number) {
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
}

static int64_t get_number(const uint8_t *in) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | in[i];
    return (int64_t)number;
}

char *cursor_seal(const struct sealer *sealer, enum cursor_listing listing, const struct cursor *cursor) {
    uint8_t plain[HEAD_BYTES + LIMIT_KEY_BYTES] = {VERSION, (uint8_t)listing};
    size_t length = strlen(cursor->after);
    put_number(plain + 2, cursor->score);
    put_number(plain + 10, cursor->rank);
    put_number(plain + 18, cursor->shown);
    memcpy(plain + HEAD_BYTES, cursor->after, length);
    return seal_make(sealer, SEAL_CURSOR, plain, HEAD_BYTES + length);
}

bool cursor_open(const struct sealer *sealer, enum cursor_listing listing, const char *sealed,
                 struct cursor *cursor) {
    size_t length;
    _cleanup_(mem_freep) char *opened = seal_open(sealer, SEAL_CURSOR, sealed, &length);
    const uint8_t *plain = (const uint8_t *)opened;
    if (!opened || length <= HEAD_BYTES || length > HEAD_BYTES + LIMIT_KEY_BYTES || plain[0] != VERSION ||
        plain[1] != listing)
        return false;
    cursor->score = get_number(plain + 2);
    cursor->rank = get_number(plain + 10);
    cursor->shown = get_number(plain + 18);
    memcpy(cursor->after, plain + HEAD_BYTES, length - HEAD_BYTES + 1); /* with the NUL behind it */
    return true;
}

static void add_number(struct key *key, int64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    key_add(key, text);
}

bool cursor_prepare(const struct sealer *sealer, enum cursor_listing listing, const struct request *request,
                    struct key *key, struct problem *p) {
    const char *sealed = request_parameter(request, "cursor");
    struct cursor cursor;
    if (!sealed)
        return true;
    if (!cursor_open(sealer, listing, sealed, &cursor)) {
        problem_set_parameter(p, "cursor", sealed, "what `next` of a page of this listing was, or none");
        return false;
    }
    add_number(key, cursor.score);
    add_number(key, cursor.rank);
    add_number(key, cursor.shown);
    key_add(key, cursor.after);
    return true;
}

bool cursor_from_key(const char *key, size_t key_length, size_t index, struct cursor *cursor) {
    const char *after = key_part(key, key_length, index + NUMBERS);
    if (!after)
        return false;
    cursor->score = strtoll(key_part(key, key_length, index), NULL, 10);
    cursor->rank = strtoll(key_part(key, key_length, index + 1), NULL, 10);
    cursor->shown = strtoll(key_part(key, key_length, index + 2), NULL, 10);
    memcpy(cursor->after, after, strlen(after) + 1);
    return true;
}
