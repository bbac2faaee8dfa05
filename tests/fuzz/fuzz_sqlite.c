/*
 * Rows of a damaged SQLite file, as the store reads them (views/sqlite): which call of the store, then values
 * of any type for the columns of its table, row by row. What is read is compared with what SQLite itself
 * makes of each value; a row without its key is refused. Unlike other targets it has files, in a folder of
 * its own.
 */
#include "views/sqlite/store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "views/contribution.h"
#include "views/event_id.h"

enum { ROWS = 4, MOST = 3, COLUMNS = 32 };

/* The database: once made by the store, then its tables are made anew, without types and constraints. */

struct table {
    const char *name;
    char *columns, *insert, *clear;
    int n;
};

static struct {
    sqlite3 *db;
    struct store *store;
    struct table contributions, scores, leases;
} f;

static void run(const char *sql) {
    char *message = NULL;
    FUZZ_CHECK(sqlite3_exec(f.db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *s;
    FUZZ_CHECK(sqlite3_prepare_v2(f.db, sql, -1, &s, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(f.db));
    return s;
}

static void finalize(sqlite3_stmt **s) {
    sqlite3_finalize(*s);
}

static void loosen(struct table *t, const char *name) {
    _cleanup_(mem_freep) char *sql = mem_printf(
        "SELECT group_concat(name), count(*), group_concat('?') FROM pragma_table_info('%s')", name);
    sqlite3_stmt *s = prepare(sql);
    FUZZ_CHECK(sqlite3_step(s) == SQLITE_ROW, "%s", name);
    t->name = name;
    t->columns = mem_strdup((const char *)sqlite3_column_text(s, 0));
    t->n = sqlite3_column_int(s, 1);
    t->insert = mem_printf("INSERT INTO %s VALUES (%s)", name, (const char *)sqlite3_column_text(s, 2));
    t->clear = mem_printf("DELETE FROM %s", name);
    sqlite3_finalize(s);
    _cleanup_(mem_freep) char *anew =
        mem_printf("DROP TABLE %s; CREATE TABLE %s (%s)", name, name, t->columns);
    run(anew);
}

static char folder[] = "/tmp/fuzz_sqlite.XXXXXX";

static void remove_files(void) {
    static const char *const names[] = {"view.db", "view.db-wal", "view.db-shm", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        _cleanup_(mem_freep) char *path = mem_printf("%s/%s", folder, names[i]);
        remove(path);
    }
}

static void start(void) {
    struct error e;
    FUZZ_CHECK(mkdtemp(folder), "no folder");
    atexit(remove_files);
    _cleanup_(mem_freep) char *path = mem_printf("%s/view.db", folder);
    FUZZ_CHECK(!store_sqlite_open(&f.store, path, &e), "%s", e.message);
    store_free(f.store);
    FUZZ_CHECK(sqlite3_open(path, &f.db) == SQLITE_OK, "%s", path);
    run("PRAGMA synchronous=OFF");
    loosen(&f.contributions, "contributions");
    loosen(&f.scores, "scores");
    loosen(&f.leases, "leases");
    FUZZ_CHECK(!store_sqlite_open_reader(&f.store, path, &e), "%s", e.message);
}

/* Values. */

enum { OF_NULL, OF_INTEGER, OF_REAL, OF_TEXT, OF_BLOB, TYPES };
#define SEPARATOR '\x1e'

static void bind_value(sqlite3_stmt *s, int parameter, struct fuzz_input *in) {
    unsigned type = fuzz_take_below(in, TYPES);
    size_t length;
    _cleanup_(mem_freep) char *text = fuzz_take_text(in, SEPARATOR, &length);
    if (type == OF_INTEGER)
        sqlite3_bind_int64(s, parameter, strtoll(text, NULL, 10));
    else if (type == OF_REAL)
        sqlite3_bind_double(s, parameter, strtod(text, NULL));
    else if (type == OF_TEXT)
        sqlite3_bind_text(s, parameter, text, (int)length, SQLITE_TRANSIENT);
    else if (type == OF_BLOB)
        sqlite3_bind_blob(s, parameter, text, (int)length, SQLITE_TRANSIENT);
}

static void fill(const struct table *t, struct fuzz_input *in) {
    run("BEGIN");
    run(t->clear);
    _cleanup_(finalize) sqlite3_stmt *s = prepare(t->insert);
    for (int row = 0; row < MOST && in->size; row++) {
        for (int i = 1; i <= t->n; i++)
            bind_value(s, i, in);
        FUZZ_CHECK(sqlite3_step(s) == SQLITE_DONE, "%s", sqlite3_errmsg(f.db));
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    run("COMMIT");
}

static const char *text_of(sqlite3_stmt *s, int column) {
    return (const char *)sqlite3_column_text(s, column);
}

static bool is_same(const char *a, const char *b) {
    return !a || !b ? a == b : strcmp(a, b) == 0;
}

/* Whether some row has these values: the second opinion. `sql` selects texts first, then numbers. */
static bool exists(const char *sql, const char *const texts[], size_t n_texts, const int64_t numbers[],
                   size_t n_numbers) {
    _cleanup_(finalize) sqlite3_stmt *s = prepare(sql);
    while (sqlite3_step(s) == SQLITE_ROW) {
        bool same = true;
        for (size_t i = 0; i < n_texts; i++)
            same = same && is_same(text_of(s, (int)i), texts[i]);
        for (size_t i = 0; i < n_numbers; i++)
            same = same && sqlite3_column_int64(s, (int)(n_texts + i)) == numbers[i];
        if (same)
            return true;
    }
    return false;
}

static void check_failed(enum status status, const struct error *e) {
    FUZZ_CHECK(status == e->status && *e->message, "%d", status);
    FUZZ_CHECK(utf8_is_valid(e->message, strlen(e->message)), "%s", e->message);
}

/* Contributions. */

static void check_contribution(const struct contribution *row) {
    const char *texts[COLUMNS];
    int64_t numbers[COLUMNS];
    static char *sql;
    FUZZ_CHECK(row->product_id && row->last_event_id, "no id");
    if (!sql) {
        sql = mem_strdup("SELECT ");
        for (size_t i = 0; i < CONTRIBUTION_TEXTS + CONTRIBUTION_NUMBERS; i++) {
            char *longer =
                mem_printf("%s%s%s", sql, i ? ", " : "",
                           i < CONTRIBUTION_TEXTS ? contribution_text_names[i]
                                                  : contribution_number_names[i - CONTRIBUTION_TEXTS]);
            free(sql);
            sql = longer;
        }
        char *whole = mem_printf("%s FROM contributions", sql);
        free(sql);
        sql = whole;
    }
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        texts[i] = contribution_text(row, i);
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        numbers[i] = contribution_number(row, i);
    FUZZ_CHECK(exists(sql, texts, CONTRIBUTION_TEXTS, numbers, CONTRIBUTION_NUMBERS), "'%s'",
               row->product_id);
}

static void read_contribution(void) {
    struct contribution *row;
    struct error e = {0};
    struct event_id id;
    enum status status = store_read_contribution(f.store, "p", 0, &row, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    check_contribution(row);
    FUZZ_CHECK(event_id_parse(row->last_event_id, strlen(row->last_event_id), &id), "'%s'",
               row->last_event_id);
    contribution_free(row);
}

static void list(const struct store_owner *owner) {
    struct contribution **rows;
    struct error e = {0};
    size_t n;
    enum status status = store_list_contributions(f.store, owner, NULL, ROWS, 0, &rows, &n, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(n <= MOST, "%zu", n);
    for (size_t i = 0; i < n; i++) {
        check_contribution(rows[i]);
        contribution_free(rows[i]);
    }
    free(rows);
}

static void list_contributions(void) {
    list(NULL);
}

static void list_of_creator(void) {
    list(&(struct store_owner){ROLE_CREATOR, "u"});
}

static void list_of_photographer(void) {
    list(&(struct store_owner){ROLE_PHOTOGRAPHER, "u"});
}

static void read_contributions(void) {
    const char *const ids[] = {"p", "q"};
    struct contribution *rows[2] = {0};
    struct store_context context = {.deadline_boot_ms = INT64_MAX}; /* as for serving */
    struct error e = {0};
    enum status status = store_read_contributions(f.store, ids, 2, rows, &context, &e);
    if (status)
        check_failed(status, &e);
    for (size_t i = 0; i < 2; i++) {
        FUZZ_CHECK(!status || !rows[i], "a row in spite of %s", e.message);
        if (rows[i])
            check_contribution(rows[i]);
        contribution_free(rows[i]);
    }
}

/* Scores. */

static const struct board board = {ROLE_CREATOR, {0}};

static void check_score(const struct store_score *score) {
    const char *const texts[] = {score->user_id};
    const int64_t numbers[] = {score->score, score->updated_ms};
    FUZZ_CHECK(score->user_id, "no contributor");
    FUZZ_CHECK(exists("SELECT userId, score, updated FROM scores", texts, 1, numbers, 2), "'%s'",
               score->user_id);
}

static void read_board(enum store_direction direction) {
    struct store_board rows;
    struct error e = {0};
    enum status status = store_read_board(f.store, &board, NULL, direction, ROWS, 0, &rows, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(rows.n <= MOST, "%zu", rows.n);
    for (size_t i = 0; i < rows.n; i++)
        check_score(&rows.items[i]);
    store_board_deinit(&rows);
}

static void read_board_down(void) {
    read_board(STORE_DOWN);
}

static void read_board_up(void) {
    read_board(STORE_UP);
}

static void read_rank(void) {
    struct error e = {0};
    size_t above;
    bool tied;
    enum status status = store_read_rank(f.store, &board, 1, "u", ROWS, 0, &above, &tied, &e);
    if (status)
        check_failed(status, &e);
    else
        FUZZ_CHECK(above <= MOST, "%zu", above);
}

static void count_board(void) {
    struct store_pass pass = {0};
    struct store_score_counts counts;
    struct error e = {0};
    enum status status = store_count_board(f.store, &board, &pass, 0, &counts, &e);
    if (status) {
        check_failed(status, &e);
    } else {
        FUZZ_CHECK(counts.rows <= MOST && counts.n <= counts.rows && pass.is_done, "%zu", counts.n);
        store_score_counts_deinit(&counts);
    }
    store_pass_deinit(&pass);
}

static void read_scores(void) {
    const struct board boards[] = {board, {ROLE_PHOTOGRAPHER, {0}}};
    struct store_score scores[2];
    struct error e = {0};
    enum status status = store_read_scores(f.store, "u", boards, 2, 0, scores, &e);
    if (status)
        check_failed(status, &e);
    for (size_t i = 0; !status && i < 2; i++) {
        if (scores[i].user_id)
            check_score(&scores[i]);
        store_score_deinit(&scores[i]);
    }
}

static void check_history(const char *user_id, enum role role) {
    struct store_history history;
    struct error e = {0};
    enum status status = store_read_history(f.store, user_id, role, PERIOD_DAY, NULL, ROWS, 0, &history, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(history.n <= MOST, "%zu", history.n);
    for (size_t i = 0; i < history.n; i++) {
        FUZZ_CHECK(history.items[i].period.kind == PERIOD_DAY, "%d", history.items[i].period.kind);
        FUZZ_CHECK(!i || history.items[i].period.start_ms <= history.items[i - 1].period.start_ms,
                   "not the newest first");
    }
    store_history_deinit(&history);
}

static void read_history(void) {
    check_history("u", ROLE_CREATOR);
}

static void read_shop_history(void) {
    check_history(NULL, ROLE_SHOP);
}

static void read_sales(void) {
    struct error e = {0};
    int64_t sales;
    enum status status = store_read_sales(f.store, period_of(PERIOD_DAY, 0), 0, &sales, &e);
    if (status)
        check_failed(status, &e);
}

/* All rows. */

static void visit_score(void *data, const struct store_row *row, bool after) {
    const char *const texts[] = {row->role, row->user_id};
    const int64_t numbers[] = {row->count, row->expires_s};
    (void)data, (void)after;
    FUZZ_CHECK(row->role && row->user_id, "a row without its key");
    FUZZ_CHECK(exists("SELECT role, userId, score, expires FROM scores", texts, 2, numbers, 2), "'%s' '%s'",
               row->role, row->user_id);
}

static void visit_contribution(void *data, const struct contribution *row) {
    (void)data;
    check_contribution(row);
}

static void scan(void) {
    const struct store_visitor visitor = {visit_score, visit_contribution, NULL};
    struct error e = {0};
    enum status status = store_scan(f.store, &visitor, &e);
    if (status)
        check_failed(status, &e);
}

/* Leases. */

static bool is_shard_or_none(const char *text) {
    return !*text || event_id_is_shard_id(text, strlen(text));
}

static void read_leases(void) {
    struct store_lease *leases;
    struct error e = {0};
    size_t n;
    enum status status = store_read_leases(f.store, true, &leases, &n, &e);
    if (status) {
        check_failed(status, &e);
        return;
    }
    FUZZ_CHECK(n <= MOST, "%zu", n);
    for (size_t i = 0; i < n; i++) {
        const struct store_lease *l = &leases[i];
        char sequence[POSITION_TEXT_SIZE];
        uint32_t sub;
        const char *texts[] = {l->shard_id, store_lease_checkpoint(l, sequence, &sub)};
        FUZZ_CHECK(event_id_is_shard_id(l->shard_id, strlen(l->shard_id)), "'%s'", l->shard_id);
        for (size_t p = 0; p < STORE_LEASE_PARENTS; p++)
            FUZZ_CHECK(is_shard_or_none(l->parents[p]) && is_shard_or_none(l->children[p]), "'%s', '%s'",
                       l->parents[p], l->children[p]);
        FUZZ_CHECK(exists("SELECT leaseKey, checkpoint, leaseCounter FROM leases", texts, 2, &l->counter, 1),
                   "'%s' '%s'", texts[0], texts[1]);
    }
    free(leases);
}

static void bind(void) {
    const struct store_wish wish = {0};
    struct store_binding binding;
    struct error e = {0};
    enum status status = store_bind(f.store, &wish, &binding, &e);
    if (status)
        check_failed(status, &e);
}

static void read_identity_key(void) {
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    struct error e = {0};
    enum status status = store_read_identity_key(f.store, key, &e);
    if (status)
        check_failed(status, &e);
}

static const struct {
    struct table *table;
    void (*run)(void);
} calls[] = {
    {&f.contributions, read_contribution},
    {&f.contributions, list_contributions},
    {&f.contributions, list_of_creator},
    {&f.contributions, list_of_photographer},
    {&f.contributions, read_contributions},
    {&f.contributions, scan},
    {&f.scores, read_board_down},
    {&f.scores, read_board_up},
    {&f.scores, read_rank},
    {&f.scores, count_board},
    {&f.scores, read_scores},
    {&f.scores, read_history},
    {&f.scores, read_shop_history},
    {&f.scores, read_sales},
    {&f.scores, scan},
    {&f.leases, read_leases},
    {&f.leases, bind},
    {&f.leases, read_identity_key},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    if (!f.db)
        start();
    unsigned call = fuzz_take_below(&in, sizeof calls / sizeof *calls);
    fill(calls[call].table, &in);
    calls[call].run();
    return 0;
}
