/*
 * aggregated: the input is the protobuf message of an aggregated record; the target puts the magic number
 * before it and its MD5 behind it. The second opinion is protobuf-c's and OpenSSL's big numbers. A record
 * that is packed again has the same parts; one with a damaged MD5 has none.
 */
#include "ingest/kinesis/aggregated.h"

#include <aggregated.pb-c.h>
#include <openssl/bn.h>
#include <openssl/evp.h>

#include "tests/fuzz/fuzz.h"

#define MAGIC "\xf3\x89\x9a\xc2"
enum { MAGIC_BYTES = 4, MD5_BYTES = 16, HASH_TEXT_SIZE = 40 };

static void md5(const void *data, size_t size, uint8_t digest[MD5_BYTES]) {
    static EVP_MD *algorithm; /* to fetch it is what takes longest */
    if (!algorithm)
        algorithm = EVP_MD_fetch(NULL, "MD5", NULL);
    FUZZ_CHECK(EVP_Digest(data, size, digest, NULL, algorithm, NULL) == 1, "OpenSSL");
}

/* The whole record; the caller frees it. */
static uint8_t *wrap(const void *message, size_t size) {
    uint8_t *record = mem_alloc(MAGIC_BYTES + size + MD5_BYTES);
    memcpy(record, MAGIC, MAGIC_BYTES);
    if (size)
        memcpy(record + MAGIC_BYTES, message, size);
    md5(record + MAGIC_BYTES, size, record + MAGIC_BYTES + size);
    return record;
}

/* A number of 128 bits, by OpenSSL. False if the text is none, or if it is greater. */
static bool hash_key_of_text(const ProtobufCBinaryData *text, uint8_t key[MD5_BYTES]) {
    _cleanup_(mem_freep) char *copy = mem_strndup(text->len ? (const char *)text->data : "", text->len);
    BIGNUM *number = NULL;
    size_t length = strlen(copy);
    bool is_number = length == text->len && length && strspn(copy, "0123456789") == length &&
                     BN_dec2bn(&number, copy) == (int)length && BN_bn2binpad(number, key, MD5_BYTES) > 0;
    BN_free(number);
    return is_number;
}

/* Of part `i`, as the message has it; false if it is broken. */
static bool judge_part(const Aggregated__Record *m, size_t i, uint8_t key[MD5_BYTES]) {
    const Aggregated__Part *part = m->records[i];
    if (part->partition_key_index >= m->n_partition_key_table)
        return false;
    if (part->has_explicit_hash_key_index)
        return part->explicit_hash_key_index < m->n_explicit_hash_key_table &&
               hash_key_of_text(&m->explicit_hash_key_table[part->explicit_hash_key_index], key);
    const ProtobufCBinaryData *text = &m->partition_key_table[part->partition_key_index];
    md5(text->data, text->len, key);
    return true;
}

static void check_part(const struct aggregated_part *part, const Aggregated__Record *m, size_t i,
                       const uint8_t key[MD5_BYTES]) {
    const ProtobufCBinaryData *text = &m->partition_key_table[m->records[i]->partition_key_index];
    bool is_plain = text->len && !memchr(text->data, '\0', text->len);
    size_t expected = is_plain ? text->len : 0;
    FUZZ_CHECK(strlen(part->partition_key) == expected, "part %zu: '%s'", i, part->partition_key);
    FUZZ_CHECK(!expected || memcmp(part->partition_key, text->data, expected) == 0, "part %zu", i);
    FUZZ_CHECK(part->length == m->records[i]->data.len, "part %zu: %zu", i, part->length);
    FUZZ_CHECK(!part->length || memcmp(part->data, m->records[i]->data.data, part->length) == 0, "%zu", i);
    for (int byte = 0; byte < MD5_BYTES; byte++)
        FUZZ_CHECK((uint8_t)(part->hash_key >> (120 - 8 * byte)) == key[byte], "part %zu", i);
}

static const char *decimal(unsigned __int128 key, char out[HASH_TEXT_SIZE]) {
    char *at = out + HASH_TEXT_SIZE - 1;
    *at = '\0';
    do
        *--at = (char)('0' + (int)(key % 10));
    while ((key /= 10) > 0);
    return at;
}

static void check_range(const struct aggregated_part *part) {
    char from_text[HASH_TEXT_SIZE], most_text[HASH_TEXT_SIZE];
    const char *from = decimal(part->hash_key, from_text), *most = decimal(~(unsigned __int128)0, most_text);
    struct aggregated_range own = aggregated_range(from, from), above = aggregated_range(from, most);
    above.from++; /* 0 if there is nothing above: then no part is a stray */
    FUZZ_CHECK(own.known && !aggregated_is_stray(part, &own), "%s", from);
    FUZZ_CHECK(aggregated_is_stray(part, &above) == (above.from != 0), "%s", from);
}

static void check_parts(const struct aggregated *a, const Aggregated__Record *m) {
    size_t bytes = a->n * sizeof *a->parts;
    uint8_t key[MD5_BYTES];
    FUZZ_CHECK(a->n == m->n_records, "%zu parts, not %zu", a->n, m->n_records);
    for (size_t i = 0; i < a->n; i++) {
        FUZZ_CHECK(judge_part(m, i, key), "part %zu", i);
        check_part(&a->parts[i], m, i, key);
        bytes += a->parts[i].length;
    }
    check_range(&a->parts[0]);
    check_range(&a->parts[a->n - 1]);
    FUZZ_CHECK(a->bytes >= bytes, "it takes at least %zu bytes, not %zu", bytes, a->bytes);
}

static bool is_broken(const Aggregated__Record *m) {
    uint8_t key[MD5_BYTES];
    if (!m || m->n_records == 0)
        return true;
    for (size_t i = 0; i < m->n_records; i++)
        if (!judge_part(m, i, key))
            return true;
    return false;
}

static void check_damaged(uint8_t *record, size_t length) {
    char why[AGGREGATED_WHY_SIZE];
    struct aggregated a;
    record[length - 1 - length % MD5_BYTES] ^= 1;
    FUZZ_CHECK(!aggregated_open(&a, record, length, why), "although its MD5 is wrong");
    FUZZ_CHECK(!aggregated_open(&a, record, MAGIC_BYTES + MD5_BYTES - 1, why), "although it is cut");
}

static void check(const void *message, size_t size, const Aggregated__Record *m) {
    _cleanup_(mem_freep) uint8_t *record = wrap(message, size);
    const size_t length = MAGIC_BYTES + size + MD5_BYTES;
    char why[AGGREGATED_WHY_SIZE] = "";
    struct aggregated a;
    FUZZ_CHECK(aggregated_is_one(record, length), "it begins with the magic number");
    bool opened = aggregated_open(&a, record, length, why);
    check_damaged(record, length); /* which also shows that the parts are copies */
    FUZZ_CHECK(opened != is_broken(m), "opened: %d (%s)", opened, why);
    FUZZ_CHECK(opened || (*why && strlen(why) < AGGREGATED_WHY_SIZE - 1), "'%s'", why);
    if (opened) {
        check_parts(&a, m);
        aggregated_deinit(&a);
    }
}

/* protobuf-c 1.4 cannot read all that it packs of fields that it does not know. */
static void check_packed_again(const Aggregated__Record *m) {
    size_t size = aggregated__record__get_packed_size(m);
    _cleanup_(mem_freep) uint8_t *packed = mem_alloc(size);
    aggregated__record__pack(m, packed);
    Aggregated__Record *again = aggregated__record__unpack(NULL, size, packed);
    check(packed, size, again ? m : NULL);
    aggregated__record__free_unpacked(again, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Aggregated__Record *message = aggregated__record__unpack(NULL, size, data);
    check(data, size, message);
    if (message)
        check_packed_again(message);
    aggregated__record__free_unpacked(message, NULL);
    return 0;
}
