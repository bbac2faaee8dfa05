#include "views/event_id.h"

#include <inttypes.h>

#include "tests/unit/support/decimal.h"

#define NINES_80 "99999999999999999999999999999999999999999999999999999999999999999999999999999999"

static void an_event_id_is_parsed_into_its_parts(void **state) {
    (void)state;
    static const struct {
        const char *text, *shard, *sequence;
        uint32_t sub_sequence;
    } ids[] = {
        {"shardId-000000000002:49577", "shardId-000000000002", "49577", 0},
        {"shardId-000000000002:49577:3", "shardId-000000000002", "49577", 3},
        {"s:0", "s", "0", 0},
        {"s:0:0", "s", "0", 0},
        {"Az09_.-:1:4294967295", "Az09_.-", "1", 4294967295},
        {"s:" NINES_80, "s", NINES_80, 0},
    };
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct event_id id;
        assert_true(event_id_parse(ids[i].text, strlen(ids[i].text), &id));
        assert_int_equal(id.shard_length, strlen(ids[i].shard));
        assert_memory_equal(id.shard, ids[i].shard, id.shard_length);
        assert_int_equal(id.sequence_length, strlen(ids[i].sequence));
        assert_memory_equal(id.sequence, ids[i].sequence, id.sequence_length);
        assert_int_equal(id.sub_sequence, ids[i].sub_sequence);
    }
}

static void malformed_event_ids_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "s",
        "s:",
        ":1",
        ":",
        "s:1:",
        "s::1",
        "s:01",
        "s:00",
        "s:-1",
        "s:+1",
        "s: 1",
        "s:1 ",
        " s:1",
        "s:1.5",
        "s:1e3",
        "s:0x1",
        "s:1:01",
        "s:1:-1",
        "s:1:x",
        "s:1:4294967296",
        "s:1:99999999999",
        "s:1:2:3",
        "s/t:1",
        "s t:1",
        "\xc3\xa4:1",
        "s:\xd9\xa1",
        "s:" NINES_80 "9",
        "1",
        "s:1:18446744073709551617",
    };
    struct event_id id;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        print_message("'%s'\n", wrong[i]);
        assert_false(event_id_parse(wrong[i], strlen(wrong[i]), &id));
    }
    assert_false(event_id_parse("s\0:1", 4, &id));
    assert_false(event_id_parse("s:1\0", 4, &id));
    assert_false(event_id_parse("s:1\0:2", 6, &id));
}

static void a_shard_id_has_1_to_128_characters(void **state) {
    (void)state;
    char long_one[LIMIT_SHARD_ID_BYTES + 1];
    memset(long_one, 'a', sizeof long_one);
    assert_true(event_id_is_shard_id(long_one, LIMIT_SHARD_ID_BYTES));
    assert_false(event_id_is_shard_id(long_one, LIMIT_SHARD_ID_BYTES + 1));
    assert_false(event_id_is_shard_id("", 0));
    assert_false(event_id_is_shard_id("a\0", 2));
}

static struct event_id parsed(const char *text) {
    struct event_id id;
    if (!event_id_parse(text, strlen(text), &id))
        fail_msg("'%s' is refused", text);
    return id;
}

static void event_ids_are_compared_by_shard_then_numbers(void **state) {
    (void)state;
    static const char *const ascending[] = {
        "a:99",
        "s:0",
        "s:1",
        "s:1:1",
        "s:1:2",
        "s:1:10",
        "s:1:4294967295",
        "s:2",
        "s:9",
        "s:10",
        "s:99",
        "s:100",
        "s:" NINES_80,
        "shardId-000000000001:5",
        "shardId-000000000002:4",
        "shardId-000000000010:3",
        "t:1",
    };
    for (size_t i = 0; i < COUNT(ascending); i++)
        for (size_t j = 0; j < COUNT(ascending); j++) {
            struct event_id a = parsed(ascending[i]), b = parsed(ascending[j]);
            int order = event_id_compare(&a, &b);
            if ((order > 0) != (i > j) || (order < 0) != (i < j))
                fail_msg("%s against %s: %d", ascending[i], ascending[j], order);
        }
}

static void an_absent_sub_sequence_is_sub_sequence_0(void **state) {
    (void)state;
    struct event_id a = parsed("s:1"), b = parsed("s:1:0");
    assert_int_equal(event_id_compare(&a, &b), 0);
}

static void the_event_id_of_a_record_is_made_from_its_position(void **state) {
    (void)state;
    char text[EVENT_ID_SIZE];
    struct position p;
    assert_true(position_parse("49577", 5, 0, &p));
    assert_string_equal(event_id_format("shardId-000000000002", &p, text), "shardId-000000000002:49577");
    assert_true(position_parse("49577", 5, 3, &p));
    assert_string_equal(event_id_format("shardId-000000000002", &p, text), "shardId-000000000002:49577:3");
}

static void the_longest_event_id_fits(void **state) {
    (void)state;
    char text[EVENT_ID_SIZE], shard[LIMIT_SHARD_ID_BYTES + 1];
    memset(shard, 'z', sizeof shard - 1);
    shard[sizeof shard - 1] = '\0';
    struct position p;
    assert_true(position_parse(NINES_80, 80, UINT32_MAX, &p));
    event_id_format(shard, &p, text);
    assert_int_equal(strlen(text), EVENT_ID_SIZE - 1);
    struct event_id id = parsed(text);
    assert_int_equal(id.sub_sequence, UINT32_MAX);
}

/* Properties, at every length from 1 to 80 digits. */

/* A random id and its parts. */
struct drawn {
    char shard[LIMIT_SHARD_ID_BYTES + 1];
    char sequence[DECIMAL_SIZE];
    uint32_t sub;
    char text[EVENT_ID_SIZE];
};

/* Few shards, some a prefix of others, so that the numbers decide most comparisons. */
static void draw_shard(uint64_t *random, char out[LIMIT_SHARD_ID_BYTES + 1]) {
    static const char *const usual[] = {
        "shardId-000000000000", "shardId-000000000001", "shardId-00000000000", "a", "a.b", "Z"};
    uint32_t choice = support_random(random) % 24;
    if (choice < 20) {
        strcpy(out, usual[choice < 14 ? 0 : choice - 14]);
        return;
    }
    size_t length = 1 + support_random(random) % LIMIT_SHARD_ID_BYTES;
    for (size_t i = 0; i < length; i++)
        out[i] = "AZaz09_.-"[support_random(random) % 9];
    out[length] = '\0';
}

static void write_id(struct drawn *d) {
    struct position p;
    assert_true(position_parse(d->sequence, strlen(d->sequence), d->sub, &p));
    event_id_format(d->shard, &p, d->text);
}

static void an_event_id_of_any_length_is_parsed_into_its_parts(void **state) {
    (void)state;
    const uint64_t seed = decimal_seed();
    uint64_t random = seed;
    for (int i = 0; i < 100000; i++) {
        struct drawn d;
        char expected[EVENT_ID_SIZE];
        draw_shard(&random, d.shard);
        decimal_draw(&random, 1 + (size_t)i % LIMIT_SEQUENCE_DIGITS, d.sequence);
        d.sub = decimal_draw_sub(&random);
        write_id(&d);
        int n = snprintf(expected, sizeof expected, "%s:%s", d.shard, d.sequence);
        if (d.sub)
            snprintf(expected + n, sizeof expected - (size_t)n, ":%" PRIu32, d.sub);
        struct event_id id = parsed(d.text);
        if (strcmp(d.text, expected) != 0 || id.shard_length != strlen(d.shard) ||
            memcmp(id.shard, d.shard, id.shard_length) != 0 || id.sequence_length != strlen(d.sequence) ||
            memcmp(id.sequence, d.sequence, id.sequence_length) != 0 || id.sub_sequence != d.sub)
            fail_msg("seed %" PRIu64 ": '%s' is not '%s'", seed, d.text, expected);
    }
}

static int sign(int n) {
    return (n > 0) - (n < 0);
}

static void event_ids_are_ordered_by_shard_then_number_then_sub_sequence(void **state) {
    (void)state;
    const uint64_t seed = decimal_seed();
    uint64_t random = seed;
    for (int i = 0; i < 200000; i++) {
        struct drawn a, b;
        draw_shard(&random, a.shard);
        draw_shard(&random, b.shard);
        decimal_draw(&random, 1 + (size_t)i % LIMIT_SEQUENCE_DIGITS, a.sequence);
        decimal_draw_near(&random, a.sequence, b.sequence);
        a.sub = decimal_draw_sub(&random);
        b.sub = decimal_draw_sub(&random);
        write_id(&a);
        write_id(&b);
        int expected = sign(strcmp(a.shard, b.shard));
        if (!expected)
            expected = decimal_compare(a.sequence, b.sequence);
        if (!expected)
            expected = decimal_compare_subs(a.sub, b.sub);
        struct event_id x = parsed(a.text), y = parsed(b.text);
        if (sign(event_id_compare(&x, &y)) != expected || sign(event_id_compare(&y, &x)) != -expected)
            fail_msg("seed %" PRIu64 ": '%s' against '%s'", seed, a.text, b.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_id_is_parsed_into_its_parts),
        cmocka_unit_test(malformed_event_ids_are_refused),
        cmocka_unit_test(a_shard_id_has_1_to_128_characters),
        cmocka_unit_test(event_ids_are_compared_by_shard_then_numbers),
        cmocka_unit_test(an_absent_sub_sequence_is_sub_sequence_0),
        cmocka_unit_test(the_event_id_of_a_record_is_made_from_its_position),
        cmocka_unit_test(the_longest_event_id_fits),
        cmocka_unit_test(an_event_id_of_any_length_is_parsed_into_its_parts),
        cmocka_unit_test(event_ids_are_ordered_by_shard_then_number_then_sub_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
