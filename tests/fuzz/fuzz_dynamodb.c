/*
 * Replies of DynamoDB, as the store reads them (views/dynamodb): which call of the store, whether it
 * succeeds, then replies, each ended by a record separator (RFC 7464). What is read is compared with the
 * attributes of the replies, number by number and text by text: a row is read as it is, or refused.
 */
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>

#include "aws/settings.h"
#include "aws/transport.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/contribution.h"
#include "views/dynamodb/store.h"
#include "views/fold.h"

#define SEPARATOR '\x1e'

enum { REPLIES = 4, BOARD_ROWS = 5 };

/* The service. Where it has no reply left, it does not answer. */

static struct {
    struct aws_transport transport;
    char *replies[REPLIES];
    size_t n, sent;
    long http_status;
} service;

static void answer(const struct aws_transport *transport, struct aws_session *session,
                   struct aws_exchange *x) {
    (void)transport;
    size_t i = service.sent++;
    if (i < service.n)
        aws_exchange_answer(x, i ? 200 : service.http_status, service.replies[i]);
    else
        aws_exchange_fail(x, "no reply left");
    aws_session_finish(session, x, 0);
}

/* The store's pauses take no time. */
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
    return n ? __real_poll(fds, n, timeout_ms) : 0;
}

static struct store *store(void) {
    static const struct store_dynamodb_options options = {.stage = "dev"};
    static struct aws_settings *settings;
    static struct store *made;
    struct error e;
    if (made)
        return made;
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    setenv("AWS_MAX_ATTEMPTS", "1", 1);
    service.transport = (struct aws_transport){.send = answer};
    enum status status = aws_settings_load(&settings, &e);
    if (!status)
        status = store_dynamodb_open(&made, &options, settings, &service.transport, &e);
    FUZZ_CHECK(!status, "%s", e.message);
    return made;
}

/* The second opinion of an attribute. */

/* The member `type` of the attribute; NULL if there is none. */
static json_t *attribute(const json_t *item, const char *name, const char *type) {
    return json_object_get(json_object_get(item, name), type);
}

static void check_text(const json_t *item, const char *name, const char *read) {
    const json_t *value = attribute(item, name, "S");
    FUZZ_CHECK(!read == !value, "%s: '%s'", name, read ? read : "");
    FUZZ_CHECK(!read ||
                   (strlen(read) == json_string_length(value) && strcmp(read, json_string_value(value)) == 0),
               "%s: '%s'", name, read);
}

/* In the leases a text that is not there is "". */
static void check_text_or_empty(const json_t *item, const char *name, const char *read) {
    check_text(item, name, *read || attribute(item, name, "S") ? read : NULL);
}

/* Without leading zeros, as DynamoDB and printf write numbers. */
static char *canonical(const char *text) {
    const char *sign = *text == '-' ? "-" : "";
    text += *sign ? 1 : 0;
    while (*text == '0' && text[1])
        text++;
    return mem_printf("%s%s", *text == '0' ? "" : sign, text);
}

static void check_number(const json_t *item, const char *name, int64_t otherwise, int64_t read) {
    const char *text = json_string_value(attribute(item, name, "N"));
    FUZZ_CHECK(!json_object_get(item, name) || text, "%s is no number", name);
    _cleanup_(mem_freep) char *expected = text ? canonical(text) : mem_printf("%" PRId64, otherwise);
    _cleanup_(mem_freep) char *again = mem_printf("%" PRId64, read);
    FUZZ_CHECK(strcmp(expected, again) == 0, "%s: '%s' read as %s", name, text ? text : "", again);
}

/* NULL if there was another. */
static json_t *first_reply(void) {
    return service.sent == 1 ? json_loads(service.replies[0], JSON_ALLOW_NUL, NULL) : NULL;
}

/* The calls. */

static void check_failed(enum status status, const struct error *e) {
    FUZZ_CHECK(status == e->status && *e->message, "%d", status);
    FUZZ_CHECK(utf8_is_valid(e->message, strlen(e->message)), "%s", e->message);
}

static void check_contribution(const json_t *item, const struct contribution *row) {
    FUZZ_CHECK(row->product_id && row->last_event_id, "no id");
    for (size_t i = 0; item && i < CONTRIBUTION_TEXTS; i++)
        check_text(item, contribution_text_names[i], contribution_text(row, i));
    for (size_t i = 0; item && i < CONTRIBUTION_NUMBERS; i++)
        check_number(item, contribution_number_names[i], 0, contribution_number(row, i));
}

static void read_contribution(void) {
    struct contribution *row;
    struct error e = {0};
    enum status status = store_read_contribution(store(), "p", 0, &row, &e);
    json_auto_t *reply = first_reply();
    if (status) {
        check_failed(status, &e);
        return;
    }
    check_contribution(json_object_get(reply, "Item"), row);
    contribution_free(row);
}

/* Keys of the index, then the rows of these keys. */
static void list_of_owner(void) {
    static const struct store_owner owner = {ROLE_CREATOR, "a/merchant/1/Ann"};
    struct contribution **rows;
    struct error e = {0};
    size_t n;
    enum status status = store_list_contributions(store(), &owner, "o", BOARD_ROWS, 0, &rows, &n, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(n <= BOARD_ROWS, "%zu rows", n);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(rows[i]->creator && strcmp(rows[i]->creator, owner.user_id) == 0, "not hers");
        contribution_free(rows[i]);
    }
    free(rows);
}

static void list_contributions(void) {
    struct contribution **rows;
    struct error e = {0};
    size_t n;
    enum status status = store_list_contributions(store(), NULL, NULL, BOARD_ROWS, 0, &rows, &n, &e);
    json_auto_t *reply = first_reply();
    if (status) {
        check_failed(status, &e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        check_contribution(json_array_get(json_object_get(reply, "Items"), i), rows[i]);
        contribution_free(rows[i]);
    }
    free(rows);
}

static void read_board(void) {
    struct store_board board;
    struct error e = {0};
    enum status status =
        store_read_board(store(), &board_all_time[ROLE_CREATOR], NULL, STORE_DOWN, BOARD_ROWS, 0, &board, &e);
    json_auto_t *reply = first_reply();
    json_t *items = json_object_get(reply, "Items");
    if (status) {
        check_failed(status, &e);
        return;
    }
    size_t expected = json_array_size(items) < BOARD_ROWS ? json_array_size(items) : BOARD_ROWS;
    FUZZ_CHECK(!items || board.n == expected, "%zu rows", board.n);
    for (size_t i = 0; items && i < board.n; i++) {
        check_text(json_array_get(items, i), "userId", board.items[i].user_id);
        check_number(json_array_get(items, i), "score", 0, board.items[i].score);
        check_number(json_array_get(items, i), "updated", 0, board.items[i].updated_ms);
    }
    store_board_deinit(&board);
}

/* A board of two partitions, each of which is a reply. */
static void read_partitions(void) {
    static const struct store_place from = {7, "a/merchant/1/Ann"};
    const struct board board = {ROLE_CREATOR, {PERIOD_DAY, 0}};
    struct store_board rows;
    struct error e = {0};
    store()->shape.board_partitions = 2;
    enum status status = store_read_board(store(), &board, &from, STORE_UP, BOARD_ROWS, 0, &rows, &e);
    store()->shape.board_partitions = 1;
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(rows.n <= BOARD_ROWS, "%zu rows", rows.n);
    store_board_deinit(&rows);
}

static void count_board(void) {
    struct store_score_counts counts;
    struct store_pass pass = {0};
    struct error e = {0};
    int64_t contributors = 0;
    enum status status = store_count_board(store(), &board_all_time[ROLE_CREATOR], &pass, 0, &counts, &e);
    json_auto_t *reply = first_reply();
    if (status)
        check_failed(status, &e);
    else
        FUZZ_CHECK(!reply || counts.rows == json_array_size(json_object_get(reply, "Items")), "%zu",
                   counts.rows);
    for (size_t i = 0; !status && i < counts.n; i++)
        contributors += counts.items[i].contributors;
    FUZZ_CHECK(status || contributors <= (int64_t)counts.rows, "%" PRId64, contributors);
    if (!status)
        store_score_counts_deinit(&counts);
    store_pass_deinit(&pass);
}

static void read_history(void) {
    struct store_history history;
    struct error e = {0};
    enum status status = store_read_history(store(), "a/merchant/1/Ann", ROLE_CREATOR, PERIOD_DAY, NULL,
                                            BOARD_ROWS, 0, &history, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(history.n <= BOARD_ROWS, "%zu periods", history.n);
    for (size_t i = 1; i < history.n; i++)
        FUZZ_CHECK(history.items[i].period.start_ms < history.items[i - 1].period.start_ms, "period %zu", i);
    store_history_deinit(&history);
}

static void read_sales(void) {
    struct error e = {0};
    int64_t sales;
    enum status status = store_read_sales(store(), (struct period){0}, 0, &sales, &e);
    if (status)
        check_failed(status, &e);
}

static void read_scores(void) {
    struct store_score scores[PEOPLE_ROLES];
    struct error e = {0};
    enum status status = read_people_scores(store(), "a/merchant/1/Ann", scores, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    for (int role = 0; role < PEOPLE_ROLES; role++)
        store_score_deinit(&scores[role]);
}

static void read_rank(void) {
    struct error e = {0};
    size_t above;
    bool tied;
    enum status status = store_read_rank(store(), &board_all_time[ROLE_CREATOR], 7, "a/merchant/1/Ann",
                                         BOARD_ROWS, 0, &above, &tied, &e);
    if (status)
        check_failed(status, &e);
    else
        FUZZ_CHECK(above <= BOARD_ROWS, "%zu", above);
}

static void read_batch(void) {
    static const char *const ids[] = {"p", "q", "p-3"};
    struct contribution *rows[3];
    struct store_context context = {0};
    struct error e = {0};
    enum status status = store_read_contributions(store(), ids, 3, rows, &context, &e);
    if (status)
        check_failed(status, &e);
    for (size_t i = 0; i < 3; i++) {
        FUZZ_CHECK(!rows[i] || (!status && strcmp(rows[i]->product_id, ids[i]) == 0), "row %zu", i);
        contribution_free(rows[i]);
    }
}

static void write_batch(void) {
    const struct position first = position_from_u64(5), last = position_from_u64(9);
    const struct position *const positions[] = {&first, &last};
    const struct store_score_write score = {
        {.role = ROLE_CREATOR}, "a/merchant/1/Ann", positions, 2, 1700000000000, "e"};
    const struct contribution row = {.product_id = "p", .last_event_id = "shardId-000000000000:9"};
    _cleanup_(mem_freep) struct packed *contribution = pack_over(&row, "shardId-000000000000:5");
    bool score_written = false, contribution_written = false;
    const struct store_batch batch = {
        .shard_id = "shardId-000000000000",
        .scores = &score,
        .n_scores = 1,
        .contributions = &contribution,
        .n_contributions = 1,
        .scores_written = &score_written,
        .contributions_written = &contribution_written,
    };
    struct store_context context = {0};
    struct error e = {0};
    enum status status = store_write_batch(store(), &batch, &context, &e);
    if (status)
        check_failed(status, &e);
    FUZZ_CHECK(status || (score_written || service.sent > 1), "not written");
    FUZZ_CHECK(!contribution_written || service.sent > 1, "before its scores");
}

static void check_lease(const json_t *item, const struct store_lease *l) {
    char sequence[POSITION_TEXT_SIZE];
    uint32_t sub;
    check_text_or_empty(item, "leaseKey", l->shard_id);
    check_text_or_empty(item, "leaseOwner", l->owner);
    check_text_or_empty(item, "tenure", l->tenure);
    check_text_or_empty(item, "startingHashKey", l->starting_hash_key);
    check_text_or_empty(item, "endingHashKey", l->ending_hash_key);
    check_text(item, "checkpoint", store_lease_checkpoint(l, sequence, &sub));
    check_number(item, "leaseCounter", INT64_MIN, l->counter);
    check_number(item, "asOf", -1, l->as_of_ms);
    check_number(item, "ownerSwitchesSinceCheckpoint", 0, l->owner_switches);
    check_number(item, "startAt", 0, l->start_at_ms);
    if (l->checkpoint == LEASE_AT_POSITION)
        check_number(item, "checkpointSubSequenceNumber", 0, sub);
    for (size_t i = 0; i < STORE_LEASE_PARENTS; i++) {
        const json_t *parent = json_array_get(attribute(item, "parentShardId", "SS"), i);
        const char *text = json_string_value(parent);
        FUZZ_CHECK(strcmp(l->parents[i], text ? text : "") == 0, "parent '%s'", l->parents[i]);
        FUZZ_CHECK(strlen(l->parents[i]) == json_string_length(parent), "parent '%s'", l->parents[i]);
    }
    FUZZ_CHECK(json_array_size(attribute(item, "childShardIds", "SS")) <= STORE_LEASE_PARENTS,
               "more children");
}

/* Leases are sorted; a page may have other rows. */
static void find_lease(const json_t *reply, const struct store_lease *lease) {
    json_t *item;
    size_t i, n = 0;
    json_array_foreach(json_object_get(reply, "Items"), i, item) {
        const char *key = json_string_value(attribute(item, "leaseKey", "S"));
        const char *type = json_string_value(attribute(item, "entityType", "S"));
        if (key && strcmp(key, lease->shard_id) == 0 && (!type || strcmp(type, "LEASE") == 0) && ++n == 1)
            check_lease(item, lease);
    }
    FUZZ_CHECK(n, "no lease '%s'", lease->shard_id);
}

static void read_leases(void) {
    struct store_lease *leases;
    struct error e = {0};
    size_t n;
    enum status status = store_read_leases(store(), true, &leases, &n, &e);
    json_auto_t *reply = first_reply();
    if (status) {
        check_failed(status, &e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool is_twice = (i && strcmp(leases[i - 1].shard_id, leases[i].shard_id) == 0) ||
                        (i + 1 < n && strcmp(leases[i + 1].shard_id, leases[i].shard_id) == 0);
        if (reply && !is_twice)
            find_lease(reply, &leases[i]);
    }
    free(leases);
}

/* What another worker has written, in the reply of the failed condition. */
static void update_lease(void) {
    struct store_lease before = {
        .shard_id = "shardId-000000000000", .owner = "me", .counter = 4, .as_of_ms = -1};
    struct store_lease after = before, found;
    struct error e = {0};
    after.counter++;
    enum status status = store_update_lease(store(), &before, &after, NULL, &found, &e);
    json_auto_t *reply = first_reply();
    json_t *item = json_object_get(reply, "Item");
    if (status == STATUS_CONFLICT && json_object_size(item))
        check_lease(item, &found);
    else if (status)
        check_failed(status, &e);
}

static void bind_view(void) {
    static const struct store_source source = {.name = "arn:aws:kinesis:eu-west-1:1:stream/events",
                                               .created_ms = 5};
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    struct error e = {0};
    enum status status = bind_to(store(), &source, key, &e);
    if (status)
        check_failed(status, &e);
}

static void visit_score(void *data, const struct store_row *row, bool after) {
    (void)data, (void)after;
    FUZZ_CHECK(row->role && row->user_id, "no score");
}

static void visit_contribution(void *data, const struct contribution *row) {
    (void)data;
    check_contribution(NULL, row);
}

static void scan(void) {
    static const struct store_visitor visitor = {visit_score, visit_contribution, NULL};
    struct error e = {0};
    enum status status = store_scan(store(), &visitor, &e);
    if (status)
        check_failed(status, &e);
}

/* Twenty writes of LIMIT_DYNAMODB_UNITS, at LIMIT_CLEANUP_WRITE_UNITS a second. */
static bool end_soon(void *data, int ms) {
    int *left = data;
    FUZZ_CHECK(ms > 0 && ms <= 1000000, "%d ms", ms);
    return (*left)-- > 0;
}

static void remove_watermarks(void) {
    static const char *const shards[] = {"shardId-000000000000", "shardId-000000000007"};
    int left = 3;
    const struct store_pacer pacer = {end_soon, &left, NULL};
    struct error e = {0};
    enum status status = store_remove_watermarks(store(), shards, 2, 1700000000000, &pacer, &e);
    if (status)
        check_failed(status, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const calls[])(void) = {
        read_contribution, list_contributions, read_board,   read_scores,  read_rank,  read_batch,
        write_batch,       read_leases,        update_lease, bind_view,    scan,       remove_watermarks,
        list_of_owner,     read_partitions,    count_board,  read_history, read_sales,
    };
    struct fuzz_input in = {data, size};
    size_t length;
    unsigned call = fuzz_take_below(&in, sizeof calls / sizeof *calls);
    service.http_status = fuzz_take_below(&in, 2) ? 400 : 200;
    service.n = service.sent = 0;
    store()->shape = (struct view_shape){.board_partitions = 1}; /* an input before may have bound it */
    while (in.size && service.n < REPLIES)
        service.replies[service.n++] = fuzz_take_text(&in, SEPARATOR, &length);
    calls[call]();
    for (size_t i = 0; i < service.n; i++)
        free(service.replies[i]);
    return 0;
}
