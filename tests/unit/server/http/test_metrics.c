#include "server/http/metrics.h"

#include "base/metrics.h"
#include "tests/unit/support/test.h"

static char *written(void) {
    struct buffer text;
    buffer_init(&text, 1 << 20);
    metrics_write(&text);
    return buffer_detach(&text);
}

static void a_request_is_counted_under_its_routes_template(void **state) {
    (void)state;
    const struct route *route = route_named("/scores/{id}");
    http_metrics_request(route, "GET", 200, 90);
    http_metrics_request(route, "GET", 304, 300);
    http_metrics_request(route, "GET", 412, 1000000);
    http_metrics_request(route, "GET", 413, 1000000);
    _cleanup_(mem_freep) char *text = written();
    assert_contains(
        text, "winner_view_http_requests_total{route=\"/scores/{id}\",method=\"GET\",status=\"200\"} 1\n");
    assert_contains(
        text, "winner_view_http_requests_total{route=\"/scores/{id}\",method=\"GET\",status=\"304\"} 1\n");
    assert_contains(
        text, "winner_view_http_requests_total{route=\"/scores/{id}\",method=\"GET\",status=\"412\"} 1\n");
    assert_contains(
        text, "winner_view_http_requests_total{route=\"/scores/{id}\",method=\"GET\",status=\"413\"} 1\n");
    assert_contains(
        text, "winner_view_http_request_duration_seconds_bucket{route=\"/scores/{id}\",le=\"0.0001\"} 1\n");
    assert_contains(text, "winner_view_http_request_duration_seconds_count{route=\"/scores/{id}\"} 4\n");
}

static void unknown_methods_and_routes_do_not_make_labels(void **state) {
    (void)state;
    http_metrics_request(NULL, "BREW", 404, 1);
    http_metrics_request(NULL, "get", 404, 1);
    http_metrics_request(NULL, "", 299, 1);
    _cleanup_(mem_freep) char *text = written();
    assert_contains(
        text, "winner_view_http_requests_total{route=\"unmatched\",method=\"other\",status=\"404\"} 2\n");
    assert_contains(text,
                    "winner_view_http_requests_total{route=\"unmatched\",method=\"other\",status=\"0\"} 1\n");
    assert_lacks(text, "BREW");
}

static void the_connections_metric_counts_open_connections(void **state) {
    (void)state;
    http_metrics_connections(1);
    http_metrics_connections(1);
    http_metrics_connections(-1);
    _cleanup_(mem_freep) char *text = written();
    assert_contains(text, "\nwinner_view_http_connections 1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_counted_under_its_routes_template),
        cmocka_unit_test(unknown_methods_and_routes_do_not_make_labels),
        cmocka_unit_test(the_connections_metric_counts_open_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
