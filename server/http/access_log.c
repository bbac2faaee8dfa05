#include "server/http/access_log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"

static const char *const cache_words[CACHE_STATES] = {
    [CACHE_FRESH] = "hit",   [CACHE_STALE] = "stale",         [CACHE_STALE_ON_ERROR] = "stale-if-error",
    [CACHE_LOADED] = "miss", [CACHE_COLLAPSED] = "coalesced",
};

/* A log line that is too long would lose all its fields. */
static void write_target(char *out, size_t size, const char *target) {
    size_t length = 0;
    for (; *target && length + 4 < size; target++) {
        unsigned char c = (unsigned char)*target;
        if (c > 0x20 && c < 0x7F)
            out[length++] = (char)c;
        else
            length += (size_t)snprintf(out + length, 4, "%%%02X", c);
    }
    out[length] = '\0';
}

void access_log_write(const struct access_log_entry *entry) {
    char target[LIMIT_LOGGED_TARGET_BYTES], status[16], ms[32], bytes[24];
    write_target(target, sizeof target, entry->target);
    snprintf(status, sizeof status, "%u", entry->status);
    snprintf(ms, sizeof ms, "%" PRId64 ".%03d", entry->us / 1000, (int)(entry->us % 1000));
    snprintf(bytes, sizeof bytes, "%zu", entry->bytes);
    const char *cache = entry->cached ? cache_words[entry->cache] : NULL;
    log_write(entry->status < 500 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
              LOG_FIELDS("method", entry->method, "target", target, "#status", status, "#ms", ms, "#bytes",
                         bytes, "requestId", entry->request_id, cache ? "cache" : NULL, cache),
              "request");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the rest; a leaf */
static int64_t second;                                   /* in which `written` lines were written */
static unsigned written;
static unsigned long left_out;

/* Whether this line may be written; `missed`: how many were not written since the last one. */
static bool may_write(int64_t now_ms, unsigned long *missed) {
    pthread_mutex_lock(&lock);
    if (now_ms / 1000 != second) {
        second = now_ms / 1000;
        written = 0;
    }
    bool may = written < LIMIT_ACCESS_LOG_LINES;
    *missed = may ? left_out : 0;
    left_out = may ? 0 : left_out + 1;
    written += may;
    pthread_mutex_unlock(&lock);
    return may;
}

void access_log_write_limited(const struct access_log_entry *entry, int64_t now_ms) {
    unsigned long missed;
    if (!may_write(now_ms, &missed))
        return;
    if (missed)
        log_warn("%lu more requests failed that are not listed: more than %d a second", missed,
                 LIMIT_ACCESS_LOG_LINES);
    access_log_write(entry);
}
