#include "ingest/progress_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

enum { TEXT_SIZE = 48 };

/* What the shards of this process add up to. */
struct sums {
    int64_t bytes_left;
    int64_t records; /* a second */
    int64_t left_ms;
};

static struct sums add_up(const struct freshness_state *states, size_t n) {
    struct sums sums = {.left_ms = freshness_left(states, n)};
    for (size_t i = 0; i < n; i++) {
        sums.bytes_left += states[i].bytes_left;
        sums.records += states[i].record_rate > 0 ? states[i].record_rate : 0;
    }
    return sums;
}

static void format_time(int64_t ms, char out[TEXT_SIZE]) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"days", 86400000}, {"h", 3600000}, {"min", 60000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ms >= 2 * units[i].ms) {
            snprintf(out, TEXT_SIZE, "%" PRId64 " %s", ms / units[i].ms, units[i].name);
            return;
        }
    snprintf(out, TEXT_SIZE, "%" PRId64 " s", ms / 1000);
}

/* A file has no age before its end is read. */
static void format_distance(const struct sums *sums, int64_t age_ms, char out[TEXT_SIZE + 8]) {
    char age[TEXT_SIZE];
    format_time(age_ms, age);
    if (sums->bytes_left)
        snprintf(out, TEXT_SIZE + 8, "%.1f MB to read", (double)sums->bytes_left / 1e6);
    else if (age_ms == INT64_MAX)
        snprintf(out, TEXT_SIZE + 8, "of unknown age");
    else
        snprintf(out, TEXT_SIZE + 8, "%s behind", age);
}

static void write_line(const struct sums *sums, int64_t age_ms) {
    char distance[TEXT_SIZE + 8], left[TEXT_SIZE], records[24], seconds[24];
    format_distance(sums, age_ms, distance);
    format_time(sums->left_ms, left);
    snprintf(records, sizeof records, "%" PRId64, sums->records);
    snprintf(seconds, sizeof seconds, "%" PRId64, sums->left_ms / 1000);
    bool is_known = sums->left_ms != FRESHNESS_UNKNOWN;
    log_write(LOG_LEVEL_INFO,
              LOG_FIELDS("#recordsPerSecond", records, is_known ? "#secondsLeft" : NULL, seconds),
              "catching up: %s, %s records/s, %s left", distance, records, is_known ? left : "unknown time");
}

void progress_log_turn(struct progress_log *log, struct freshness *freshness, int64_t caught_up_ms,
                       int64_t now_ms) {
    int64_t age_ms = service_clock_age_now(freshness_clock(freshness), freshness_as_of(freshness));
    if (age_ms <= caught_up_ms && !log->was_caught_up)
        log_info("caught up");
    log->was_caught_up = log->was_caught_up || age_ms <= caught_up_ms;
    if (age_ms <= caught_up_ms || !log->next_ms)
        log->next_ms = now_ms + LIMIT_PROGRESS_LINE_MS;
    if (now_ms < log->next_ms)
        return;
    log->next_ms = now_ms + LIMIT_PROGRESS_LINE_MS;

    _cleanup_(mem_freep) struct freshness_state *states = NULL;
    size_t n = freshness_read(freshness, now_ms, &states);
    const struct sums sums = add_up(states, n);
    if (!sums.records)
        return;
    write_line(&sums, age_ms);
    log->was_caught_up = false;
}
