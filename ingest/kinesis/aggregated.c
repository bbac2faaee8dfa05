#include "ingest/kinesis/aggregated.h"

#include <aggregated.pb-c.h> /* made of aggregated.proto */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

enum { MAGIC_BYTES = 4, MD5_BYTES = 16 };

static const uint8_t magic[MAGIC_BYTES] = {0xf3, 0x89, 0x9a, 0xc2};

bool aggregated_is_one(const void *data, size_t length) {
    return length >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

static void md5(const void *data, size_t length, uint8_t digest[MD5_BYTES]) {
    unsigned size = MD5_BYTES;
    if (EVP_Digest(data, length, digest, &size, EVP_md5(), NULL) != 1)
        mem_exhausted(); /* the only way it can fail */
}

static bool parse_hash_key(const void *text, size_t length, unsigned __int128 *key) {
    const unsigned __int128 most = ~(unsigned __int128)0;
    const uint8_t *digits = text;
    *key = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digits[i] - (unsigned)'0';
        if (digit > 9 || *key > (most - digit) / 10)
            return false;
        *key = *key * 10 + digit;
    }
    return length > 0;
}

struct hash_key {
    bool is_number; /* below 2^128 */
    unsigned __int128 number;
};

static struct hash_key read_partition_key(const ProtobufCBinaryData *key) {
    uint8_t digest[MD5_BYTES];
    struct hash_key hash = {.is_number = true};
    md5(key->data, key->len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        hash.number = hash.number << 8 | digest[i];
    return hash;
}

static struct hash_key read_explicit_key(const ProtobufCBinaryData *text) {
    struct hash_key hash;
    hash.is_number = parse_hash_key(text->data, text->len, &hash.number);
    return hash;
}

/* Once for each key of a table, not for each part: a key may be as long as the record, and have thousands of
 * parts. The caller frees them. */
static struct hash_key *read_hash_keys(const ProtobufCBinaryData *table, size_t n,
                                       struct hash_key (*read)(const ProtobufCBinaryData *)) {
    struct hash_key *hashes = mem_resize(NULL, n, sizeof *hashes);
    for (size_t i = 0; i < n; i++)
        hashes[i] = read(&table[i]);
    return hashes;
}

struct aggregated_range aggregated_range(const char *starting_hash_key, const char *ending_hash_key) {
    struct aggregated_range range;
    range.known = parse_hash_key(starting_hash_key, strlen(starting_hash_key), &range.from) &&
                  parse_hash_key(ending_hash_key, strlen(ending_hash_key), &range.to);
    return range;
}

bool aggregated_is_stray(const struct aggregated_part *part, const struct aggregated_range *range) {
    return range->known && (part->hash_key < range->from || part->hash_key > range->to);
}

/* A few bytes of protobuf may unpack to many times as much memory. This bounds all that unpacking allocates,
 * freed or not. */
struct allowance {
    size_t left;
};

static void *take_allowance(void *data, size_t size) {
    struct allowance *allowance = data;
    if (size > allowance->left)
        return NULL; /* the unpacking fails */
    allowance->left -= size;
    return mem_alloc(size);
}

static void free_allowance(void *data, void *memory) {
    (void)data;
    free(memory);
}

static bool broken(char why[AGGREGATED_WHY_SIZE], const char *text) {
    snprintf(why, AGGREGATED_WHY_SIZE, "%s", text);
    return false;
}

static bool unpack(struct aggregated *a, const uint8_t *data, size_t length, char why[AGGREGATED_WHY_SIZE]) {
    const size_t whole = length + (size_t)LIMIT_AGGREGATED_PARTS * LIMIT_AGGREGATED_PART_BYTES;
    struct allowance allowance = {whole};
    ProtobufCAllocator allocator = {take_allowance, free_allowance, &allowance};
    uint8_t digest[MD5_BYTES];

    if (length < MAGIC_BYTES + MD5_BYTES)
        return broken(why, "it is too short for an aggregated record");
    md5(data + MAGIC_BYTES, length - MAGIC_BYTES - MD5_BYTES, digest);
    if (memcmp(digest, data + length - MD5_BYTES, MD5_BYTES) != 0)
        return broken(why, "its MD5 does not match");
    a->message = aggregated__record__unpack(&allocator, length - MAGIC_BYTES - MD5_BYTES, data + MAGIC_BYTES);
    a->bytes = whole - allowance.left;
    return a->message || broken(why, "it is not the protobuf message that its magic promises");
}

static bool check_counts(const Aggregated__Record *message, char why[AGGREGATED_WHY_SIZE]) {
    if (message->n_records == 0)
        return broken(why, "it has no parts");
    if (message->n_records > LIMIT_AGGREGATED_PARTS ||
        message->n_partition_key_table > LIMIT_AGGREGATED_PARTS ||
        message->n_explicit_hash_key_table > LIMIT_AGGREGATED_PARTS) {
        snprintf(why, AGGREGATED_WHY_SIZE, "it has more than %d parts or keys", LIMIT_AGGREGATED_PARTS);
        return false;
    }
    return true;
}

/* Copies the partition keys as strings, in one block; returns where each begins. */
static const char **copy_keys(struct aggregated *a, const Aggregated__Record *message) {
    const char **keys = mem_alloc((message->n_partition_key_table + 1) * sizeof *keys);
    size_t length = 0;
    for (size_t i = 0; i < message->n_partition_key_table; i++)
        length += message->partition_key_table[i].len + 1;
    char *at = a->keys = mem_alloc(length + 1);
    for (size_t i = 0; i < message->n_partition_key_table; i++) {
        const ProtobufCBinaryData *key = &message->partition_key_table[i];
        keys[i] = at;
        size_t copied = key->len && !memchr(key->data, 0, key->len) ? key->len : 0;
        memcpy(at, copied ? key->data : magic, copied);
        at[copied] = '\0';
        at += key->len + 1;
    }
    a->bytes += length + message->n_partition_key_table * sizeof *keys;
    return keys;
}

/* What the parts name by its index in a table. */
struct tables {
    const char **keys;
    struct hash_key *hashes, *explicit_hashes;
};

static void read_tables(struct aggregated *a, const Aggregated__Record *m, struct tables *t) {
    t->keys = copy_keys(a, m);
    t->hashes = read_hash_keys(m->partition_key_table, m->n_partition_key_table, read_partition_key);
    t->explicit_hashes =
        read_hash_keys(m->explicit_hash_key_table, m->n_explicit_hash_key_table, read_explicit_key);
    a->bytes += (m->n_partition_key_table + m->n_explicit_hash_key_table) * sizeof *t->hashes;
}

static void free_tables(struct tables *t) {
    free(t->keys);
    free(t->hashes);
    free(t->explicit_hashes);
}

static bool open_part(struct aggregated_part *out, const Aggregated__Record *message, size_t i,
                      const struct tables *tables, char why[AGGREGATED_WHY_SIZE]) {
    const Aggregated__Part *part = message->records[i];
    if (part->partition_key_index >= message->n_partition_key_table)
        return broken(why, "a part's partition key is not in its table");
    if (part->has_explicit_hash_key_index &&
        part->explicit_hash_key_index >= message->n_explicit_hash_key_table)
        return broken(why, "a part's explicit hash key is not in its table");

    *out = (struct aggregated_part){.partition_key = tables->keys[part->partition_key_index],
                                    .data = part->data.data,
                                    .length = part->data.len};
    const struct hash_key *hash = part->has_explicit_hash_key_index
                                      ? &tables->explicit_hashes[part->explicit_hash_key_index]
                                      : &tables->hashes[part->partition_key_index];
    out->hash_key = hash->number;
    return hash->is_number || broken(why, "a part's explicit hash key is not a number below 2^128");
}

static bool open_parts(struct aggregated *a, char why[AGGREGATED_WHY_SIZE]) {
    const Aggregated__Record *message = a->message;
    if (!check_counts(message, why))
        return false;
    _cleanup_(free_tables) struct tables tables;
    read_tables(a, message, &tables);
    a->parts = mem_resize(NULL, message->n_records, sizeof *a->parts);
    a->bytes += message->n_records * sizeof *a->parts;
    while (a->n < message->n_records && open_part(&a->parts[a->n], message, a->n, &tables, why))
        a->n++;
    return a->n == message->n_records;
}

bool aggregated_open(struct aggregated *a, const void *data, size_t length, char why[AGGREGATED_WHY_SIZE]) {
    *a = (struct aggregated){0};
    if (unpack(a, data, length, why) && open_parts(a, why))
        return true;
    aggregated_deinit(a);
    return false;
}

void aggregated_deinit(struct aggregated *a) {
    struct allowance none = {0};
    ProtobufCAllocator allocator = {take_allowance, free_allowance, &none};
    if (a->message)
        aggregated__record__free_unpacked(a->message, &allocator);
    free(a->parts);
    free(a->keys);
    *a = (struct aggregated){0};
}
