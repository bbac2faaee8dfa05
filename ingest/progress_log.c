#include "ingest/progress_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"

enum { TEXT_SIZE = 64, LINE_SIZE = 256 };

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

static void format_age(int64_t ms, char out[TEXT_SIZE]) {
    char age[TEXT_SIZE];
    format_time(ms, age);
    snprintf(out, TEXT_SIZE, ", %s behind", age);
}

/* What is most wanted stands first: a narrow terminal shows no more. */
static void describe(const struct freshness_progress *p, char line[LINE_SIZE]) {
    char percent[TEXT_SIZE] = "", left[TEXT_SIZE] = "unknown time", distance[TEXT_SIZE] = "",
         shards[TEXT_SIZE] = "";
    if (p->percent != FRESHNESS_UNKNOWN)
        snprintf(percent, sizeof percent, "%" PRId64 " %%, ", p->percent);
    if (p->left_ms != FRESHNESS_UNKNOWN)
        format_time(p->left_ms, left);
    if (p->bytes_left)
        snprintf(distance, sizeof distance, ", %.1f MB to read", (double)p->bytes_left / 1e6);
    else if (p->age_ms != FRESHNESS_UNKNOWN)
        format_age(p->age_ms, distance);
    if (p->shards > 1)
        snprintf(shards, sizeof shards, ", %zu of %zu shards behind", p->shards_behind, p->shards);
    snprintf(line, LINE_SIZE, "catching up: %s%s left, %" PRId64 " records/s%s%s", percent, left,
             p->record_rate, distance, shards);
}

static void write_line(const struct freshness_progress *p, const char *line) {
    char records[24], seconds[24];
    bool is_left_known = p->left_ms != FRESHNESS_UNKNOWN;
    snprintf(records, sizeof records, "%" PRId64, p->record_rate);
    snprintf(seconds, sizeof seconds, "%" PRId64, p->left_ms / 1000);
    log_write(LOG_LEVEL_INFO,
              LOG_FIELDS("#recordsPerSecond", records, is_left_known ? "#secondsLeft" : NULL, seconds), "%s",
              line);
}

static void set_status(struct progress_log *log, const char *line) {
    if (*line || log->has_status)
        log_status(line);
    log->has_status = *line;
}

static void report(struct progress_log *log, struct freshness *freshness, int64_t now_ms) {
    struct freshness_progress progress;
    char line[LINE_SIZE] = "";
    freshness_progress(freshness, now_ms, &progress);
    bool moves = progress.is_behind && progress.record_rate > 0;
    if (moves)
        describe(&progress, line);
    bool is_terminal = log_is_terminal();
    set_status(log, is_terminal ? line : "");
    if (moves && !is_terminal)
        write_line(&progress, line);
    log->was_caught_up = log->was_caught_up && !moves;
}

void progress_log_turn(struct progress_log *log, struct freshness *freshness, int64_t now_ms) {
    int64_t pause_ms = log_is_terminal() ? LIMIT_STATUS_LINE_MS : LIMIT_PROGRESS_LINE_MS;
    bool is_caught_up = freshness_is_caught_up(freshness, freshness_as_of(freshness));
    if (is_caught_up)
        set_status(log, "");
    if (is_caught_up && !log->was_caught_up)
        log_info("caught up");
    log->was_caught_up = log->was_caught_up || is_caught_up;
    if (is_caught_up || !log->next_ms)
        log->next_ms = now_ms + pause_ms;
    if (now_ms < log->next_ms)
        return;
    log->next_ms = now_ms + pause_ms;
    report(log, freshness, now_ms);
}

void progress_log_end(struct progress_log *log) {
    set_status(log, "");
}
