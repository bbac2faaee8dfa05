#include "api/live/event_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "base/random.h"

const char *live_event_name(enum live_event kind) {
    static const char *const names[LIVE_EVENTS] = {"merchant", "photographer", "rows",
                                                   "sale",     "progress",     "freshness"};
    return names[kind];
}

/* Entries. */

static void clear_entry(struct event_log_entry *entry) {
    body_unref(entry->data);
    body_unref(entry->text);
    *entry = (struct event_log_entry){0};
}

static struct body *render(const struct event_log *log, enum live_event kind, uint64_t number,
                           const struct body *data) {
    char *text = mem_printf("event: %s\nid: %s-%" PRIu64 "\ndata: %.*s\n\n", live_event_name(kind),
                            log->epoch, number, (int)data->length, data->data);
    return body_new(text, strlen(text));
}

static struct event_log_entry *kept_at(struct event_log *log, size_t i) {
    return &log->kept[(log->first + i) % LIMIT_LIVE_HISTORY];
}

static void drop_oldest(struct event_log *log) {
    struct event_log_entry *oldest = kept_at(log, 0);
    log->lost = oldest->number;
    log->bytes -= oldest->text->length;
    clear_entry(oldest);
    log->first = (log->first + 1) % LIMIT_LIVE_HISTORY;
    log->n--;
}

static void forget_start(struct event_log *log) {
    body_unref(log->start);
    log->start = NULL;
}

/* Changes. */

size_t event_log_put(struct event_log *log, enum live_event kind, const struct body *data) {
    struct body *text = render(log, kind, ++log->last, data);
    while (log->n == LIMIT_LIVE_HISTORY || (log->n && log->bytes + text->length > LIMIT_LIVE_HISTORY_BYTES))
        drop_oldest(log);
    *kept_at(log, log->n++) = (struct event_log_entry){.number = log->last, .kind = kind, .text = text};
    log->bytes += text->length;
    forget_start(log);
    return text->length;
}

void event_log_replace(struct event_log *log, enum live_event kind, struct body *data) {
    event_log_set_state(log, kind, data);
    log->present[kind].number = ++log->last;
    log->present[kind].text = render(log, kind, log->last, data);
}

void event_log_set_state(struct event_log *log, enum live_event kind, struct body *data) {
    clear_entry(&log->present[kind]);
    log->present[kind] = (struct event_log_entry){.kind = kind, .data = data ? body_ref(data) : NULL};
    forget_start(log);
}

void event_log_clear(struct event_log *log) {
    for (enum live_event kind = 0; kind < LIVE_EVENTS; kind++)
        clear_entry(&log->present[kind]);
    while (log->n)
        drop_oldest(log);
    forget_start(log);
    log->last = log->lost = 0;
    random_hex(log->epoch, (LIVE_EPOCH_SIZE - 1) / 2);
}

void event_log_init(struct event_log *log) {
    *log = (struct event_log){0};
    event_log_clear(log);
}

void event_log_deinit(struct event_log *log) {
    event_log_clear(log);
}

/* Reading. */

/* Most readers have all but the last few. */
static const struct event_log_entry *next_kept(const struct event_log *log, uint64_t number) {
    const struct event_log_entry *found = NULL;
    for (size_t i = log->n; i > 0; i--) {
        const struct event_log_entry *entry = &log->kept[(log->first + i - 1) % LIMIT_LIVE_HISTORY];
        if (entry->number <= number)
            break;
        found = entry;
    }
    return found;
}

const struct event_log_entry *event_log_next(const struct event_log *log, uint64_t number) {
    const struct event_log_entry *found = next_kept(log, number);
    for (enum live_event kind = 0; kind < LIVE_EVENTS; kind++) {
        const struct event_log_entry *entry = &log->present[kind];
        if (entry->number > number && (!found || entry->number < found->number))
            found = entry;
    }
    return found;
}

bool event_log_has_lost(const struct event_log *log, uint64_t number) {
    return number < log->lost;
}

bool event_log_has_start(const struct event_log *log) {
    for (enum live_event kind = 0; kind < LIVE_EVENTS; kind++)
        if (log->present[kind].data)
            return true;
    return false;
}

/* Only with the last event the reader has everything up to the number, so only that one has the id. */
static void append_present(const struct event_log *log, enum live_event kind, bool is_last,
                           struct buffer *text) {
    const struct body *data = log->present[kind].data;
    buffer_printf(text, "event: %s\n", live_event_name(kind));
    if (is_last)
        buffer_printf(text, "id: %s-%" PRIu64 "\n", log->epoch, log->last);
    buffer_printf(text, "data: ");
    buffer_append(text, data->data, data->length);
    buffer_printf(text, "\n\n");
}

static struct body *make_start(const struct event_log *log) {
    struct buffer text;
    enum live_event last = 0;
    buffer_init(&text, LIMIT_LIVE_START_BYTES);
    for (enum live_event kind = 0; kind < LIVE_EVENTS; kind++)
        if (log->present[kind].data)
            last = kind;
    for (enum live_event kind = 0; kind <= last; kind++)
        if (log->present[kind].data)
            append_present(log, kind, kind == last, &text);
    size_t length = text.length;
    return body_new(buffer_detach(&text), length);
}

struct body *event_log_start(struct event_log *log) {
    if (!log->start && event_log_has_start(log))
        log->start = make_start(log);
    return log->start;
}

bool event_log_find(const struct event_log *log, const char *id, uint64_t *number) {
    char exact[LIVE_ID_SIZE];
    const size_t length = strlen(log->epoch);
    if (!id || strncmp(id, log->epoch, length) != 0 || id[length] != '-')
        return false;
    const uint64_t found = strtoull(id + length + 1, NULL, 10);
    snprintf(exact, sizeof exact, "%s-%" PRIu64, log->epoch, found);
    *number = found;
    return strcmp(id, exact) == 0 && found <= log->last && !event_log_has_lost(log, found);
}
