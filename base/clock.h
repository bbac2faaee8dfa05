/*
 * clock: the only place where the program reads a clock. Logic takes `now` as an argument; loops and HTTP
 * handlers read it here. All times are milliseconds in an int64_t.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Wall clock, since the epoch. May jump. */
int64_t clock_real_ms(void);

/* CLOCK_BOOTTIME: never decreases, and also advances while the machine is suspended. For leases and
 * time-outs. */
int64_t clock_boot_ms(void);

/* The same in microseconds, for measurements. */
int64_t clock_boot_us(void);

/* One moment by two clocks: CLOCK_MONOTONIC_RAW, which is never slewed but stands still while the machine is
 * suspended, and CLOCK_BOOTTIME. */
struct clock_reading {
    int64_t raw_ms, boot_ms;
};

struct clock_reading clock_read(void);

#define CLOCK_TEXT_SIZE 32

/* "2026-11-23T04:36:00.123Z" (RFC 3339) into `out`; a time outside years 0 to 9999 is clamped. Returns `out`.
 */
const char *clock_format(int64_t real_ms, char out[CLOCK_TEXT_SIZE]);

/* RFC 3339 (section 5.6: offset or Z required, `t` and `z` and leap seconds allowed, fractions cut to
 * milliseconds). False if `text` is anything else. */
bool clock_parse(const char *text, size_t length, int64_t *real_ms);

/* HTTP's form (below) into `out`, cut to the second; years 1970 to 9999. Returns `out`. */
const char *clock_format_http(int64_t real_ms, char out[CLOCK_TEXT_SIZE]);

/* HTTP's form, "Mon, 23 Nov 2026 04:36:00 GMT" (RFC 9110 section 5.6.7, IMF-fixdate; the obsolete forms are
 * refused, and the name of the day is not compared with the date). False if `text` is anything else. */
bool clock_parse_http(const char *text, int64_t *real_ms);

#endif
