#include "ingest/deadletter/deadletter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/health.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "ingest/deadletter/internal.h"

static struct metrics_family dead_letters_family = {
    .name = "winner_view_dead_letters_total",
    .help = "Records that are not events, by reason; a replay counts them again.",
    .kind = METRICS_COUNTER,
    .labels = {"reason"},
};

static struct metrics_family writes_family = {
    .name = "winner_view_dead_letter_writes_total",
    .help = "Writes of dead letters, by result: written; refused (the letter goes to the log); failed (the "
            "write is retried).",
    .kind = METRICS_COUNTER,
    .labels = {"target", "result"},
};

static struct metrics_family refusing_family = {
    .name = "winner_view_dead_letter_target_refusing_since_timestamp_seconds",
    .help = "When the target began to refuse dead letters, which then go to the log. Absent while it accepts "
            "them.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"target"},
};

static const char trouble[] = "dead-letter";

struct deadletter {
    struct deadletter_target *target; /* NULL: the log */
    struct health *health;
    char *name; /* as it was given */
    struct metrics_series *refusing_since;
    atomic_bool cancelled;

    pthread_mutex_t lock; /* guards what follows, and reports of it; the lock of health comes after it */
    bool refusing;
    int64_t pause_ms;    /* between two attempts at a target that refuses */
    int64_t due_boot_ms; /* the next attempt */
};

static const char *of_kind(const char *target, const char *kind) {
    size_t length = strlen(kind);
    return strncmp(target, kind, length) == 0 ? target + length : NULL;
}

bool deadletter_is_target(const char *target) {
    const char *path = of_kind(target, "file:"), *url = of_kind(target, "sqs:");
    return strcmp(target, "log") == 0 || (path && *path) || (url && deadletter_sqs_is_queue(url));
}

static enum status open_target(struct deadletter_target **target, const struct deadletter_options *options,
                               struct error *e) {
    const char *path = of_kind(options->target, "file:"), *url = of_kind(options->target, "sqs:");
    *target = NULL;
    if (!deadletter_is_target(options->target))
        return error_set(
            e, STATUS_INVALID,
            "the dead letter target '%s' is invalid: allowed are log, file:PATH and "
            "sqs:URL, a queue's URL such as https://sqs.eu-west-1.amazonaws.com/123456789012/letters",
            options->target);
    return path  ? deadletter_file_open(target, path, e)
           : url ? deadletter_sqs_open(target, url, options, e)
                 : STATUS_OK;
}

static const char *target_name(const struct deadletter *d) {
    return d->target ? d->target->ops->name : "log";
}

enum status deadletter_open(struct deadletter **d, const struct deadletter_options *options,
                            struct error *e) {
    struct deadletter_target *target;
    enum status status = open_target(&target, options, e);
    *d = NULL;
    if (status)
        return status;
    *d = mem_zalloc(sizeof **d);
    (*d)->target = target;
    (*d)->health = options->health;
    (*d)->name = mem_strdup(options->target);
    pthread_mutex_init(&(*d)->lock, NULL);
    for (int reason = 0; reason < ENVELOPE_REASONS; reason++)
        METRICS_SERIES(&dead_letters_family, envelope_reason_name((enum envelope_reason)reason));
    METRICS_SERIES(&writes_family, target_name(*d), "written");
    (*d)->refusing_since = METRICS_SERIES(&refusing_family, target_name(*d));
    return STATUS_OK;
}

void deadletter_close(struct deadletter *d) {
    if (!d)
        return;
    if (d->target)
        d->target->ops->free(d->target);
    pthread_mutex_destroy(&d->lock);
    free(d->name);
    free(d);
}

void deadletter_cancel(struct deadletter *d) {
    atomic_store(&d->cancelled, true);
    if (d->target && d->target->ops->cancel)
        d->target->ops->cancel(d->target);
}

/* False: go to the log at once. While the target refuses, one caller tries it after each pause. */
static bool may_try(struct deadletter *d, int64_t now_boot_ms) {
    pthread_mutex_lock(&d->lock);
    bool may = !d->refusing || now_boot_ms >= d->due_boot_ms;
    if (d->refusing && may)
        d->due_boot_ms = now_boot_ms + d->pause_ms;
    pthread_mutex_unlock(&d->lock);
    return may;
}

/* One shard's letters may be refused while another's are taken. Reported under the lock, so that health and
 * metrics end with the latest state. */
static void note_refusal(struct deadletter *d, const struct error *why, int64_t now_real_ms,
                         int64_t now_boot_ms) {
    pthread_mutex_lock(&d->lock);
    bool first = !d->refusing;
    d->refusing = true;
    d->pause_ms = first ? LIMIT_DEAD_LETTER_REFUSED_FIRST_MS : d->pause_ms * 2;
    if (d->pause_ms > LIMIT_DEAD_LETTER_REFUSED_MS)
        d->pause_ms = LIMIT_DEAD_LETTER_REFUSED_MS;
    d->due_boot_ms = now_boot_ms + d->pause_ms;
    if (first)
        metrics_set(d->refusing_since, now_real_ms);
    bool must_log = health_raise_kind(d->health, trouble, why->code, why->message, now_real_ms, now_boot_ms);
    pthread_mutex_unlock(&d->lock);
    if (must_log)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", why->code, "requestId", why->request_id),
                  "dead letters go to the log: %s", why->message);
}

static void note_acceptance(struct deadletter *d) {
    pthread_mutex_lock(&d->lock);
    bool refused = d->refusing;
    d->refusing = false;
    if (refused) {
        metrics_hide(d->refusing_since);
        health_clear(d->health, trouble);
    }
    pthread_mutex_unlock(&d->lock);
    if (refused)
        log_info("dead letters go to '%s' again", d->name);
}

static void append_line(struct buffer *lines, const struct deadletter_letter *letter) {
    char sequence[POSITION_TEXT_SIZE], sub[16], length[24] = "";
    _cleanup_(deadletter_text_deinit) struct deadletter_text text;
    deadletter_text_init(&text, letter, LIMIT_LOGGED_LETTER_BYTES);
    snprintf(sub, sizeof sub, "%u", position_sub_sequence(&letter->position));
    if (!letter->cut)
        snprintf(length, sizeof length, "%zu", letter->length);
    log_append(lines, LOG_LEVEL_ERROR,
               LOG_FIELDS("shard", letter->shard_id, "sequenceNumber",
                          position_sequence(&letter->position, sequence), "subSequenceNumber", sub, "reason",
                          envelope_reason_name(letter->reason), "detail", letter->detail, "length", length,
                          "sha256", text.sha256, "truncated", text.truncated ? "true" : "false", "data",
                          text.data),
               "dead letter");
}

static void count_write(const char *target, const char *result, size_t n) {
    if (n)
        metrics_count(&writes_family, (const char *const[]){target, result, NULL}, (int64_t)n);
}

static size_t count_in(const struct deadletter_letter *letters, size_t n, enum deadletter_state state) {
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += letters[i].state == state;
    return found;
}

static void change(struct deadletter_letter *letters, size_t n, enum deadletter_state from,
                   enum deadletter_state to) {
    for (size_t i = 0; i < n; i++)
        if (letters[i].state == from)
            letters[i].state = to;
}

/* What the result shows about the target itself. */
static void judge(struct deadletter *d, enum status status, size_t taken, size_t refused,
                  const struct error *why, int64_t now_real_ms, int64_t now_boot_ms) {
    if (taken || status == STATUS_OK)
        note_acceptance(d);
    if (status == STATUS_FAILED)
        note_refusal(d, why, now_real_ms, now_boot_ms);
    else if (refused && status == STATUS_OK)
        log_write(LOG_LEVEL_WARN, LOG_FIELDS("error", why->code, "requestId", why->request_id),
                  "%zu dead letters go to the log: %s", refused, why->message);
}

static void note_written(struct deadletter_letter *letters, size_t n, enum deadletter_state state,
                         const char *target) {
    for (size_t i = 0; i < n; i++) {
        if (letters[i].state != state)
            continue;
        count_write(target, "written", 1);
        metrics_count(&dead_letters_family,
                      (const char *const[]){envelope_reason_name(letters[i].reason), NULL}, 1);
        letters[i].state = DEADLETTER_WRITTEN;
    }
}

enum { LOGGED_TOGETHER = 4096 }; /* bytes: what the log writes at once; a failure repeats no more */

static enum status log_lines(const struct deadletter *d, const struct buffer *lines, struct error *e) {
    if (lines->length && atomic_load(&d->cancelled))
        return error_set_code(e, STATUS_RETRY, "Cancelled", "it was cancelled");
    return log_deliver(lines, e);
}

/* Those that were refused, until the log does not take one. */
static enum status write_refused(const struct deadletter *d, struct deadletter_letter *letters, size_t n,
                                 struct error *e) {
    _cleanup_(buffer_deinit) struct buffer lines;
    buffer_init(&lines, LOGGED_TOGETHER + LIMIT_LOG_LINE_BYTES);
    enum status status = STATUS_OK;
    for (size_t i = 0, first = 0; !status && i < n; i++) {
        if (letters[i].state == DEADLETTER_REFUSED)
            append_line(&lines, &letters[i]);
        if (lines.length < LOGGED_TOGETHER && i + 1 < n)
            continue;
        status = log_lines(d, &lines, e);
        if (!status)
            note_written(letters + first, i + 1 - first, DEADLETTER_REFUSED, "log");
        buffer_clear(&lines);
        first = i + 1;
    }
    return status;
}

/* Refused letters that the log did not take are pending again. */
static enum status write_to_log(const struct deadletter *d, struct deadletter_letter *letters, size_t n,
                                struct error *e) {
    enum status status = write_refused(d, letters, n, e);
    if (!status)
        return STATUS_OK;
    count_write("log", "failed", count_in(letters, n, DEADLETTER_REFUSED));
    change(letters, n, DEADLETTER_REFUSED, DEADLETTER_PENDING);
    return error_wrap(e, "cannot write dead letters to the log");
}

enum status deadletter_write(struct deadletter *d, struct deadletter_letter *letters, size_t n,
                             int64_t now_real_ms, int64_t now_boot_ms, struct error *e) {
    struct error why = {0};
    enum status status = STATUS_OK;
    if (count_in(letters, n, DEADLETTER_WRITTEN) == n)
        return STATUS_OK;

    bool attempted = d->target && may_try(d, now_boot_ms);
    if (attempted)
        status = d->target->ops->write(d->target, letters, n, now_real_ms, &why);
    if (!attempted || status == STATUS_FAILED)
        change(letters, n, DEADLETTER_PENDING, DEADLETTER_REFUSED);
    size_t taken = count_in(letters, n, DEADLETTER_TAKEN), refused = count_in(letters, n, DEADLETTER_REFUSED);
    if (attempted)
        judge(d, status, taken, refused, &why, now_real_ms, now_boot_ms);
    if (d->target)
        count_write(target_name(d), "refused", refused);
    count_write(target_name(d), "failed", count_in(letters, n, DEADLETTER_PENDING));
    note_written(letters, n, DEADLETTER_TAKEN, target_name(d));
    struct error log_error;
    enum status logged = write_to_log(d, letters, n, &log_error);
    if (e && (status == STATUS_RETRY || logged))
        *e = status == STATUS_RETRY ? why : log_error;
    return status == STATUS_RETRY ? STATUS_RETRY : logged;
}
