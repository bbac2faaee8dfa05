#include "base/gzip.h"

#define ZLIB_CONST
#include <limits.h>
#include <zlib.h>

#include "base/mem.h"

enum {
    LEVEL = 4,            /* within 5% of the best for boards, in half its time: 0.3 ms for 20 KB */
    WINDOW_BITS = 15 + 16 /* 16: a gzip header, not zlib's */
};

/* Only an allocation can fail. */
static void check(int code, int expected) {
    if (code != expected)
        mem_exhausted();
}

char *gzip_compress(const void *data, size_t length, size_t *compressed_length) {
    z_stream stream = {.next_in = data};
    if (length > UINT_MAX / 2)
        mem_exhausted();
    check(deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY), Z_OK);
    size_t capacity = deflateBound(&stream, length);
    char *out = mem_alloc(capacity);
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)capacity;
    check(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *compressed_length = capacity - stream.avail_out;
    deflateEnd(&stream);
    return mem_resize(out, *compressed_length, 1);
}
