/*
 * event_id: the input is two event ids, by newlines. What is accepted has the parts that a regular
 * expression finds, and is printed as it was written; the order is that of the parts, the numbers by OpenSSL.
 */
#include "views/event_id.h"

#include <openssl/bn.h>
#include <regex.h>

#include "tests/fuzz/fuzz.h"

#define DIGITS "(0|[1-9][0-9]*)"

enum { WHOLE, SHARD, SEQUENCE, SECOND, SUB, GROUPS };

struct id {
    char *text;
    size_t length;
    bool is_valid;
    struct event_id id;
    char *shard;
    BIGNUM *sequence, *sub;
};

static const regex_t *expression(void) {
    static regex_t compiled;
    static bool done;
    if (!done)
        FUZZ_CHECK(regcomp(&compiled, "^([A-Za-z0-9_.-]+):" DIGITS "(:" DIGITS ")?$", REG_EXTENDED) == 0,
                   "the C library");
    done = true;
    return &compiled;
}

/* The group's text; "0" if it is absent. The caller frees it. */
static char *group(const struct id *i, const regmatch_t *match) {
    return match->rm_so < 0 ? mem_strdup("0")
                            : mem_strndup(i->text + match->rm_so, (size_t)(match->rm_eo - match->rm_so));
}

static BIGNUM *number(const struct id *i, const regmatch_t *match) {
    _cleanup_(mem_freep) char *text = group(i, match);
    BIGNUM *made = NULL;
    BN_dec2bn(&made, text);
    return made;
}

static void check_parts(const struct id *i, const regmatch_t match[GROUPS]) {
    const struct event_id *id = &i->id;
    FUZZ_CHECK(id->shard == i->text && id->shard_length == strlen(i->shard), "'%s'", i->text);
    FUZZ_CHECK(id->sequence == i->text + match[SEQUENCE].rm_so &&
                   id->sequence_length == (size_t)(match[SEQUENCE].rm_eo - match[SEQUENCE].rm_so),
               "'%s'", i->text);
    FUZZ_CHECK(id->sub_sequence == BN_get_word(i->sub), "'%s': %u", i->text, id->sub_sequence);
    FUZZ_CHECK(event_id_is_shard_id(id->shard, id->shard_length), "'%s'", i->shard);
}

/* An id without a sub-sequence number of 0, made again of its parts, is the same text. */
static void check_printed(const struct id *i) {
    struct position position;
    char text[EVENT_ID_SIZE];
    FUZZ_CHECK(position_parse(i->id.sequence, i->id.sequence_length, i->id.sub_sequence, &position), "'%s'",
               i->text);
    event_id_format(i->shard, &position, text);
    size_t expected =
        i->length - (i->length > 2 && !i->id.sub_sequence && strcmp(i->text + i->length - 2, ":0") == 0 &&
                             strchr(i->text, ':') != i->text + i->length - 2
                         ? 2
                         : 0);
    FUZZ_CHECK(strlen(text) == expected && memcmp(text, i->text, expected) == 0, "'%s' became '%s'", i->text,
               text);
}

static bool judge(struct id *i, regmatch_t match[GROUPS]) {
    if (strlen(i->text) != i->length || regexec(expression(), i->text, GROUPS, match, 0))
        return false;
    i->shard = group(i, &match[SHARD]);
    i->sequence = number(i, &match[SEQUENCE]);
    i->sub = number(i, &match[SUB]);
    return strlen(i->shard) <= LIMIT_SHARD_ID_BYTES &&
           match[SEQUENCE].rm_eo - match[SEQUENCE].rm_so <= LIMIT_SEQUENCE_DIGITS &&
           BN_num_bits(i->sub) <= 32;
}

static void take(struct fuzz_input *in, struct id *i) {
    regmatch_t match[GROUPS];
    *i = (struct id){0};
    i->text = fuzz_take_text(in, '\n', &i->length);
    bool expected = judge(i, match);
    i->is_valid = event_id_parse(i->text, i->length, &i->id);
    FUZZ_CHECK(i->is_valid == expected, "'%s' is accepted: %d", i->text, i->is_valid);
    if (i->is_valid) {
        check_parts(i, match);
        check_printed(i);
    }
}

static int sign(int order) {
    return (order > 0) - (order < 0);
}

static void check_order(const struct id *a, const struct id *b) {
    int order = strcmp(a->shard, b->shard);
    if (!order)
        order = BN_cmp(a->sequence, b->sequence);
    if (!order)
        order = BN_cmp(a->sub, b->sub);
    FUZZ_CHECK(sign(event_id_compare(&a->id, &b->id)) == sign(order), "'%s' against '%s'", a->text, b->text);
}

static void drop(struct id *i) {
    free(i->text);
    free(i->shard);
    BN_free(i->sequence);
    BN_free(i->sub);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct id a, b;
    take(&in, &a);
    take(&in, &b);
    if (a.is_valid && b.is_valid) {
        check_order(&a, &b);
        check_order(&b, &a);
    }
    drop(&a);
    drop(&b);
    return 0;
}
