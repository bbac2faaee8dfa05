#include "api/view.h"

#include "api/problem.h"
#include "base/clock.h"

int64_t view_as_of(const struct view *view, bool from_index) {
    if (!from_index || !store_is_index_late(view->store))
        return freshness_as_of(view->freshness);
    return freshness_as_of_at(view->freshness, clock_boot_ms() - view->options.index_allowance_ms);
}

int64_t view_now(const struct view *view) {
    struct service_clock *clock = freshness_clock(view->freshness);
    int64_t now_ms = service_clock_now(clock);
    if (now_ms == SERVICE_CLOCK_UNKNOWN)
        return clock_real_ms();
    return service_clock_tell(clock, now_ms + service_clock_age_now(clock, now_ms));
}

int64_t view_reported(const struct view *view, int64_t as_of_ms) {
    return service_clock_tell(freshness_clock(view->freshness), as_of_ms);
}

void view_set_as_of(const struct view *view, struct answer *answer, int64_t as_of_ms) {
    answer_set_as_of(answer, as_of_ms, view_reported(view, as_of_ms));
}

json_t *view_time(const struct view *view, int64_t as_of_ms) {
    return answer_time(view_reported(view, as_of_ms));
}

int64_t view_age_ms(const struct view *view, int64_t as_of_ms) {
    return service_clock_age_now(freshness_clock(view->freshness), as_of_ms);
}

bool view_is_caught_up(const struct view *view, int64_t as_of_ms) {
    return freshness_is_caught_up(view->freshness, as_of_ms);
}

struct answer *view_answer(const struct view *view, json_t *json, int64_t as_of_ms) {
    struct answer *answer = answer_json(200, json);
    view_set_as_of(view, answer, as_of_ms);
    answer->cache_control = view->cache_control;
    answer_set_etag(answer);
    answer->value.keep = true;
    return answer;
}

struct answer *view_missing(const struct view *view, const char *what, int64_t as_of_ms) {
    struct problem p;
    bool caught_up = view_is_caught_up(view, as_of_ms);
    if (caught_up)
        problem_set(&p, PROBLEM_NOT_FOUND, "there is no such %s", what);
    else
        problem_set(&p, PROBLEM_VIEW_NOT_READY,
                    "there is no such %s yet; the view is still catching up with its stream", what);
    struct answer *answer = problem_answer(&p);
    view_set_as_of(view, answer, as_of_ms);
    answer->value.keep = caught_up;
    answer->value.negative = true;
    return answer;
}
