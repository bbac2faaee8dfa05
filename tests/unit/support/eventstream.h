/* Messages of aws/eventstream.h, as a service sends them. */
#ifndef TESTS_UNIT_SUPPORT_EVENTSTREAM_H
#define TESTS_UNIT_SUPPORT_EVENTSTREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

static inline void support_put_u32(uint8_t *at, size_t number) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static inline size_t support_put_header(uint8_t *out, const char *name, const char *value) {
    size_t name_length = strlen(name), length = strlen(value);
    *out++ = (uint8_t)name_length;
    memcpy(out, name, name_length);
    out += name_length;
    *out++ = 7;
    *out++ = 0;
    *out++ = (uint8_t)length;
    memcpy(out, value, length);
    return name_length + length + 4;
}

/* A message with these headers (name, value, ...; NULL after the last); returns its length. */
static inline size_t support_make_message(uint8_t *out, const char *const *headers, const char *payload,
                                          size_t length) {
    size_t n = 12;
    for (; *headers; headers += 2)
        n += support_put_header(out + n, headers[0], headers[1]);
    support_put_u32(out, n + length + 4);
    support_put_u32(out + 4, n - 12);
    support_put_u32(out + 8, crc32(0, out, 8));
    memcpy(out + n, payload, length);
    support_put_u32(out + n + length, crc32(0, out, (uInt)(n + length)));
    return n + length + 4;
}

#define SUPPORT_MESSAGE(out, payload, ...)                                                                   \
    support_make_message((out), (const char *const[]){__VA_ARGS__, NULL}, (payload), strlen(payload))

/* The headers of an event, and of an exception. */
#define SUPPORT_EVENT ":message-type", "event", ":event-type", "SubscribeToShardEvent"
#define SUPPORT_EXCEPTION(name) ":message-type", "exception", ":exception-type", name

#endif
