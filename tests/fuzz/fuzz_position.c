/*
 * position: the input is two places, each of a sequence number and a sub-sequence number, and the bytes of a
 * stored position, by newlines. What is accepted is printed as it was written, in text and in bytes, and the
 * order of positions is that of OpenSSL's big numbers.
 */
#include "views/position.h"

#include <openssl/bn.h>

#include "tests/fuzz/fuzz.h"

struct place {
    char *sequence;
    size_t length;
    uint32_t sub_sequence;
    bool is_valid;
    BIGNUM *number; /* of a valid one */
    struct position position;
};

static bool is_number(const struct place *p) {
    return p->length && strspn(p->sequence, "0123456789") == p->length &&
           (p->sequence[0] != '0' || p->length == 1);
}

static void check_text(const struct place *p) {
    char text[POSITION_TEXT_SIZE];
    position_sequence(&p->position, text);
    FUZZ_CHECK(strcmp(text, p->sequence) == 0, "'%s' became '%s'", p->sequence, text);
    FUZZ_CHECK(position_sub_sequence(&p->position) == p->sub_sequence, "%u", p->sub_sequence);
}

/* The form that views/position.h defines. */
static void check_bytes(const struct place *p) {
    uint8_t bytes[POSITION_BYTES];
    size_t size = (size_t)BN_num_bytes(p->number), length = 1 + size;
    struct position again;
    FUZZ_CHECK(size <= POSITION_MAGNITUDE_BYTES, "%zu", size);
    bytes[0] = (uint8_t)size;
    BN_bn2bin(p->number, bytes + 1);
    for (int shift = 24; p->sub_sequence && shift >= 0; shift -= 8)
        bytes[length++] = (uint8_t)(p->sub_sequence >> shift);
    FUZZ_CHECK(p->position.length == length && memcmp(p->position.bytes, bytes, length) == 0, "'%s'",
               p->sequence);
    FUZZ_CHECK(position_from_bytes(bytes, length, &again), "'%s'", p->sequence);
    FUZZ_CHECK(position_compare(&again, &p->position) == 0, "'%s'", p->sequence);
    if (size <= 8 && !p->sub_sequence) {
        again = position_from_u64(BN_get_word(p->number));
        FUZZ_CHECK(position_compare(&again, &p->position) == 0, "'%s'", p->sequence);
    }
}

static void take(struct fuzz_input *in, struct place *p) {
    size_t sub_length;
    p->number = NULL;
    p->sequence = fuzz_take_text(in, '\n', &p->length);
    _cleanup_(mem_freep) char *sub = fuzz_take_text(in, '\n', &sub_length);
    p->sub_sequence = (uint32_t)strtoul(sub, NULL, 10);
    p->is_valid = position_parse(p->sequence, p->length, p->sub_sequence, &p->position);
    FUZZ_CHECK(p->is_valid == (is_number(p) && p->length <= LIMIT_SEQUENCE_DIGITS), "'%s'", p->sequence);
    if (!p->is_valid)
        return;
    BN_dec2bn(&p->number, p->sequence);
    check_text(p);
    check_bytes(p);
}

static int sign(int order) {
    return (order > 0) - (order < 0);
}

static void check_order(const struct place *a, const struct place *b) {
    int sequences = BN_cmp(a->number, b->number),
        subs = (a->sub_sequence > b->sub_sequence) - (a->sub_sequence < b->sub_sequence);
    FUZZ_CHECK(sign(position_compare_sequences(&a->position, &b->position)) == sign(sequences),
               "'%s' against '%s'", a->sequence, b->sequence);
    FUZZ_CHECK(sign(position_compare(&a->position, &b->position)) == sign(sequences ? sequences : subs),
               "'%s':%u against '%s':%u", a->sequence, a->sub_sequence, b->sequence, b->sub_sequence);
    FUZZ_CHECK(position_compare(&a->position, &position_end) < 0, "'%s'", a->sequence);
}

/* Of bytes that are accepted, the text makes the same bytes. */
static void check_stored(const struct fuzz_input *stored) {
    struct position p, again;
    char text[POSITION_TEXT_SIZE];
    if (!position_from_bytes(stored->data, stored->size, &p))
        return;
    FUZZ_CHECK(p.length == stored->size && memcmp(p.bytes, stored->data, p.length) == 0, "%d", p.length);
    if (position_compare(&p, &position_end) == 0)
        return;
    position_sequence(&p, text);
    FUZZ_CHECK(position_parse(text, strlen(text), position_sub_sequence(&p), &again), "'%s'", text);
    FUZZ_CHECK(again.length == p.length && memcmp(again.bytes, p.bytes, p.length) == 0, "'%s'", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct place a, b;
    take(&in, &a);
    take(&in, &b);
    check_stored(&in);
    if (a.is_valid && b.is_valid) {
        check_order(&a, &b);
        check_order(&b, &a);
    }
    BN_free(a.number);
    BN_free(b.number);
    free(a.sequence);
    free(b.sequence);
    return 0;
}
