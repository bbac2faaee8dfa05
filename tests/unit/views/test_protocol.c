/* The protocol that keeps the scores exact (views/README.md), with failures at every step, on DynamoDB Local.
 * Each rule has a test that fails without it. */
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/store.h"

#include "base/clock.h"
#include "tests/unit/support/apply_batch.h"
#include "views/dynamodb/attributes.h"
#include "views/event_id.h"

#define SHARD "shardId-000000000000"
#define OTHER_SHARD "shardId-000000000001"
#define CACHE_BYTES (1 << 20)

/* The records. */

enum { EVENTS = 12 };

/* Three products, two merchants, one photographer; every rule of credit at least once. */
static const struct {
    enum event_kind kind;
    const char *product, *origin;
} events[EVENTS] = {
    {EVENT_CREATE, "hat", "w/merchant/1/Ann"},   {EVENT_PURCHASE, "hat", "w/web/9/Cid"},
    {EVENT_IMAGE, "hat", "w/photographer/2/Bo"}, {EVENT_PURCHASE, "hat", "w/web/9/Cid"},
    {EVENT_CREATE, "cap", "w/merchant/3/Dee"},   {EVENT_PURCHASE, "bow", "w/web/9/Cid"},
    {EVENT_CREATE, "bow", "w/merchant/1/Ann"},   {EVENT_PURCHASE, "cap", "w/web/9/Cid"},
    {EVENT_PURCHASE, "hat", "w/web/9/Cid"},      {EVENT_IMAGE, "cap", "w/photographer/2/Bo"},
    {EVENT_PURCHASE, "cap", "w/web/9/Cid"},      {EVENT_PURCHASE, "bow", "w/web/9/Cid"},
};

static const struct expected_score {
    const char *user_id;
    int64_t creator, photographer; /* 0: no row */
} expected_scores[] = {
    {"w/merchant/1/Ann", 3, 0},   {"w/merchant/3/Dee", 2, 0}, {"w/photographer/2/Bo", 0, 3},
    {CONTRIBUTION_UNKNOWN, 2, 2}, {"w/web/9/Cid", 0, 0},
};

struct test_records {
    struct apply_record records[EVENTS];
    char ids[EVENTS][EVENT_ID_SIZE];
};

static void make_records(struct test_records *s, const char *shard) {
    for (size_t i = 0; i < EVENTS; i++) {
        struct position at = position_from_u64(250 + i); /* positions of 1 byte and of 2 */
        s->records[i] = (struct apply_record){
            .event = {events[i].kind, event_id_format(shard, &at, s->ids[i]), events[i].product,
                      events[i].origin, 1000 + (int64_t)i},
            .position = at,
        };
    }
}

static enum status apply_part(struct apply *a, const struct test_records *s, size_t first, size_t end) {
    struct apply_counts counts;
    return apply_batch(a, s->records + first, end - first, NULL, &counts, &support_error);
}

static struct apply *new_tenure(struct fixture *t) {
    return apply_new(t->store, SHARD, &t->fence, NULL, CACHE_BYTES);
}

static void apply_freep(struct apply **a) {
    apply_free(*a);
}

/* The expected tables. */

static void check_score(struct fixture *t, const struct expected_score *x) {
    struct store_score scores[PEOPLE_ROLES];
    enum status status = read_people_scores(t->store, x->user_id, scores, &support_error);
    assert_int_equal(status, x->creator || x->photographer ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(scores[ROLE_CREATOR].score, x->creator);
    assert_int_equal(scores[ROLE_PHOTOGRAPHER].score, x->photographer);
    for (int role = 0; role < PEOPLE_ROLES; role++)
        store_score_deinit(&scores[role]);
}

static void check_row(struct fixture *t, const char *product, int64_t creator_score,
                      int64_t photographer_score, const char *last_event_id) {
    _cleanup_(contribution_freep) struct contribution *row = NULL;
    assert_ok(store_read_contribution(t->store, product, 0, &row, &support_error));
    assert_int_equal(row->creator_score, creator_score);
    assert_int_equal(row->photographer_score, photographer_score);
    assert_string_equal(row->last_event_id, last_event_id);
}

static void check_tables(struct fixture *t, const struct test_records *s) {
    support_no_faults(t);
    for (size_t i = 0; i < sizeof expected_scores / sizeof *expected_scores; i++)
        check_score(t, &expected_scores[i]);
    check_row(t, "hat", 3, 2, s->ids[8]);
    check_row(t, "cap", 2, 1, s->ids[10]);
    check_row(t, "bow", 2, 2, s->ids[11]);
}

/* The tests. */

static void applies_once(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    assert_ok(apply_part(a, &s, 0, 7));
    assert_ok(apply_part(a, &s, 7, EVENTS));
    check_tables(t, &s);
}

static void any_batch_boundaries(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    for (size_t i = 0; i < EVENTS; i++)
        assert_ok(apply_part(a, &s, i, i + 1));
    check_tables(t, &s);
}

/* A worker dies after `writes` writes (or writes without an answer), and loses its memory. Then a new tenure
 * resumes at the checkpoint, with other batch boundaries. */
static void crash_and_replay(struct fixture *t, enum fault fault, int writes, bool *crashed) {
    struct test_records s;
    make_records(&s, SHARD);
    support_fault(t, fault, NULL, writes, -1);
    struct apply *victim = new_tenure(t);
    *crashed = apply_part(victim, &s, 0, 7) || apply_part(victim, &s, 7, EVENTS);
    apply_free(victim);

    support_no_faults(t);
    _cleanup_(apply_freep) struct apply *heir = new_tenure(t);
    assert_ok(apply_part(heir, &s, 0, 3));
    assert_ok(apply_part(heir, &s, 3, 9));
    assert_ok(apply_part(heir, &s, 9, EVENTS));
    check_tables(t, &s);
}

static void crash_at_every_write(void **state, enum fault fault) {
    bool crashed = true;
    int points = 0;
    support_fixture(state);
    for (int writes = 0; crashed; writes++, points++) {
        void *own = NULL;
        assert_int_equal(support_setup(&own), 0);
        crash_and_replay(own, fault, writes, &crashed);
        support_teardown(&own);
    }
    assert_true(points > 10); /* 2 batches: 8 scores and 6 rows */
}

static void crash_before_every_write(void **state) {
    crash_at_every_write(state, FAULT_REFUSE);
}

static void crash_after_every_write(void **state) {
    crash_at_every_write(state, FAULT_LOSE_ANSWER);
}

/* The process continues after an outage: no row of the failed batch may be in its cache. */
static void outage_in_one_tenure(void **state, enum fault fault, const char *operation) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    assert_ok(apply_part(a, &s, 0, 4));
    support_fault(t, fault, operation, 0, -1);
    assert_int_equal(apply_part(a, &s, 4, 9), STATUS_RETRY);
    support_no_faults(t);
    assert_ok(apply_part(a, &s, 4, 9));
    assert_ok(apply_part(a, &s, 9, EVENTS));
    check_tables(t, &s);
}

static void contributions_not_written(void **state) {
    outage_in_one_tenure(state, FAULT_REFUSE, "PutItem");
}

static void contributions_written_unanswered(void **state) {
    outage_in_one_tenure(state, FAULT_LOSE_ANSWER, "PutItem");
}

static void scores_not_written(void **state) {
    outage_in_one_tenure(state, FAULT_REFUSE, "UpdateItem");
}

static void scores_written_unanswered(void **state) {
    outage_in_one_tenure(state, FAULT_LOSE_ANSWER, "UpdateItem");
}

static void one_answer_lost(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    support_fault(t, FAULT_LOSE_ANSWER, NULL, 3, 1);
    assert_ok(apply_part(a, &s, 0, 7)); /* sent again by the client; the condition fails */
    support_fault(t, FAULT_LOSE_ANSWER, "PutItem", 1, 1);
    assert_ok(apply_part(a, &s, 7, EVENTS));
    check_tables(t, &s);
}

/* A worker that lost its lease unnoticed continues for a while, behind and beside the new owner. */
static void lost_lease_continues(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *old = new_tenure(t);
    _cleanup_(apply_freep) struct apply *new = new_tenure(t);
    assert_ok(apply_part(old, &s, 0, 5));
    assert_ok(apply_part(new, &s, 0, 7));
    assert_ok(apply_part(old, &s, 5, 9)); /* over cached rows that are behind the table */
    assert_ok(apply_part(new, &s, 7, 10));
    assert_ok(apply_part(new, &s, 10, EVENTS));
    assert_ok(apply_part(old, &s, 9, EVENTS));
    check_tables(t, &s);
}

/* It continues when the new owner has applied all, with old rows in its cache, and applies a part again. */
static void lost_lease_continues_late(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *old = new_tenure(t);
    _cleanup_(apply_freep) struct apply *new = new_tenure(t);
    assert_ok(apply_part(old, &s, 0, 5));
    assert_ok(apply_part(new, &s, 5, EVENTS));
    assert_ok(apply_part(old, &s, 5, 8));
    check_tables(t, &s);
}

/* It writes ahead: the new owner's cached rows are behind the table, so the new owner's condition must fail.
 */
static void lost_lease_writes_ahead(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *old = new_tenure(t);
    _cleanup_(apply_freep) struct apply *new = new_tenure(t);
    assert_ok(apply_part(old, &s, 0, 5));
    assert_ok(apply_part(new, &s, 0, 5));
    assert_ok(apply_part(old, &s, 5, 9));
    assert_ok(apply_part(new, &s, 5, 7));
    assert_ok(apply_part(new, &s, 7, 10));
    assert_ok(apply_part(new, &s, 10, EVENTS));
    check_tables(t, &s);
}

/* Rows cached in an earlier tenure lack what other workers wrote since. */
static void tenure_begins_empty(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *first = new_tenure(t);
    assert_ok(apply_part(first, &s, 0, 7));
    _cleanup_(apply_freep) struct apply *second = new_tenure(t);
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    assert_ok(apply_part(second, &s, 0, 7));
    assert_int_equal(atomic_load(&t->faulty.sent), 1); /* one read, no write */
    assert_ok(apply_part(second, &s, 7, EVENTS));
    check_tables(t, &s);
}

static void nothing_is_sent_without_the_lease(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    assert_ok(apply_part(a, &s, 0, 7));
    fence_open_until(&t->fence, clock_boot_ms());
    support_no_faults(t);
    assert_int_equal(apply_part(a, &s, 7, EVENTS), STATUS_FAILED);
    assert_string_equal(support_error.code, "FenceShut");
    _cleanup_(apply_freep) struct apply *fresh = new_tenure(t); /* it has to read first */
    assert_int_equal(apply_part(fresh, &s, 7, EVENTS), STATUS_FAILED);
    assert_int_equal(atomic_load(&t->faulty.sent), 0);
    check_score(t, &(struct expected_score){"w/merchant/3/Dee", 0, 0});
}

static void shut_in_the_middle(struct aws_exchange *x, void *context) {
    struct faulty *f = context;
    struct fixture *t = (struct fixture *)((char *)f - offsetof(struct fixture, faulty));
    if (support_is_write(x->operation))
        fence_shut(&t->fence);
}

static void fence_shuts_between_writes(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    struct apply *a = new_tenure(t);
    support_no_faults(t);
    t->faulty.filter = shut_in_the_middle; /* after the first score: no contribution may follow */
    assert_int_equal(apply_part(a, &s, 0, 7), STATUS_FAILED);
    apply_free(a);
    support_no_faults(t);
    struct contribution *row = NULL;
    assert_int_equal(store_read_contribution(t->store, "hat", 0, &row, &support_error), STATUS_NOT_FOUND);

    fence_open_until(&t->fence, INT64_MAX);
    _cleanup_(apply_freep) struct apply *heir = new_tenure(t);
    assert_ok(apply_part(heir, &s, 0, EVENTS));
    check_tables(t, &s);
}

/* Both shards sell Ann's products, each under its own watermark. */
static void shards_share_a_score(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s, other;
    make_records(&s, SHARD);
    make_records(&other, OTHER_SHARD);
    for (size_t i = 0; i < EVENTS; i++)
        other.records[i].event.product_id = "sock"; /* created by Ann; 7 purchases */
    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    _cleanup_(apply_freep) struct apply *b = apply_new(t->store, OTHER_SHARD, &t->fence, NULL, CACHE_BYTES);
    assert_ok(apply_part(a, &s, 0, 4));
    assert_ok(apply_part(b, &other, 0, EVENTS));
    assert_ok(apply_part(a, &s, 4, EVENTS));

    _cleanup_(apply_freep) struct apply *again =
        apply_new(t->store, OTHER_SHARD, &t->fence, NULL, CACHE_BYTES);
    assert_ok(apply_part(again, &other, 0, EVENTS));
    check_score(t, &(struct expected_score){"w/merchant/1/Ann", 3 + 7, 0});
    check_row(t, "sock", 7, 6, other.ids[EVENTS - 1]);
}

/* With a malformed watermark the condition fails, and the reply does not show which records are counted. Any
 * further write would be a guess. */
static void unreasonable_refusal(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    struct aws_client *client;
    make_records(&s, SHARD);
    assert_ok(aws_client_new(&client, &aws_dynamodb, t->settings, NULL, &support_error));
    _cleanup_(mem_freep) char *table = mem_printf("%s-Scores", t->stage);
    assert_ok(dynamodb_once(client, "PutItem",
                            json_pack("{s:s,s:{s:o,s:o,s:o,s:o}}", "TableName", table, "Item", "userId",
                                      dynamodb_s("w/merchant/1/Ann"), "role", dynamodb_s("creator"), "score",
                                      dynamodb_n(5), "at0", dynamodb_s("not bytes")),
                            NULL, NULL, &support_error));
    aws_client_free(client);

    _cleanup_(apply_freep) struct apply *a = new_tenure(t);
    assert_int_equal(apply_part(a, &s, 0, 7), STATUS_FAILED);
    assert_string_equal(support_error.user_id, "w/merchant/1/Ann"); /* for the log alone */
    assert_null(strstr(support_error.message, "Ann"));
    check_score(t, &(struct expected_score){"w/merchant/1/Ann", 5, 0});
}

static void lower_watermark(struct aws_exchange *x, void *context) {
    (void)context;
    json_auto_t *reply = json_loadb(x->reply.data, x->reply.length, 0, NULL);
    json_t *item = json_object_get(reply, "Item");
    if (x->http_status != 400 || !item)
        return;
    json_object_set_new(item, "at0", dynamodb_b("", 1)); /* the position 0 */
    _cleanup_(mem_freep) char *text = json_dumps(reply, 0);
    aws_exchange_answer(x, 400, text);
}

/* The same with a well-formed watermark that is below all positions. */
static void unexplained_refusal(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    struct apply *first = new_tenure(t);
    support_fault(t, FAULT_REFUSE, "PutItem", 0, -1);
    assert_int_equal(apply_part(first, &s, 0, 7), STATUS_RETRY);
    apply_free(first);
    support_no_faults(t);
    t->faulty.filter = lower_watermark;
    _cleanup_(apply_freep) struct apply *second = new_tenure(t);
    assert_int_equal(apply_part(second, &s, 0, 7), STATUS_FAILED);
    assert_non_null(strstr(support_error.message, "below all positions"));
}

static void strip_item(struct aws_exchange *x, void *context) {
    (void)context;
    json_auto_t *reply = json_loadb(x->reply.data, x->reply.length, 0, NULL);
    if (x->http_status != 400 || json_object_del(reply, "Item") != 0)
        return;
    _cleanup_(mem_freep) char *text = json_dumps(reply, 0);
    aws_exchange_answer(x, 400, text);
}

/* A failed condition's reply without the row: the row is read. */
static void watermark_is_read(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    support_fault(t, FAULT_REFUSE, "PutItem", 0, -1);
    struct apply *victim = new_tenure(t);
    assert_int_equal(apply_part(victim, &s, 0, 9), STATUS_RETRY);
    apply_free(victim);

    support_no_faults(t);
    t->faulty.filter = strip_item;
    _cleanup_(apply_freep) struct apply *heir = new_tenure(t);
    assert_ok(apply_part(heir, &s, 0, EVENTS));
    check_tables(t, &s);
}

static atomic_int left_unprocessed;

static void leave_unprocessed(struct aws_exchange *x, void *context) {
    (void)context;
    if (strcmp(x->operation, "BatchGetItem") != 0 || atomic_fetch_sub(&left_unprocessed, 1) <= 0)
        return;
    json_auto_t *request = json_loadb(x->body, x->length, 0, NULL);
    json_auto_t *reply =
        json_pack("{s:{},s:O}", "Responses", "UnprocessedKeys", json_object_get(request, "RequestItems"));
    _cleanup_(mem_freep) char *text = json_dumps(reply, 0);
    aws_exchange_answer(x, 200, text);
}

/* An unprocessed key is not a missing row: taken for one, it would credit UNKNOWN. */
static void unprocessed_keys(void **state) {
    struct fixture *t = support_fixture(state);
    struct test_records s;
    make_records(&s, SHARD);
    struct apply *first = new_tenure(t);
    assert_ok(apply_part(first, &s, 0, 5));
    apply_free(first);
    atomic_store(&left_unprocessed, 3);
    t->faulty.filter = leave_unprocessed;
    _cleanup_(apply_freep) struct apply *second = new_tenure(t);
    assert_ok(apply_part(second, &s, 5, EVENTS));
    assert_true(atomic_load(&left_unprocessed) < 0);
    check_tables(t, &s);
}

enum { PRODUCTS = 250 };

struct many {
    char ids[2 * PRODUCTS][EVENT_ID_SIZE], products[PRODUCTS][16];
    struct apply_record records[2 * PRODUCTS];
};

/* All created, then all bought. */
static void make_many(struct many *m) {
    for (size_t i = 0; i < 2 * PRODUCTS; i++) {
        struct position at = position_from_u64(i);
        snprintf(m->products[i % PRODUCTS], sizeof *m->products, "p%zu", i % PRODUCTS);
        m->records[i] = (struct apply_record){
            .event = {i < PRODUCTS ? EVENT_CREATE : EVENT_PURCHASE, event_id_format(SHARD, &at, m->ids[i]),
                      m->products[i % PRODUCTS], "w/merchant/1/Ann", 1},
            .position = at,
        };
    }
}

static void apply_many(struct fixture *t, size_t cache_bytes) {
    static struct many m;
    struct apply_counts counts;
    make_many(&m);
    _cleanup_(apply_freep) struct apply *a = apply_new(t->store, SHARD, &t->fence, NULL, cache_bytes);
    assert_ok(apply_batch(a, m.records, PRODUCTS, NULL, &counts, &support_error));
    assert_ok(apply_batch(a, m.records + PRODUCTS, PRODUCTS, NULL, &counts, &support_error));
    assert_int_equal(counts.applied, PRODUCTS);
    check_score(t, &(struct expected_score){"w/merchant/1/Ann", PRODUCTS, 0});
}

/* More products than one BatchGetItem takes, with a cache for almost none. */
static void many_products(void **state) {
    apply_many(support_fixture(state), 4096);
}

/* More failures than the client retries. What was written is not sent again. */
static void parts_of_a_batch(void **state) {
    struct fixture *t = support_fixture(state);
    support_fault(t, FAULT_REFUSE, NULL, 0, -1);
    t->faulty.every = 3;
    apply_many(t, CACHE_BYTES);
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        support_test("a batch is applied once, whole", applies_once),
        support_test("the tables do not depend on the batch boundaries", any_batch_boundaries),
        support_test("a crash before any one write loses and repeats nothing", crash_before_every_write),
        support_test("a crash after any one write, unanswered, loses and repeats nothing",
                     crash_after_every_write),
        support_test("after contributions that were not written their rows are read again",
                     contributions_not_written),
        support_test("after contributions without an answer their rows are read again",
                     contributions_written_unanswered),
        support_test("scores that were not written are written again", scores_not_written),
        support_test("scores that were written without an answer are not counted again",
                     scores_written_unanswered),
        support_test("a batch is complete after one lost answer", one_answer_lost),
        support_test("the tables stay exact while a worker that lost its lease continues to write",
                     lost_lease_continues),
        support_test("a worker that lost its lease and continues late does not set rows back",
                     lost_lease_continues_late),
        support_test("the tables stay exact while a worker that lost its lease writes ahead of the new owner",
                     lost_lease_writes_ahead),
        support_test("a new tenure begins with an empty cache", tenure_begins_empty),
        support_test("a worker without its lease sends nothing to the store",
                     nothing_is_sent_without_the_lease),
        support_test("a fence that shuts between two writes stops the second one",
                     fence_shuts_between_writes),
        support_test("two shards add to one score without conflict", shards_share_a_score),
        support_test("a refusal with a malformed watermark is an error, not a retry", unreasonable_refusal),
        support_test("a refusal that a valid watermark does not explain is an error, not a retry",
                     unexplained_refusal),
        support_test("a watermark that is missing in the refusal is read", watermark_is_read),
        support_test("unprocessed keys of a read are read again", unprocessed_keys),
        support_test("a batch is written in parts while every third write fails", parts_of_a_batch),
        support_test("a batch may touch more products than one request reads", many_products),
    };
    return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
