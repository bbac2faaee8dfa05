/* sales: how much the shop sold. See handlers.h. */
#include "api/handlers.h"
#include "api/period_parameter.h"
#include "views/store.h"

enum { PART_PERIOD = 1 };

bool sales_prepare(const struct view *view, const struct request *request, struct cache_key *key,
                   struct problem *p) {
    char text[PERIOD_TEXT_SIZE];
    struct period period;
    if (!period_read_parameter(view, request, &period, p))
        return false;
    cache_key_make(key, SALES, period_format(period, text), NULL);
    return period_check(view, request, period, p);
}

enum status sales_load(const struct route_load *load, json_t **json, struct error *e) {
    const struct period period = period_of_key(load->parts[PART_PERIOD]);
    int64_t sales;
    enum status status = store_read_sales(load->view->store, period, load->deadline_ms, &sales, e);
    if (status != STATUS_OK)
        return status;
    *json = json_object();
    json_object_set_new(*json, "sales", json_integer(sales));
    json_object_set_new(*json, "period", period_json(load, period));
    json_object_set_new(*json, "asOf", view_time(load->view, load->as_of_ms));
    return STATUS_OK;
}
