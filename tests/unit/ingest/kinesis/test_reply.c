/*
 * The cases are tests/data/get_records.json: `reply`; `after`, the position that was read last; `expect`, the
 * records with their data in base64 (a `key` of null: it is a broken aggregated record), when the last
 * arrived, and the ids of the children; null: the reply is malformed.
 */
#include "ingest/kinesis/reply.h"

#include "base/base64.h"
#include "tests/unit/support/test.h"

static struct position position_of(const char *sequence, const json_t *sub) {
    struct position position;
    assert_true(position_parse(sequence, strlen(sequence), (uint32_t)json_integer_value(sub), &position));
    return position;
}

static void assert_record(const struct source_record *record, const json_t *expected) {
    const char *data = support_text(expected, "data"), *key = support_text(expected, "key");
    struct position position =
        position_of(support_text(expected, "sequence"), json_object_get(expected, "sub"));
    size_t length;
    _cleanup_(mem_freep) uint8_t *bytes = base64_decode(data, strlen(data), &length);
    assert_int_equal(position_compare(&record->position, &position), 0);
    assert_int_equal(record->length, length);
    assert_memory_equal(record->data, bytes, length);
    assert_int_equal(record->broken != NULL, key == NULL);
    if (key)
        assert_string_equal(record->partition_key, key);
}

static void assert_reply(const struct kinesis_reply *r, const json_t *expect) {
    const json_t *records = json_object_get(expect, "records"),
                 *children = json_object_get(expect, "children");
    assert_int_equal(r->n, json_array_size(records));
    for (size_t i = 0; i < r->n; i++)
        assert_record(&r->records[i], json_array_get(records, i));
    assert_int_equal(r->last_arrival_ms, json_integer_value(json_object_get(expect, "lastArrivalMs")));
    assert_int_equal(r->n_children, json_array_size(children));
    for (size_t i = 0; i < r->n_children; i++)
        assert_string_equal(r->children[i].id, json_string_value(json_array_get(children, i)));
}

static void check_case(void **state) {
    const json_t *one = *state, *after = json_object_get(one, "after"),
                 *expect = json_object_get(one, "expect");
    const struct aggregated_range range = {0};
    struct kinesis_reply r = {0};
    struct position position;
    struct error e;
    json_auto_t *reply = json_deep_copy(json_object_get(one, "reply"));
    if (after)
        position = position_of(json_string_value(json_array_get(after, 0)), json_array_get(after, 1));
    enum status status = kinesis_reply_take(&r, reply, after ? &position : NULL, &range, &e);
    assert_int_equal(status, json_is_null(expect) ? STATUS_RETRY : STATUS_OK);
    kinesis_reply_take_children(&r, reply);
    if (!status)
        assert_reply(&r, expect);
    kinesis_reply_deinit(&r);
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    return support_run_cases("tests/data/get_records.json", check_case);
}
