#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/gzip.h"
#include "base/mem.h"

/* Decompresses the data as gunzip does: exactly one member, and nothing behind it. */
static void assert_gunzips_to(const char *compressed, size_t compressed_length, const char *data,
                              size_t length) {
    _cleanup_(mem_freep) char *out = mem_alloc(length + 1), *in = mem_dup(compressed, compressed_length);
    z_stream stream = {.next_in = (Bytef *)in, .avail_in = (uInt)compressed_length};
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)length + 1;
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.total_out, length);
    assert_memory_equal(out, data, length);
    inflateEnd(&stream);
}

static void compressed_data_of_any_kind_is_decompressed_to_itself(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 1024, 70000, 4 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        _cleanup_(mem_freep) char *data = mem_alloc(lengths[i]);
        uint32_t x = 1;
        for (size_t k = 0; k < lengths[i]; k++) { /* first text, then noise, which only grows */
            x = x * 1664525 + 1013904223;
            data[k] = k < lengths[i] / 2 ? "abcabd"[k % 6] : (char)(x >> 24);
        }
        size_t length;
        _cleanup_(mem_freep) char *compressed = gzip_compress(data, lengths[i], &length);
        assert_gunzips_to(compressed, length, data, lengths[i]);
    }
}

static void equal_data_is_compressed_to_equal_bytes_without_a_time(void **state) {
    (void)state;
    size_t lengths[2];
    _cleanup_(mem_freep) char *one = gzip_compress("winner", 6, &lengths[0]);
    _cleanup_(mem_freep) char *two = gzip_compress("winner", 6, &lengths[1]);
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(one, two, lengths[0]);
    assert_memory_equal(one, "\x1f\x8b\x08\0\0\0\0\0", 8); /* RFC 1952, section 2.3: no flags, MTIME 0 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_data_of_any_kind_is_decompressed_to_itself),
        cmocka_unit_test(equal_data_is_compressed_to_equal_bytes_without_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
