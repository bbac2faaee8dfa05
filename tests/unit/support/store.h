/*
 * For tests of the stores: each test has a store of its own. SQLite: in a new folder. DynamoDB: on the one
 * that AWS_ENDPOINT_URL_DYNAMODB names (tests/emulators -- ctest ...), through a transport with faults: it
 * refuses a request before it is sent, or loses its answer after it took effect.
 */
#ifndef TESTS_UNIT_SUPPORT_STORE_H
#define TESTS_UNIT_SUPPORT_STORE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/client.h"
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/mem.h"
#include "base/random.h"
#include "views/dynamodb/store.h"
#include "views/sqlite/store.h"

enum fault { FAULT_NONE, FAULT_REFUSE, FAULT_LOSE_ANSWER };

/* What happens to requests of `operation` (NULL: every write), from the `after`-th on, `times` times. May be
 * changed while other threads send. */
struct faulty {
    struct aws_transport transport;
    _Atomic enum fault fault;
    const char *_Atomic operation;
    const char *_Atomic in_body; /* only requests with this text in their body; NULL: all */
    atomic_int after, times;
    atomic_int every; /* only every so many of those; 0: all */
    atomic_int meant;
    atomic_int sent;                                               /* requests that reached the store */
    void (*_Atomic filter)(struct aws_exchange *x, void *context); /* sees every answer first; may be NULL */
};

static inline bool support_is_write(const char *operation) {
    return strcmp(operation, "UpdateItem") == 0 || strcmp(operation, "PutItem") == 0;
}

static inline bool support_is_meant(struct faulty *f, const struct aws_exchange *x) {
    const char *operation = f->operation, *in_body = f->in_body;
    int every = f->every;
    if (operation ? strcmp(operation, x->operation) != 0 : !support_is_write(x->operation))
        return false;
    if (in_body && !memmem(x->body, x->length, in_body, strlen(in_body)))
        return false;
    if (every && atomic_fetch_add(&f->meant, 1) % every)
        return false;
    return atomic_fetch_sub(&f->after, 1) <= 0 && atomic_fetch_sub(&f->times, 1) > 0;
}

static inline void support_lose(struct aws_exchange *x, void *context) {
    (void)context;
    aws_exchange_fail(x, "the test lost this answer");
}

static inline void support_send(const struct aws_transport *transport, struct aws_session *session,
                                struct aws_exchange *x) {
    struct faulty *f = transport->context;
    enum fault fault = f->fault;
    if (fault != FAULT_NONE && !support_is_meant(f, x))
        fault = FAULT_NONE;
    if (fault == FAULT_REFUSE) {
        aws_exchange_fail(x, "the test refused this request");
        aws_session_finish(session, x, 0);
        return;
    }
    x->filter = fault == FAULT_LOSE_ANSWER ? support_lose : f->filter;
    x->filter_context = f;
    atomic_fetch_add(&f->sent, 1);
    aws_session_send(session, x);
}

struct fixture {
    struct aws_settings *settings;
    struct faulty faulty;
    struct store *store;
    struct fence fence;
    struct store_context context; /* under that fence */
    char stage[40];
    char folder[64]; /* SQLite's */
};

/* From now on; -1 times: for ever. */
static inline void support_fault(struct fixture *t, enum fault fault, const char *operation, int after,
                                 int times) {
    t->faulty.operation = operation;
    t->faulty.in_body = NULL;
    t->faulty.every = 0;
    atomic_store(&t->faulty.after, after);
    atomic_store(&t->faulty.times, times < 0 ? 1 << 30 : times);
    atomic_store(&t->faulty.sent, 0);
    t->faulty.fault = fault;
}

static inline void support_no_faults(struct fixture *t) {
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    t->faulty.filter = NULL;
}

static inline int support_setup_with(void **state, const struct store_creation *creation) {
    struct fixture *t = mem_zalloc(sizeof *t);
    char random[9];
    struct error e;
    *state = t;
    if (!getenv("AWS_ENDPOINT_URL_DYNAMODB"))
        return 0; /* each test skips itself */
    signal(SIGPIPE, SIG_IGN);
    random_hex(random, 4);
    snprintf(t->stage, sizeof t->stage, "test-%s", random);
    t->faulty.transport = (struct aws_transport){.send = support_send, .context = &t->faulty};
    fence_open_until(&t->fence, INT64_MAX);
    t->context.fence = &t->fence;
    const struct store_dynamodb_options options = {.stage = t->stage};
    if (aws_settings_load(&t->settings, &e) ||
        store_dynamodb_open(&t->store, &options, t->settings, &t->faulty.transport, &e) ||
        store_create(t->store, creation, &e)) {
        print_error("%s\n", e.message);
        return -1;
    }
    return 0;
}

/* One call past the faults. `body` is stolen, the reply is the caller's. */
static inline json_t *support_call_dynamodb(const struct fixture *t, const char *operation, json_t *body) {
    _cleanup_(mem_freep) char *text = json_dumps(body, JSON_COMPACT);
    _cleanup_(aws_call_deinit) struct aws_call call = {
        .operation = operation, .body = text, .length = strlen(text)};
    struct aws_client *client;
    struct error e;
    json_decref(body);
    assert_int_equal(aws_client_new(&client, &aws_dynamodb, t->settings, NULL, &e), STATUS_OK);
    assert_int_equal(aws_client_call(client, &call, NULL), STATUS_OK);
    aws_client_free(client);
    return json_incref(call.reply);
}

static inline int support_setup(void **state) {
    return support_setup_with(state, NULL);
}

static inline void support_database(const struct fixture *t, const char *suffix, char *out, size_t size) {
    snprintf(out, size, "%s/view.db%s", t->folder, suffix);
}

static inline int support_setup_sqlite(void **state) {
    struct fixture *t = mem_zalloc(sizeof *t);
    char path[128];
    struct error e;
    *state = t;
    fence_open_until(&t->fence, INT64_MAX);
    t->context.fence = &t->fence;
    strcpy(t->folder, "/tmp/winner-view-test-XXXXXX");
    if (!mkdtemp(t->folder))
        return -1;
    support_database(t, "", path, sizeof path);
    if (store_sqlite_open(&t->store, path, &e) || store_create(t->store, NULL, &e)) {
        print_error("%s\n", e.message);
        return -1;
    }
    return 0;
}

/* Runs a statement on a connection of its own, which the caller closes. */
static inline sqlite3 *support_run_sql(const struct fixture *t, const char *sql) {
    char path[128];
    sqlite3 *db;
    support_database(t, "", path, sizeof path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static inline void support_remove_database(const struct fixture *t) {
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char path[128];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        support_database(t, suffixes[i], path, sizeof path);
        unlink(path);
    }
    rmdir(t->folder);
}

static inline int support_teardown(void **state) {
    struct fixture *t = *state;
    store_free(t->store);
    if (*t->folder)
        support_remove_database(t);
    if (t->settings)
        aws_settings_free(t->settings);
    free(t);
    return 0;
}

/* The fixture; without a store the test is skipped, which cmocka counts. */
static inline struct fixture *support_fixture(void **state) {
    struct fixture *t = *state;
    if (!t->store)
        skip();
    return t;
}

#define support_test(title, function)                                                                        \
    { title, function, support_setup, support_teardown, NULL }
#define support_test_sqlite(title, function)                                                                 \
    { title, function, support_setup_sqlite, support_teardown, NULL }

#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        struct error *assert_ok_error = &support_error;                                                      \
        *assert_ok_error = (struct error){0};                                                                \
        if ((call) != STATUS_OK)                                                                             \
            fail_msg("%s: %s", #call, assert_ok_error->message);                                             \
    } while (0)

static struct error support_error __attribute__((unused));

#endif
