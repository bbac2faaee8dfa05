/* operations: probes and metrics, answered from memory without the store. See handlers.h. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/pulse.h"

static struct metrics_family as_of_family = {
    .name = "winner_view_view_as_of_timestamp_seconds",
    .help = "Every event that reached the stream before this time is in the view.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
};

/* For containers and pods, which have no watchdog: reports what server/notifier.h reports to systemd. An HTTP
 * thread that hangs does not answer at all. */
struct answer *operations_livez(const struct view *view) {
    (void)view;
    char loop[LIMIT_SHARD_ID_BYTES + 1];
    bool stuck = pulse_find_late(clock_boot_ms(), loop, sizeof loop);
    json_t *json = json_object();
    json_object_set_new(json, "status", json_string(stuck ? "stuck" : "ok"));
    if (stuck)
        json_object_set_new(json, "loop", answer_text(loop));
    return answer_json(stuck ? 503 : 200, json);
}

/* Null: not known. */
static json_t *lag_json(const struct view *view, int64_t as_of_ms) {
    int64_t age_ms = view_age_ms(view, as_of_ms);
    return age_ms == INT64_MAX ? json_null() : json_integer(age_ms);
}

static json_t *number_or_null(bool is_known, int64_t number) {
    return is_known ? json_integer(number) : json_null();
}

static json_t *seconds_left(int64_t left_ms) {
    return number_or_null(left_ms != FRESHNESS_UNKNOWN, (left_ms + 999) / 1000);
}

static json_t *shard_json(const struct view *view, const struct freshness_state *state) {
    json_t *shard = json_object();
    json_object_set_new(shard, "shard", answer_text(state->shard_id));
    json_object_set_new(shard, "asOf", view_time(view, state->as_of_ms));
    json_object_set_new(shard, "lagMs", lag_json(view, state->as_of_ms));
    json_object_set_new(shard, "bytesLeft", number_or_null(state->bytes_left > 0, state->bytes_left));
    json_object_set_new(shard, "recordsPerSecond",
                        number_or_null(state->record_rate != FRESHNESS_UNKNOWN, state->record_rate));
    json_object_set_new(shard, "secondsLeft", seconds_left(state->left_ms));
    return shard;
}

static void set_shards(const struct view *view, json_t *json) {
    _cleanup_(mem_freep) struct freshness_state *states = NULL;
    size_t n = freshness_read(view->freshness, clock_boot_ms(), &states);
    json_t *shards = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(shards, shard_json(view, &states[i]));
    json_object_set_new(json, "secondsLeft", seconds_left(freshness_left(states, n)));
    json_object_set_new(json, "shards", shards);
}

/* A person's row can be in trouble only once the view has been reached: then there is a sealer. */
static void set_person(const struct view *view, json_t *trouble, const char *user_id) {
    if (!*user_id)
        return;
    _cleanup_(mem_freep) char *id = seal_make(view->sealer, SEAL_ID, user_id, strlen(user_id));
    json_object_set_new(trouble, "id", json_string(id));
}

static json_t *troubles_json(const struct view *view, const struct health_report *report) {
    json_t *json = json_array();
    for (size_t i = 0; i < report->n_troubles; i++) {
        json_t *trouble = json_object();
        json_object_set_new(trouble, "name", answer_text(report->troubles[i].name));
        json_object_set_new(trouble, "reason", answer_text(report->troubles[i].reason));
        json_object_set_new(trouble, "since", answer_time(report->troubles[i].since_ms));
        set_person(view, trouble, report->troubles[i].user_id);
        json_array_append_new(json, trouble);
    }
    return json;
}

static const char *status_word(const struct health_report *report, bool caught_up) {
    if (report->phase == HEALTH_STARTING)
        return "starting";
    if (report->phase == HEALTH_DRAINING)
        return "draining";
    if (report->n_troubles)
        return "degraded";
    return caught_up ? "ready" : "catching-up";
}

struct answer *operations_readyz(const struct view *view) {
    _cleanup_(health_report_deinit) struct health_report report;
    health_read(view->health, &report);
    int64_t as_of_ms = view_as_of(view, false);
    bool caught_up = view_is_caught_up(view, as_of_ms);
    json_t *json = json_object();
    json_object_set_new(json, "status", json_string(status_word(&report, caught_up)));
    json_object_set_new(json, "caughtUp", json_boolean(caught_up));
    json_object_set_new(json, "asOf", view_time(view, as_of_ms));
    set_shards(view, json);
    json_object_set_new(json, "troubles", troubles_json(view, &report));
    struct answer *answer = answer_json(report.phase == HEALTH_SERVING ? 200 : 503, json);
    view_set_as_of(view, answer, as_of_ms);
    return answer;
}

static void set_as_of_metric(const struct view *view) {
    struct metrics_series *series = METRICS_SERIES(&as_of_family, NULL);
    int64_t as_of_ms = view_as_of(view, false);
    if (as_of_ms == FRESHNESS_UNKNOWN)
        metrics_hide(series);
    else
        metrics_set(series, service_clock_tell(freshness_clock(view->freshness), as_of_ms));
}

struct answer *operations_metrics(const struct view *view) {
    struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    set_as_of_metric(view);
    metrics_forget(clock_boot_ms());
    metrics_write(&text);
    size_t length = text.length;
    return answer_new(200, "text/plain; version=0.0.4; charset=utf-8", buffer_detach(&text), length);
}
