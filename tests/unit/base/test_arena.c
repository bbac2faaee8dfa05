#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "tests/unit/support/test.h"

enum { PIECES = 2000, PIECE = 16, LEAST_BLOCK = 4 << 10, LARGEST_BLOCK = 64 << 10 };

static size_t size_of(size_t i) {
    return i % 500 == 7 ? 3 * LARGEST_BLOCK : i % 90;
}

static void pieces_are_aligned_and_keep_their_bytes(void **state) {
    (void)state;
    struct arena a = {0};
    unsigned char *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = arena_alloc(&a, size_of(i));
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), size_of(i));
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t at = 0; at < size_of(i); at++)
            assert_int_equal(pieces[i][at], i % 251);
    arena_clear(&a);
}

/* A block is as large as all before it, up to a limit. */
static void an_arena_is_no_larger_than_its_pieces_need(void **state) {
    (void)state;
    struct arena a = {0};
    assert_int_equal(arena_size(&a), 0);
    for (size_t used = PIECE; used < 40 * LARGEST_BLOCK; used += PIECE) {
        arena_alloc(&a, 1);
        assert_in_range(arena_size(&a), used, 2 * used + LEAST_BLOCK);
        assert_in_range(arena_size(&a), used, used + used / 64 + LARGEST_BLOCK);
    }
    arena_clear(&a);
}

static void an_arena_that_was_cleared_is_empty_and_can_be_used(void **state) {
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < PIECES; i++)
        arena_alloc(&a, size_of(i));
    arena_clear(&a);
    assert_int_equal(arena_size(&a), 0);
    assert_string_equal(arena_strdup(&a, "again"), "again");
    arena_clear(&a);
    arena_clear(&a);
}

static void a_copy_of_a_text_is_another_piece_and_of_none_there_is_none(void **state) {
    (void)state;
    struct arena a = {0};
    char text[] = "text";
    const char *copy = arena_strdup(&a, text);
    text[0] = 'n';
    assert_string_equal(copy, "text");
    assert_string_equal(arena_strdup(&a, ""), "");
    assert_null(arena_strdup(&a, NULL));
    arena_clear(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_keep_their_bytes),
        cmocka_unit_test(an_arena_is_no_larger_than_its_pieces_need),
        cmocka_unit_test(an_arena_that_was_cleared_is_empty_and_can_be_used),
        cmocka_unit_test(a_copy_of_a_text_is_another_piece_and_of_none_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
