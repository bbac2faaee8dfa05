#include "api/period_parameter.h"

#include <string.h>

#include "api/answer.h"
#include "views/freshness.h"

static bool keeps_kind(const struct view *view, enum period_kind kind) {
    return period_set_has(view->shape.periods, kind);
}

bool period_is_kept(const struct view *view, struct period period, int64_t now_ms) {
    return period.kind == PERIOD_ALL_TIME ||
           (keeps_kind(view, period.kind) && now_ms < period_expires_ms(period));
}

/* "day", "day:previous", or a name. */
static bool parse(const char *text, int64_t now_ms, struct period *period) {
    static const char previous[] = ":previous";
    char word[16];
    size_t length = strcspn(text, ":");
    if (period_parse(text, period))
        return true;
    if (length >= sizeof word || (text[length] && strcmp(text + length, previous) != 0))
        return false;
    memcpy(word, text, length);
    word[length] = '\0';
    if (!period_kind_from_name(word, &period->kind))
        return false;
    *period = period_of(period->kind, now_ms);
    if (text[length])
        *period = period_previous(*period);
    return true;
}

bool period_read_parameter(const struct view *view, const struct request *request, struct period *period,
                           struct problem *p) {
    const char *text = request_parameter(request, "period");
    *period = (struct period){0};
    return !text || parse(text, view_now(view), period) ||
           problem_set_parameter(p, "period", text,
                                 "hour, day, week or month, with or without :previous; or one as "
                                 "2026-11-29T14, 2026-11-29, 2026-W48, 2026-11");
}

struct period period_of_key(const char *name) {
    struct period period = {0};
    if (*name)
        period_parse(name, &period);
    return period;
}

static bool check_kind(const struct view *view, enum period_kind kind, const char *parameter,
                       const char *given, struct problem *p) {
    char kept[PERIOD_SET_TEXT_SIZE];
    if (keeps_kind(view, kind))
        return true;
    period_set_format(view->shape.periods, kept);
    problem_set(p, PROBLEM_PERIOD_NOT_KEPT, "the view does not keep periods of this kind; kept: %s", kept);
    problem_name_parameter(p, parameter, given ? given : "", kept);
    return false;
}

bool period_check(const struct view *view, const struct request *request, struct period period,
                  struct problem *p) {
    const char *text = request_parameter(request, "period");
    char until[CLOCK_TEXT_SIZE];
    if (!text)
        return true;
    if (!check_kind(view, period.kind, "period", text, p))
        return false;
    if (period_is_kept(view, period, view_now(view)))
        return true;
    clock_format(period_expires_ms(period), until);
    problem_set(p, PROBLEM_PERIOD_NOT_KEPT, "the period was kept until %s", until);
    problem_name_parameter(p, "period", text, "a later period");
    return false;
}

bool period_read_under_way(const struct view *view, const struct request *request, enum period_kind *kind,
                           struct problem *p) {
    const char *word = request_parameter(request, "period");
    *kind = PERIOD_ALL_TIME;
    if (!word)
        return true;
    return period_kind_from_name(word, kind)
               ? check_kind(view, *kind, "period", word, p)
               : problem_set_parameter(p, "period", word, "hour, day, week, month");
}

static enum period_kind default_kind(const struct view *view) {
    enum period_kind kind = PERIOD_HOUR;
    if (keeps_kind(view, PERIOD_DAY))
        return PERIOD_DAY;
    while (kind < PERIOD_MONTH && !keeps_kind(view, kind))
        kind++;
    return kind;
}

bool period_read_kind(const struct view *view, const struct request *request, enum period_kind *kind,
                      struct problem *p) {
    const char *word = request_parameter(request, "kind");
    *kind = default_kind(view);
    return !word || period_kind_from_name(word, kind) ||
           problem_set_parameter(p, "kind", word, "hour, day, week, month");
}

bool period_check_kind(const struct view *view, const struct request *request, enum period_kind kind,
                       struct problem *p) {
    return check_kind(view, kind, "kind", request_parameter(request, "kind"), p);
}

/* Its name; null if the view does not keep it, it has not begun, or there is none: in the years 0000 and 9999
 * the next and the one before are all time. */
static json_t *neighbour(const struct route_load *load, struct period period) {
    char text[PERIOD_TEXT_SIZE];
    bool shown = period.kind != PERIOD_ALL_TIME && period.start_ms <= load->now_ms &&
                 period_is_kept(load->view, period, load->now_ms);
    return shown ? json_string(period_format(period, text)) : json_null();
}

/* It grows for LIMIT_LATE_ARRIVAL_MS after its end (views/fold.h). Where events may have arrived in another
 * stream before, nobody knows when it is complete. */
bool period_is_final(const struct view *view, struct period period, int64_t as_of_ms) {
    int64_t reported_ms = view_reported(view, as_of_ms);
    return !freshness_has_foreign_arrivals(view->freshness) && as_of_ms != FRESHNESS_UNKNOWN &&
           reported_ms >= period_end_ms(period) + LIMIT_LATE_ARRIVAL_MS;
}

static json_t *final_json(const struct route_load *load, struct period period) {
    return freshness_has_foreign_arrivals(load->view->freshness)
               ? json_null()
               : json_boolean(period_is_final(load->view, period, load->as_of_ms));
}

json_t *period_json(const struct route_load *load, struct period period) {
    char text[PERIOD_TEXT_SIZE];
    if (period.kind == PERIOD_ALL_TIME)
        return json_null();
    json_t *json = json_object();
    json_object_set_new(json, "id", json_string(period_format(period, text)));
    json_object_set_new(json, "kind", json_string(period_kind_name(period.kind)));
    json_object_set_new(json, "start", answer_time(period.start_ms));
    json_object_set_new(json, "end", answer_time(period_end_ms(period)));
    json_object_set_new(json, "final", final_json(load, period));
    json_object_set_new(json, "previous", neighbour(load, period_previous(period)));
    json_object_set_new(json, "next", neighbour(load, period_next(period)));
    return json;
}
