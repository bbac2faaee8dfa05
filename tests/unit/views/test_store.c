/* The contract of every store (views/store.h). */
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/store.h"

#include "views/dynamodb/attributes.h"
#include "views/event_id.h"

#define SHARD "shardId-000000000000"

/* Making rows. */

static void put_score(struct fixture *t, enum role role, const char *user_id, size_t score,
                      uint64_t first_position) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(first_position, score);
    const struct store_score_write write = {{.role = role}, user_id,       positions,
                                            score,          1700000000123, "w/web/9/Cid"};
    const struct store_batch batch = {.shard_id = SHARD, .scores = &write, .n_scores = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

static struct contribution *make_row(const char *product, const char *event_id) {
    struct contribution *c = contribution_new(product);
    contribution_set_text(c, CONTRIBUTION_CREATOR, "w/merchant/1/Ann");
    contribution_set_text(c, CONTRIBUTION_PHOTOGRAPHER, "w/photographer/2/Bo");
    c->creator_score = 3;
    c->photographer_score = 2;
    contribution_set_text(c, CONTRIBUTION_LAST_EVENT_ID, event_id);
    contribution_set_text(c, CONTRIBUTION_PHOTOGRAPHER_EVENT_ID, SHARD ":1");
    c->created_ms = -1;
    c->updated_ms = 1700000000123;
    contribution_set_text(c, CONTRIBUTION_CREATED_BY, "w/merchant/1/Ann");
    contribution_set_text(c, CONTRIBUTION_UPDATED_BY, "w/web/9/Cid");
    return c;
}

static enum status put_row(struct fixture *t, struct contribution *row, const char *old) {
    _cleanup_(mem_freep) struct packed *write = pack_over(row, old);
    const struct store_batch batch = {.shard_id = SHARD, .contributions = &write, .n_contributions = 1};
    return store_write_batch(t->store, &batch, &t->context, &support_error);
}

/* Contributions. */

static void row_is_read_back(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(contribution_freep) struct contribution *row = make_row("häț \"1\"", SHARD ":7");
    _cleanup_(contribution_freep) struct contribution *back = NULL;
    assert_ok(put_row(t, row, NULL));
    assert_ok(store_read_contribution(t->store, row->product_id, 0, &back, &support_error));
    assert_string_equal(back->product_id, row->product_id);
    assert_string_equal(back->creator, row->creator);
    assert_string_equal(back->photographer, row->photographer);
    assert_string_equal(back->last_event_id, row->last_event_id);
    assert_string_equal(back->photographer_event_id, row->photographer_event_id);
    assert_string_equal(back->created_by, row->created_by);
    assert_string_equal(back->updated_by, row->updated_by);
    assert_int_equal(back->creator_score, 3);
    assert_int_equal(back->photographer_score, 2);
    assert_int_equal(back->created_ms, -1);
    assert_int_equal(back->updated_ms, 1700000000123);
}

static void row_is_written_only_over_what_was_read(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(contribution_freep) struct contribution *row = make_row("hat", SHARD ":7");
    assert_int_equal(put_row(t, row, SHARD ":6"), STATUS_CONFLICT); /* there is no row */
    assert_ok(put_row(t, row, NULL));
    assert_int_equal(put_row(t, row, NULL), STATUS_CONFLICT);
    assert_int_equal(put_row(t, row, SHARD ":6"), STATUS_CONFLICT);
    assert_ok(put_row(t, row, SHARD ":7"));
}

static void rows_are_returned_in_the_order_of_the_ids(void **state) {
    enum { ROWS = 230 };
    struct fixture *t = support_fixture(state);
    static char ids[ROWS][16];
    const char *asked[ROWS];
    struct contribution *rows[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof *ids, "p%zu", i);
        asked[i] = ids[i];
        _cleanup_(contribution_freep) struct contribution *row = make_row(ids[i], SHARD ":7");
        if (i % 3)
            assert_ok(put_row(t, row, NULL));
    }
    assert_ok(store_read_contributions(t->store, asked, ROWS, rows, &t->context, &support_error));
    for (size_t i = 0; i < ROWS; i++) {
        if (i % 3)
            assert_string_equal(rows[i]->product_id, ids[i]);
        else
            assert_null(rows[i]);
        contribution_free(rows[i]);
    }
}

static void missing_row_is_not_found(void **state) {
    struct fixture *t = support_fixture(state);
    struct contribution *row = NULL;
    struct store_score scores[PEOPLE_ROLES];
    assert_int_equal(store_read_contribution(t->store, "none", 0, &row, &support_error), STATUS_NOT_FOUND);
    assert_int_equal(read_people_scores(t->store, "none", scores, &support_error), STATUS_NOT_FOUND);
}

/* Scores. */

static void score_counts_each_position_once(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_score scores[PEOPLE_ROLES];
    put_score(t, ROLE_CREATOR, "Ann", 5, 100);
    put_score(t, ROLE_CREATOR, "Ann", 5, 100); /* all again */
    put_score(t, ROLE_CREATOR, "Ann", 5, 103); /* 103 and 104 again */
    put_score(t, ROLE_PHOTOGRAPHER, "Ann", 2, 100);
    assert_ok(read_people_scores(t->store, "Ann", scores, &support_error));
    assert_int_equal(scores[ROLE_CREATOR].score, 8);
    assert_int_equal(scores[ROLE_PHOTOGRAPHER].score, 2);
    assert_int_equal(scores[ROLE_CREATOR].updated_ms, 1700000000123);
    store_score_deinit(&scores[ROLE_CREATOR]);
    store_score_deinit(&scores[ROLE_PHOTOGRAPHER]);
}

static void rank_counts_contributors_above(void **state) {
    struct fixture *t = support_fixture(state);
    size_t above;
    bool tied;
    put_score(t, ROLE_CREATOR, "Ann", 3, 1);
    put_score(t, ROLE_CREATOR, "Bob", 3, 1);
    put_score(t, ROLE_CREATOR, "Cid", 7, 1);
    put_score(t, ROLE_CREATOR, "Dee", 8, 1);
    put_score(t, ROLE_CREATOR, CONTRIBUTION_UNKNOWN, 8, 1); /* never counted */
    assert_ok(store_read_rank(t->store, &board_all_time[ROLE_CREATOR], 3, "Ann", 1000, 0, &above, &tied,
                              &support_error));
    assert_int_equal(above, 2);
    assert_true(tied);
    assert_ok(store_read_rank(t->store, &board_all_time[ROLE_CREATOR], 8, "Dee", 1000, 0, &above, &tied,
                              &support_error));
    assert_int_equal(above, 0);
    assert_false(tied);
    assert_ok(store_read_rank(t->store, &board_all_time[ROLE_CREATOR], 1, "Eve", 2, 0, &above, &tied,
                              &support_error));
    assert_int_equal(above, 2); /* counted to the maximum */
}

/* Leases. */

static struct store_lease full_lease(void) {
    struct store_lease lease = {
        .shard_id = SHARD,
        .owner = "worker",
        .counter = 7,
        .tenure = "0123456789abcdef0123456789abcdef",
        .checkpoint = LEASE_AT_POSITION,
        .owner_switches = 2,
        .hash = {{1, 2, 3}},
        .as_of_ms = 1700000000123,
        .foreign_arrivals = true,
        .parents = {"shardId-000000000008", "shardId-000000000009"},
        .children = {"shardId-000000000010"},
        .starting_hash_key = "0",
        .ending_hash_key = "340282366920938463463374607431768211455",
    };
    static const char sequence[] = "49590338271490256608559692538361571095921575989136588898";
    position_parse(sequence, strlen(sequence), 3, &lease.position);
    return lease;
}

static void assert_same_lease(const struct store_lease *a, const struct store_lease *b) {
    assert_string_equal(a->shard_id, b->shard_id);
    assert_string_equal(a->owner, b->owner);
    assert_int_equal(a->counter, b->counter);
    assert_string_equal(a->tenure, b->tenure);
    assert_int_equal(a->checkpoint, b->checkpoint);
    if (a->checkpoint == LEASE_AT_POSITION) {
        assert_int_equal(position_compare(&a->position, &b->position), 0);
        assert_true(digest_is_same(&a->hash, &b->hash));
    }
    if (a->checkpoint == LEASE_AT_TIMESTAMP)
        assert_int_equal(a->start_at_ms, b->start_at_ms);
    assert_int_equal(a->owner_switches, b->owner_switches);
    assert_int_equal(a->as_of_ms, b->as_of_ms);
    assert_int_equal(a->foreign_arrivals, b->foreign_arrivals);
    for (int i = 0; i < STORE_LEASE_PARENTS; i++) {
        assert_string_equal(a->parents[i], b->parents[i]);
        assert_string_equal(a->children[i], b->children[i]);
    }
    assert_string_equal(a->starting_hash_key, b->starting_hash_key);
    assert_string_equal(a->ending_hash_key, b->ending_hash_key);
}

static void lease_is_read_back(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease(), *back;
    size_t n;
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    assert_int_equal(store_create_lease(t->store, &lease, &support_error), STATUS_CONFLICT);

    struct store_lease bare = {
        .shard_id = "shardId-000000000001", .checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = -1};
    assert_ok(store_create_lease(t->store, &bare, &support_error));
    struct store_lease timed = {
        .shard_id = "shardId-000000000002", .checkpoint = LEASE_AT_TIMESTAMP, .as_of_ms = -1};
    timed.start_at_ms = 1700000000000;
    assert_ok(store_create_lease(t->store, &timed, &support_error));

    assert_ok(store_read_leases(t->store, true, &back, &n, &support_error));
    assert_int_equal(n, 3);
    assert_same_lease(&back[0], &lease);
    assert_same_lease(&back[1], &bare);
    assert_same_lease(&back[2], &timed);
    free(back);
}

static void lease_is_written_over_exactly_what_was_read(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease(), after = lease, found, *back;
    size_t n;
    after.counter = 8;
    after.owner[0] = '\0';
    after.checkpoint = LEASE_SHARD_END;
    assert_int_equal(store_update_lease(t->store, &lease, &after, NULL, &found, &support_error),
                     STATUS_CONFLICT);
    assert_string_equal(found.shard_id, ""); /* there is no row */

    assert_ok(store_create_lease(t->store, &lease, &support_error));
    assert_ok(store_update_lease(t->store, &lease, &after, &t->fence, &found, &support_error));
    assert_ok(store_read_leases(t->store, true, &back, &n, &support_error));
    assert_same_lease(&back[0], &after);
    free(back);
    assert_int_equal(store_update_lease(t->store, &lease, &after, NULL, &found, &support_error),
                     STATUS_CONFLICT);
    assert_same_lease(&found, &after);
}

enum { CHANGES = 5 };

/* With another owner, counter or tenure: each alone must fail the condition. */
static struct store_lease changed(const struct store_lease *lease, int change) {
    struct store_lease out = *lease;
    strcpy(out.owner, change == 0 ? "other" : change == 1 ? "" : lease->owner);
    out.counter -= change == 2;
    strcpy(out.tenure, change == 3 ? "ffff" : change == 4 ? "" : lease->tenure);
    return out;
}

static void lease_condition_covers(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease(), found;
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    for (int i = 0; i < CHANGES; i++) {
        struct store_lease before = changed(&lease, i);
        assert_int_equal(store_update_lease(t->store, &before, &lease, NULL, &found, &support_error),
                         STATUS_CONFLICT);
        assert_same_lease(&found, &lease);
    }
}

static void lease_is_fenced(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease(), found;
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    fence_shut(&t->fence);
    assert_int_equal(store_update_lease(t->store, &lease, &lease, &t->fence, &found, &support_error),
                     STATUS_FAILED);
}

static void lease_is_deleted_only_as_it_was_read(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease(), *back;
    size_t n;
    assert_int_equal(store_delete_lease(t->store, &lease, NULL, &support_error), STATUS_CONFLICT);
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    for (int i = 0; i < CHANGES; i++) {
        struct store_lease before = changed(&lease, i);
        assert_int_equal(store_delete_lease(t->store, &before, NULL, &support_error), STATUS_CONFLICT);
    }
    fence_shut(&t->fence);
    assert_int_equal(store_delete_lease(t->store, &lease, &t->fence, &support_error), STATUS_FAILED);
    assert_ok(store_read_leases(t->store, true, &back, &n, &support_error));
    assert_int_equal(n, 1);
    free(back);
    fence_open_until(&t->fence, INT64_MAX);
    assert_ok(store_delete_lease(t->store, &lease, &t->fence, &support_error));
    assert_ok(store_read_leases(t->store, true, &back, &n, &support_error));
    assert_int_equal(n, 0);
    free(back);
}

static void released_lease_is_deleted(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease bare = {.shard_id = SHARD, .checkpoint = LEASE_SHARD_END, .as_of_ms = -1};
    assert_ok(store_create_lease(t->store, &bare, &support_error));
    assert_ok(store_delete_lease(t->store, &bare, &t->fence, &support_error));
}

/* The source of the store. */

static void belongs_to_its_first_source(void **state) {
    struct fixture *t = support_fixture(state);
    const struct store_source mine = {"arn:aws:kinesis:eu-west-1:1:stream/mine", 1700000000123};
    const struct store_source other = {"arn:aws:kinesis:eu-west-1:1:stream/other", 1700000000123};
    const struct store_source created_again = {"arn:aws:kinesis:eu-west-1:1:stream/mine", 1800000000000};
    uint8_t key[3][STORE_IDENTITY_KEY_BYTES];
    struct store_lease *leases;
    size_t n;

    assert_int_equal(bind_to(t->store, NULL, key[0], &support_error), STATUS_NOT_FOUND);
    assert_ok(bind_to(t->store, &mine, key[0], &support_error));
    assert_ok(bind_to(t->store, &mine, key[1], &support_error));
    assert_ok(bind_to(t->store, NULL, key[2], &support_error)); /* a process that only serves */
    assert_memory_equal(key[0], key[1], sizeof key[0]);
    assert_memory_equal(key[0], key[2], sizeof key[0]);

    assert_int_equal(bind_to(t->store, &other, key[1], &support_error), STATUS_INVALID);
    assert_non_null(strstr(support_error.message, mine.name));
    assert_non_null(strstr(support_error.message, other.name));
    assert_non_null(strstr(support_error.message, *t->folder ? "another file" : "another stage"));
    assert_int_equal(bind_to(t->store, &created_again, key[1], &support_error), STATUS_INVALID);
    assert_non_null(strstr(support_error.message, "2027-01-15T08:00:00.000Z"));

    assert_ok(store_read_leases(t->store, true, &leases, &n,
                                &support_error)); /* the source record is not a lease */
    assert_int_equal(n, 0);
    free(leases);
}

static void creating_again_changes_nothing(void **state) {
    struct fixture *t = support_fixture(state);
    put_score(t, ROLE_CREATOR, "Ann", 5, 100);
    assert_ok(store_create(t->store, NULL, &support_error));
    struct store_score scores[PEOPLE_ROLES];
    assert_ok(read_people_scores(t->store, "Ann", scores, &support_error));
    assert_int_equal(scores[ROLE_CREATOR].score, 5);
    store_score_deinit(&scores[ROLE_CREATOR]);
    store_score_deinit(&scores[ROLE_PHOTOGRAPHER]);
}

static void cancelled_store_answers_at_once(void **state) {
    struct fixture *t = support_fixture(state);
    struct contribution *row = NULL;
    store_cancel(t->store);
    assert_int_equal(store_read_contribution(t->store, "hat", 0, &row, &support_error), STATUS_FAILED);
    assert_string_equal(support_error.code, "Cancelled");
}

/* DynamoDB only. */

/* A call about the creator's row of Scores. `more`: members of the body, each with a comma before it. The
 * reply is the caller's. */
static json_t *call_on_score(struct fixture *t, const char *operation, const char *user_id,
                             const char *more) {
    _cleanup_(mem_freep) char *body =
        mem_printf("{\"TableName\":\"%s-Scores\",\"Key\":{\"userId\":{\"S\":\"%s\"},"
                   "\"role\":{\"S\":\"creator\"}}%s}",
                   t->stage, user_id, more);
    return support_call_dynamodb(t, operation, json_loads(body, 0, NULL));
}

/* NULL: none. */
static json_t *read_item(struct fixture *t, const char *user_id) {
    json_auto_t *reply = call_on_score(t, "GetItem", user_id, ",\"ConsistentRead\":true");
    return json_incref(json_object_get(reply, "Item"));
}

/* The row's `attribute` in hexadecimal digits; "": none. */
static void read_watermark(struct fixture *t, const char *user_id, const char *attribute, char out[96]) {
    json_auto_t *item = read_item(t, user_id);
    uint8_t bytes[40];
    size_t length = 0;
    dynamodb_get_b(item, attribute, bytes, sizeof bytes, &length);
    out[0] = '\0';
    for (size_t i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void assert_watermark(struct fixture *t, const char *user_id, const char *attribute,
                             const char *expected) {
    char found[96];
    read_watermark(t, user_id, attribute, found);
    assert_string_equal(found, expected);
}

static enum status count_one(struct fixture *t, const char *shard_id, const char *user_id, uint64_t at) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(at, 1);
    const struct store_score_write write = {{.role = ROLE_CREATOR}, user_id, positions, 1, 1, "w/web/9/Cid"};
    const struct store_batch batch = {.shard_id = shard_id, .scores = &write, .n_scores = 1};
    return store_write_batch(t->store, &batch, &t->context, &support_error);
}

static int64_t creator_score(struct fixture *t, const char *user_id) {
    struct store_score scores[PEOPLE_ROLES];
    assert_ok(read_people_scores(t->store, user_id, scores, &support_error));
    int64_t score = scores[ROLE_CREATOR].score;
    store_score_deinit(&scores[ROLE_CREATOR]);
    store_score_deinit(&scores[ROLE_PHOTOGRAPHER]);
    return score;
}

/* Removing watermarks. */

#define OTHER_SHARD "shardId-000000000012"

enum { DAY_MS = LIMIT_CLEANUP_INTERVAL_MS };
static const int64_t noon_ms = 1700000000000;

/* How the removal waits: at once, for `ends_at` times. */
struct pace {
    struct fixture *t;
    int waits, ends_at;
    void (*meanwhile)(struct fixture *t);
};

static bool wait_not(void *data, int ms) {
    struct pace *pace = data;
    assert_in_range(ms, 1, LIMIT_CLEANUP_RETRY_MS);
    if (pace->meanwhile)
        pace->meanwhile(pace->t);
    return ++pace->waits < pace->ends_at;
}

static enum status remove_paced(struct fixture *t, const char *shard_id, int64_t now_ms, struct pace *pace) {
    const struct store_pacer pacer = {wait_not, pace, NULL};
    pace->t = t;
    return store_remove_watermarks(t->store, &shard_id, 1, now_ms, &pacer, &support_error);
}

static enum status remove_of(struct fixture *t, const char *shard_id, int64_t now_ms) {
    struct pace pace = {.ends_at = 1000};
    return remove_paced(t, shard_id, now_ms, &pace);
}

static void bind_store(struct fixture *t) {
    static const struct store_source source = {"arn:aws:kinesis:x:1:stream/s", 5};
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    assert_ok(bind_to(t->store, &source, key, &support_error));
}

static void removed_watermarks_are_those_of_the_shard(void **state) {
    struct fixture *t = support_fixture(state);
    bind_store(t);
    assert_ok(count_one(t, SHARD, "Ann", 1));
    assert_ok(count_one(t, OTHER_SHARD, "Ann", 300));
    assert_ok(count_one(t, OTHER_SHARD, "Bob", 300));
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    assert_ok(remove_of(t, SHARD, noon_ms));
    assert_int_equal(atomic_load(&t->faulty.sent), 3); /* the claim, a page, a row */
    assert_watermark(t, "Ann", "at0", "");
    assert_watermark(t, "Ann", "at12", "02012c");
    assert_int_equal(creator_score(t, "Ann"), 2);
    assert_ok(count_one(t, OTHER_SHARD, "Ann", 300)); /* counted already */
    assert_int_equal(creator_score(t, "Ann"), 2);
}

static void removal_is_once_a_day(void **state) {
    struct fixture *t = support_fixture(state);
    assert_int_equal(remove_of(t, SHARD, noon_ms), STATUS_CONFLICT); /* a store of nobody */
    bind_store(t);
    assert_ok(count_one(t, SHARD, "Ann", 1));
    assert_ok(remove_of(t, OTHER_SHARD, noon_ms));
    assert_int_equal(remove_of(t, SHARD, noon_ms), STATUS_CONFLICT);
    assert_int_equal(remove_of(t, SHARD, noon_ms + DAY_MS - 1), STATUS_CONFLICT);
    assert_watermark(t, "Ann", "at0", "0101");
    assert_ok(remove_of(t, SHARD, noon_ms + DAY_MS));
    assert_watermark(t, "Ann", "at0", "");
    assert_ok(remove_of(t, SHARD, noon_ms)); /* the last time is a day ahead: a wrong clock wrote it */
}

static void row_of_many_shards_loses_all_their_watermarks(void **state) {
    enum { SHARDS = 1000 };
    struct fixture *t = support_fixture(state);
    static char ids[SHARDS][32];
    const char *shard_ids[SHARDS];
    struct pace pace = {.ends_at = 1000};
    const struct store_pacer pacer = {wait_not, &pace, NULL};
    bind_store(t);
    for (int i = 0; i < SHARDS; i++) {
        snprintf(ids[i], sizeof *ids, "shardId-%012d", i);
        shard_ids[i] = ids[i];
        assert_ok(count_one(t, ids[i], "Ann", 1));
    }
    json_auto_t *full = read_item(t, "Ann");
    assert_int_equal(json_object_size(full), 5 + SHARDS);
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    assert_ok(store_remove_watermarks(t->store, shard_ids, SHARDS, noon_ms, &pacer, &support_error));
    assert_int_equal(atomic_load(&t->faulty.sent), 2 + SHARDS / LIMIT_CLEANUP_NAMES);
    json_auto_t *bare = read_item(t, "Ann");
    assert_int_equal(json_object_size(bare), 5); /* userId, role, score, updated, updatedBy */
    assert_int_equal(creator_score(t, "Ann"), SHARDS);
}

static void let_ann_expire(struct fixture *t) {
    json_decref(call_on_score(t, "UpdateItem", "Ann",
                              ",\"UpdateExpression\":\"SET #e = :e\",\"ExpressionAttributeNames\":{\"#e\":"
                              "\"expires\"},\"ExpressionAttributeValues\":{\":e\":{\"N\":\"1\"}}"));
}

static void row_that_expires_keeps_its_watermarks(void **state) {
    struct fixture *t = support_fixture(state);
    bind_store(t);
    assert_ok(count_one(t, SHARD, "Ann", 1));
    let_ann_expire(t);
    assert_ok(remove_of(t, SHARD, noon_ms));
    assert_watermark(t, "Ann", "at0", "0101");
}

static void delete_ann(struct fixture *t) {
    json_decref(call_on_score(t, "DeleteItem", "Ann", ""));
}

/* The first write is refused often enough that the client gives up. */
static void removal_is_tried_again(void **state) {
    struct fixture *t = support_fixture(state);
    struct pace pace = {.ends_at = 1000};
    bind_store(t);
    assert_ok(count_one(t, SHARD, "Ann", 1));
    support_fault(t, FAULT_REFUSE, "UpdateItem", 1, 4);
    assert_ok(remove_paced(t, SHARD, noon_ms, &pace));
    assert_in_range(pace.waits, 1, 2);
    assert_watermark(t, "Ann", "at0", "");
    support_fault(t, FAULT_LOSE_ANSWER, "UpdateItem", 1, 1); /* sent again by the client */
    assert_ok(count_one(t, SHARD, "Ann", 1));
    support_fault(t, FAULT_LOSE_ANSWER, "UpdateItem", 1, 1);
    assert_ok(remove_of(t, SHARD, noon_ms + DAY_MS));
    assert_watermark(t, "Ann", "at0", "");
}

static void removal_makes_no_row(void **state) {
    struct fixture *t = support_fixture(state);
    struct pace pace = {.ends_at = 1000, .meanwhile = delete_ann};
    bind_store(t);
    assert_ok(count_one(t, SHARD, "Ann", 1));
    support_fault(t, FAULT_REFUSE, "UpdateItem", 1, 4);
    assert_ok(remove_paced(t, SHARD, noon_ms, &pace));
    json_auto_t *row = read_item(t, "Ann");
    assert_null(row);
}

static void removal_ends_when_it_is_stopped(void **state) {
    struct fixture *t = support_fixture(state);
    struct pace pace = {.ends_at = 1};
    bind_store(t);
    assert_ok(count_one(t, SHARD, "Ann", 1));
    support_fault(t, FAULT_REFUSE, "UpdateItem", 1, -1);
    assert_int_equal(remove_paced(t, SHARD, noon_ms, &pace), STATUS_RETRY);
    assert_int_equal(pace.waits, 1);
}

static void removal_ends_when_the_store_never_answers(void **state) {
    struct fixture *t = support_fixture(state);
    struct pace pace = {.ends_at = 1000};
    bind_store(t);
    support_fault(t, FAULT_REFUSE, "Scan", 0, -1);
    assert_int_equal(remove_paced(t, SHARD, noon_ms, &pace), STATUS_RETRY);
    assert_int_equal(pace.waits, LIMIT_CLEANUP_ROUNDS);
}

/* SQLite only. */

static struct store *open_again(const struct fixture *t) {
    char path[128];
    struct store *store;
    support_database(t, "", path, sizeof path);
    assert_ok(store_sqlite_open(&store, path, &support_error));
    return store;
}

static void one_process_writes(void **state) {
    struct fixture *t = support_fixture(state);
    const struct store_source source = {"file: mine", 0};
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    char pid[32];
    struct store *other = open_again(t);
    assert_ok(bind_to(t->store, &source, key, &support_error));
    assert_int_equal(bind_to(other, &source, key, &support_error), STATUS_INVALID);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(support_error.message, pid));
    assert_ok(bind_to(other, NULL, key, &support_error)); /* serving is allowed */
    store_free(t->store);
    t->store = other;
    assert_ok(bind_to(other, &source, key, &support_error)); /* the lock was released with its holder */
}

/* A score and two rows; the second one's condition fails. */
static void batch_is_a_transaction(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(mem_freep) const struct position **positions = support_positions(1, 1);
    _cleanup_(contribution_freep) struct contribution *row = make_row("hat", SHARD ":7");
    _cleanup_(contribution_freep) struct contribution *other = make_row("cap", SHARD ":8");
    const struct store_score_write score = {{.role = ROLE_CREATOR}, "Ann", positions, 1, 1, "w/web/9/Cid"};
    _cleanup_(mem_freep) struct packed *first = pack_over(row, NULL), *second = pack_over(other, SHARD ":7");
    struct packed *const rows[] = {first, second};
    const struct store_batch batch = {
        .shard_id = SHARD, .scores = &score, .n_scores = 1, .contributions = rows, .n_contributions = 2};
    struct store_score scores[PEOPLE_ROLES];
    struct contribution *back = NULL;
    assert_int_equal(store_write_batch(t->store, &batch, &t->context, &support_error), STATUS_CONFLICT);
    assert_int_equal(read_people_scores(t->store, "Ann", scores, &support_error), STATUS_NOT_FOUND);
    assert_int_equal(store_read_contribution(t->store, "hat", 0, &back, &support_error), STATUS_NOT_FOUND);
}

static enum status put_row_with_checkpoint(struct fixture *t, const char *tenure, uint64_t position) {
    _cleanup_(contribution_freep) struct contribution *row = make_row("hat", SHARD ":7");
    const struct store_checkpoint checkpoint = {tenure, position_from_u64(position), {{(uint8_t)position}}};
    _cleanup_(mem_freep) struct packed *write = pack_over(row, NULL);
    const struct store_batch batch = {
        .shard_id = SHARD, .contributions = &write, .n_contributions = 1, .checkpoint = &checkpoint};
    return store_write_batch(t->store, &batch, &t->context, &support_error);
}

static void checkpoint_is_in_the_batch(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease(), after, found, *back;
    size_t n;
    lease.position = position_from_u64(5);
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    assert_ok(put_row_with_checkpoint(t, lease.tenure, 9));

    after = lease; /* the renewal has read position 5 */
    after.counter++;
    assert_ok(store_update_lease(t->store, &lease, &after, &t->fence, &found, &support_error));
    assert_ok(store_read_leases(t->store, true, &back, &n, &support_error));
    after.position = position_from_u64(9);
    after.hash = (struct digest){{9}};
    assert_same_lease(&back[0], &after);
    free(back);
}

static void batch_of_an_ended_tenure_is_refused(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = full_lease();
    struct contribution *back = NULL;
    assert_ok(store_create_lease(t->store, &lease, &support_error));
    assert_int_equal(put_row_with_checkpoint(t, "ffffffffffffffffffffffffffffffff", 9), STATUS_FAILED);
    assert_string_equal(support_error.code, "LeaseLost");
    assert_int_equal(store_read_contribution(t->store, "hat", 0, &back, &support_error), STATUS_NOT_FOUND);
}

static void newer_tables_are_refused(void **state) {
    struct fixture *t = support_fixture(state);
    char path[128];
    struct store *store;
    sqlite3 *db = support_run_sql(t, "PRAGMA user_version = 99");
    sqlite3_close(db);
    support_database(t, "", path, sizeof path);
    assert_int_equal(store_sqlite_open(&store, path, &support_error), STATUS_INVALID);
    assert_non_null(strstr(support_error.message, "version 99"));
}

static void readers_do_not_wait(void **state) {
    struct fixture *t = support_fixture(state);
    struct contribution *back = NULL;
    sqlite3 *db =
        support_run_sql(t, "BEGIN IMMEDIATE; INSERT INTO scores VALUES ('Ann', 'creator', 1, 1, '', NULL)");
    assert_int_equal(store_read_contribution(t->store, "hat", 0, &back, &support_error), STATUS_NOT_FOUND);
    sqlite3_close(db);
}

#define CONTRACT(test)                                                                                       \
    test("a contribution is read back in every attribute", row_is_read_back),                                \
        test("a contribution is written only over what was read", row_is_written_only_over_what_was_read),   \
        test("rows are returned in the order of the ids, absent ones as NULL",                               \
             rows_are_returned_in_the_order_of_the_ids),                                                     \
        test("a missing row is not found", missing_row_is_not_found),                                        \
        test("a rank counts the contributors above and reports ties, without UNKNOWN",                       \
             rank_counts_contributors_above),                                                                \
        test("a lease is read back in every attribute", lease_is_read_back),                                 \
        test("a lease is written over exactly what was read", lease_is_written_over_exactly_what_was_read),  \
        test("a lease with another owner, counter or tenure fails the condition", lease_condition_covers),   \
        test("a lease is not written once its fence is shut", lease_is_fenced),                              \
        test("a lease is deleted only as it was read", lease_is_deleted_only_as_it_was_read),                \
        test("a lease without an owner can be deleted", released_lease_is_deleted),                          \
        test("a store belongs to its first source, and names both sides to another",                         \
             belongs_to_its_first_source),                                                                   \
        test("creating existing tables changes nothing", creating_again_changes_nothing),                    \
        test("a call to a cancelled store fails at once", cancelled_store_answers_at_once),

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest dynamodb[] = {
        CONTRACT(support_test) /* Its batches are no transactions: */
        support_test("a score counts each position once", score_counts_each_position_once),
        support_test("removed watermarks are those of the shard, in one write a row",
                     removed_watermarks_are_those_of_the_shard),
        support_test("watermarks are removed at most once a day", removal_is_once_a_day),
        support_test("a row of 1,000 shards loses all their watermarks",
                     row_of_many_shards_loses_all_their_watermarks),
        support_test("a row that expires keeps its watermarks", row_that_expires_keeps_its_watermarks),
        support_test("a removal that fails for now is tried again", removal_is_tried_again),
        support_test("a removal makes no row that was deleted", removal_makes_no_row),
        support_test("a removal ends when it is stopped", removal_ends_when_it_is_stopped),
        support_test("a removal ends when the store never answers",
                     removal_ends_when_the_store_never_answers),
    };
    const struct CMUnitTest sqlite[] = {
        CONTRACT(support_test_sqlite) /* It is a file: */
        support_test_sqlite("only one process at a time writes a database", one_process_writes),
        support_test_sqlite("a batch that fails writes nothing", batch_is_a_transaction),
        support_test_sqlite("a batch writes its checkpoint, which a renewal does not set back",
                            checkpoint_is_in_the_batch),
        support_test_sqlite("a batch of a tenure that is over is refused",
                            batch_of_an_ended_tenure_is_refused),
        support_test_sqlite("tables of a newer program are refused", newer_tables_are_refused),
        support_test_sqlite("readers do not wait for a writer", readers_do_not_wait),
    };
    int failed = cmocka_run_group_tests_name("store: dynamodb", dynamodb, NULL, NULL);
    return failed + cmocka_run_group_tests_name("store: sqlite", sqlite, NULL, NULL);
}
