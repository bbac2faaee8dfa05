#include "api/news.h"

#include "api/people.h"
#include "api/products.h"
#include "views/period.h"

static const char *sales_word(const struct view *view) {
    static const char *const words[] = {
        [FRESHNESS_READS_NONE] = "none", [FRESHNESS_READS_SOME] = "some", [FRESHNESS_READS_ALL] = "all"};
    return words[freshness_reads(view->freshness)];
}

static json_t *periods_json(const struct view *view) {
    json_t *json = json_array();
    for (enum period_kind kind = PERIOD_HOUR; kind <= PERIOD_MONTH; kind++)
        if (period_set_has(view->shape.periods, kind))
            json_array_append_new(json, json_string(period_kind_name(kind)));
    return json;
}

json_t *news_freshness(const struct view *view, int64_t as_of_ms) {
    json_t *json = json_object();
    json_object_set_new(json, "asOf", view_time(view, as_of_ms));
    json_object_set_new(json, "caughtUp", json_boolean(view_is_caught_up(view, as_of_ms)));
    json_object_set_new(json, "time", answer_time(service_clock_wall(freshness_clock(view->freshness))));
    json_object_set_new(json, "sales", json_string(sales_word(view)));
    json_object_set_new(json, "periods", periods_json(view));
    json_object_set_new(json, "bestSellers", json_boolean(view->shape.best_sellers));
    return json;
}

static json_t *number(int64_t number) {
    return number == FRESHNESS_UNKNOWN ? json_null() : json_integer(number);
}

json_t *news_progress(const struct view *view, int64_t now_ms) {
    struct freshness_progress p;
    freshness_progress(view->freshness, now_ms, &p);
    if (!p.is_behind || (p.record_rate <= 0 && p.left_ms <= 0))
        return NULL;
    json_t *json = json_object();
    json_object_set_new(json, "percent", number(p.percent));
    json_object_set_new(json, "eventsPerSecond", number(p.record_rate));
    json_object_set_new(json, "secondsLeft",
                        number(p.left_ms == FRESHNESS_UNKNOWN ? p.left_ms : (p.left_ms + 999) / 1000));
    json_object_set_new(json, "shardsBehind", json_integer((json_int_t)p.shards_behind));
    json_object_set_new(json, "shards", json_integer((json_int_t)p.shards));
    return json;
}

static json_t *person(const struct view *view, const char *user_id) {
    if (!user_id)
        return json_null();
    json_t *json = json_object();
    people_set(view, json, user_id);
    return json;
}

json_t *news_sale(const struct view *view, const struct sale *sale) {
    json_t *json = json_object();
    json_object_set_new(json, "productId", answer_text(sale->product_id));
    json_object_set_new(json, "name", products_text(sale->name));
    json_object_set_new(json, "merchant", person(view, sale->merchant));
    json_object_set_new(json, "photographer", person(view, sale->photographer));
    json_object_set_new(json, "time", answer_time(sale->time_ms));
    json_object_set_new(json, "skipped", json_integer((json_int_t)(sale->n - 1)));
    return json;
}
