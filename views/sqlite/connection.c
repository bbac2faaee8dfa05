#include "views/sqlite/connection.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/killpoint.h"
#include "base/limits.h"

static const char code_full[] = "DiskFull";

bool sqlite_is_full(const struct error *e) {
    return strcmp(e->code, code_full) == 0;
}

/* A quota, or a limit of the file's size, is an I/O error of a write. */
static bool finds_no_room(int result) {
    return (result & 0xFF) == SQLITE_FULL || result == SQLITE_IOERR_WRITE;
}

static enum status full(const struct sqlite *c, struct error *e) {
    struct statvfs fs;
    uint64_t kib = statvfs(c->path, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize >> 10 : 0;
    return error_set_code(e, STATUS_RETRY, code_full,
                          "database '%s' cannot be written: %s; its disk has %" PRIu64
                          " KiB free: make room there, or look for a quota; no restart is needed then",
                          c->path, sqlite3_errmsg(c->db), kib);
}

enum status sqlite_error(struct sqlite *c, int result, struct error *e) {
    int primary = result & 0xFF;
    bool may_pass = primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_IOERR ||
                    primary == SQLITE_NOMEM || primary == SQLITE_INTERRUPT;
    char code[sizeof e->code];
    if (c->db && finds_no_room(result))
        return full(c, e);
    snprintf(code, sizeof code, "sqlite %d", result);
    return error_set_code(e, may_pass ? STATUS_RETRY : STATUS_FAILED, code, "database '%s': %s", c->path,
                          c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(result));
}

enum status sqlite_run(struct sqlite *c, const char *sql, struct error *e) {
    KILLPOINT("before", "", sql);
    int result = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    KILLPOINT("after", "", sql);
    return result == SQLITE_OK ? STATUS_OK : sqlite_error(c, result, e);
}

/* SQLite's count of the memory in use is not read, and costs a lock at each allocation. */
static void configure(void) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum status sqlite_open(struct sqlite *c, const char *path, bool creates, int cache_kib, struct error *e) {
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    char pragmas[320];
    pthread_once(&configured, configure);
    memset(c, 0, sizeof *c);
    c->path = path;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (creates ? SQLITE_OPEN_CREATE : 0);
    int result = sqlite3_open_v2(path, &c->db, flags, NULL);
    if (result != SQLITE_OK) {
        sqlite_error(c, result, e);
        sqlite_close(c);
        return e->status;
    }
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, LIMIT_SQLITE_BUSY_MS);
    /* The last one reads: that opens the log, too. */
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d; "
             "PRAGMA journal_size_limit=%d; PRAGMA schema_version",
             cache_kib, LIMIT_SQLITE_WAL_BYTES);
    enum status status = sqlite_run(c, pragmas, e);
    if (status)
        sqlite_close(c);
    return status;
}

void sqlite_close(struct sqlite *c) {
    for (int i = 0; i < SQLITE_STATEMENTS; i++)
        sqlite3_finalize(c->statements[i]);
    sqlite3_close(c->db);
    memset(c, 0, sizeof *c);
}

void sqlite_abandon(struct sqlite *c) {
    if (c->db)
        sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite_close(c);
}

sqlite3_stmt *sqlite_statement(struct sqlite *c, int number, const char *sql, struct error *e) {
    sqlite3_stmt **s = &c->statements[number];
    if (!*s) {
        int result = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
        if (result != SQLITE_OK) {
            sqlite_error(c, result, e);
            return NULL;
        }
    }
    sqlite3_reset(*s);
    return *s;
}

void sqlite_bind_text(sqlite3_stmt *s, int parameter, const char *text) {
    sqlite3_bind_text(s, parameter, text, -1, SQLITE_STATIC);
}

enum status sqlite_step(struct sqlite *c, sqlite3_stmt *s, struct error *e) {
    int result = sqlite3_step(s);
    if (result == SQLITE_ROW)
        return STATUS_OK;
    if (result != SQLITE_DONE)
        sqlite_error(c, result, e);
    sqlite3_reset(s);
    return result == SQLITE_DONE ? STATUS_NOT_FOUND : e->status;
}

enum status sqlite_execute(struct sqlite *c, sqlite3_stmt *s, struct error *e) {
    enum status status;
    KILLPOINT("before", "", sqlite3_sql(s));
    do
        status = sqlite_step(c, s, e);
    while (status == STATUS_OK);
    KILLPOINT("after", "", sqlite3_sql(s));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

const char *sqlite_text(sqlite3_stmt *s, int column) {
    return (const char *)sqlite3_column_text(s, column);
}
