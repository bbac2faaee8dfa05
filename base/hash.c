#include "base/hash.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "base/random.h"

static uint64_t process_key[2];
static pthread_once_t drawn = PTHREAD_ONCE_INIT;

static void draw_key(void) {
    random_bytes(process_key, sizeof process_key);
}

static uint64_t rotate(uint64_t x, unsigned bits) {
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline void compress(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t hash_siphash13(const void *data, size_t length, uint64_t k0, uint64_t k1) {
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    const uint8_t *bytes = data;
    uint64_t word;
    size_t left = length;
    for (; left >= 8; left -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        compress(v, le64toh(word));
    }
    word = (uint64_t)length << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    compress(v, word);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *data, size_t length) {
    pthread_once(&drawn, draw_key);
    return hash_siphash13(data, length, process_key[0], process_key[1]);
}
