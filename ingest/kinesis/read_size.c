#include "ingest/kinesis/read_size.h"

enum {
    MOST_RECORDS = 10000,
    FIRST_RECORDS = 100,
    REPLY_BYTES = 1 << 20,
    FIRST_REPLY_BYTES = 1 << 17,
    GUESSED_RECORD_BYTES = 1024,
    FAST_MS = 1000,
    SLOW_MS = 5000,
};

static size_t record_bytes(const struct read_size *s) {
    return s->record_bytes ? s->record_bytes : GUESSED_RECORD_BYTES;
}

static void choose(struct read_size *s) {
    size_t most = s->began ? MOST_RECORDS : FIRST_RECORDS;
    size_t wanted = (s->began ? REPLY_BYTES : FIRST_REPLY_BYTES) / record_bytes(s);
    wanted = (wanted < most ? wanted : most) >> s->halvings;
    s->records = wanted ? (int)wanted : 1;
}

void read_size_init(struct read_size *s, size_t record_bytes) {
    *s = (struct read_size){.record_bytes = record_bytes};
    choose(s);
}

bool read_size_accepts(const struct read_size *s, size_t bytes) {
    return s->began || s->records == 1 || bytes <= 4 * FIRST_REPLY_BYTES;
}

bool read_size_halve(struct read_size *s) {
    if (s->records == 1)
        return false;
    s->halvings++;
    choose(s);
    return true;
}

void read_size_after_reply(struct read_size *s, size_t n, size_t bytes, int64_t took_ms) {
    s->last_bytes = bytes;
    if (n) {
        size_t average = bytes > n ? bytes / n : 1;
        s->record_bytes = s->began ? (3 * s->record_bytes + average) / 4 : average;
        s->began = true;
    }
    if (took_ms < FAST_MS && s->halvings)
        s->halvings--;
    choose(s);
    if (took_ms > SLOW_MS)
        read_size_halve(s);
}

void read_size_after_failure(struct read_size *s, int64_t took_ms) {
    if (took_ms > SLOW_MS)
        read_size_halve(s);
}

size_t read_size_expected(const struct read_size *s, bool behind) {
    return behind ? (size_t)s->records * record_bytes(s) : s->last_bytes;
}
