/*
 * Sealed ids and cursors (api/seal, api/listing, api/people): data is sealed, and opened to the same data;
 * with any character changed, added or cut, or for another purpose, it does not open. What opens is what the
 * same data is sealed to, but for ids of earlier versions, which are not made here: one contributor or place
 * has one name.
 */
#include "api/seal.h"

#include "api/listing.h"
#include "api/people.h"
#include "base/text.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/view.h"

static void check_text(enum seal_purpose purpose, const char *text) {
    size_t length;
    _cleanup_(mem_freep) char *data = seal_open(fuzz_view()->sealer, purpose, text, &length);
    if (!data)
        return;
    _cleanup_(mem_freep) char *again = seal_make(fuzz_view()->sealer, purpose, data, length);
    FUZZ_CHECK(strcmp(again, text) == 0, "'%s' '%s'", again, text);
}

static void check_refused(enum seal_purpose purpose, const char *text, const char *why) {
    _cleanup_(mem_freep) char *data = seal_open(fuzz_view()->sealer, purpose, text, NULL);
    FUZZ_CHECK(!data, "%s: '%s'", why, text);
}

/* Puts another character at `at`, or cuts there. The letter after it in the alphabet differs in the bits that
 * the last character of a text may not use. */
static void check_changed(enum seal_purpose purpose, char *sealed, size_t at, unsigned step) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=%";
    const char before = sealed[at];
    const size_t index = (size_t)(strchr(letters, before) - letters);
    sealed[at] = step ? letters[(index + step) % strlen(letters)] : '\0';
    if (sealed[at] != before)
        check_refused(purpose, sealed, step ? "changed" : "cut");
    sealed[at] = before;
}

/* Data does not end in a NUL. */
static void check_data(enum seal_purpose purpose, const char *data, size_t length, unsigned at) {
    size_t again_length;
    while (length && !data[length - 1])
        length--;
    if (!length)
        return;
    _cleanup_(mem_freep) char *sealed = seal_make(fuzz_view()->sealer, purpose, data, length);
    _cleanup_(mem_freep) char *again = seal_open(fuzz_view()->sealer, purpose, sealed, &again_length);
    FUZZ_CHECK(again && again_length == length && memcmp(data, again, length) == 0, "%zu bytes", length);
    FUZZ_CHECK(strspn(sealed, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                   strlen(sealed),
               "'%s'", sealed);
    check_refused((enum seal_purpose)(1 - purpose), sealed, "of another purpose");
    _cleanup_(mem_freep) char *longer = mem_printf("%sA", sealed);
    check_refused(purpose, longer, "longer");
    check_changed(purpose, sealed, at % strlen(sealed), 1 + at / 8 % 67);
    check_changed(purpose, sealed, at % strlen(sealed), 0);
    check_changed(purpose, sealed, strlen(sealed) - 1, 1 + at / 8 % 3);
}

static void scope_of(const char *template, struct listing_scope *scope) {
    struct cache_key key;
    cache_key_begin(&key, template);
    listing_scope_of(fuzz_view(), &key, scope);
}

static void check_cursor(const char *after, size_t length, unsigned at) {
    struct listing_cursor cursor = {.up = at & 1,
                                    .score = (int64_t)(UINT64_C(0x9E3779B97F4A7C15) * at),
                                    .rank = at,
                                    .rows = -(int64_t)at};
    struct listing_cursor again;
    struct listing_scope scope, other;
    if (!length || length > LIMIT_KEY_BYTES || strlen(after) != length)
        return;
    memcpy(cursor.after, after, length + 1);
    scope_of("merchants", &scope);
    scope_of("photographers", &other);
    _cleanup_(mem_freep) char *sealed = listing_seal_cursor(fuzz_view()->sealer, &scope, &cursor);
    FUZZ_CHECK(listing_open_cursor(fuzz_view()->sealer, &scope, sealed, &again), "'%s'", sealed);
    FUZZ_CHECK(again.up == cursor.up && again.score == cursor.score && again.rank == cursor.rank &&
                   again.rows == cursor.rows && strcmp(again.after, after) == 0,
               "'%s'", again.after);
    FUZZ_CHECK(!listing_open_cursor(fuzz_view()->sealer, &other, sealed, &again), "of another listing");
}

static void check_harmless(const char *text) {
    size_t bytes;
    for (size_t left = strlen(text); left; left -= bytes, text += bytes) {
        uint32_t c;
        bytes = utf8_decode(text, left, &c);
        FUZZ_CHECK(!text_is_deceptive(c), "U+%04X", c);
    }
}

/* What is shown of a person is UTF-8 and cannot deceive, whatever the person is called. */
static void check_person(const char *user_id, size_t length) {
    if (!length || strlen(user_id) != length || !utf8_is_valid(user_id, length))
        return;
    json_auto_t *person = json_object();
    people_set(fuzz_view(), person, user_id);
    const char *id = json_string_value(json_object_get(person, "id"));
    _cleanup_(mem_freep) char *again = people_user_id(fuzz_view(), id);
    bool is_somebody = length <= LIMIT_KEY_BYTES;
    FUZZ_CHECK(is_somebody ? again && strcmp(again, user_id) == 0 : !again, "'%s'", user_id);
    const char *shown = json_string_value(json_object_get(person, "userId"));
    FUZZ_CHECK(shown && (strcmp(shown, "\xef\xbf\xbd") != 0 || strstr(user_id, shown)), "'%s'", user_id);
    check_harmless(shown);
    const char *name = json_string_value(json_object_get(person, "name"));
    FUZZ_CHECK(!name || !text_is_blank(name, strlen(name)), "'%s'", user_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    enum seal_purpose purpose = fuzz_take_below(&in, SEAL_PURPOSES);
    unsigned at = fuzz_take_below(&in, 256) * 8;
    _cleanup_(mem_freep) char *text = mem_zalloc(in.size + 1);
    if (in.size)
        memcpy(text, in.data, in.size);
    check_text(purpose, text);
    check_data(purpose, text, in.size, at);
    check_cursor(text, in.size, at);
    check_person(text, in.size);
    return 0;
}
