#include "aws/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/mem.h"

/* What tells one version of a file from the next. */
struct version {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct aws_trust {
    char *file, *folder;
    pthread_mutex_t lock;
    X509_STORE *store;      /* by `lock` */
    struct version version; /* of `file`, when it was last read; by `lock` */
    atomic_bool is_reading; /* a thread reads the file again; the others use `store` meanwhile */
};

/* 0, or errno. */
static int read_version(const char *file, struct version *version) {
    struct stat info;
    *version = (struct version){0};
    if (stat(file, &info) != 0)
        return errno;
    *version = (struct version){info.st_dev, info.st_ino, info.st_size, info.st_mtim};
    return S_ISREG(info.st_mode) ? 0 : EINVAL;
}

static bool is_same(const struct version *a, const struct version *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* As libcurl makes one: a chain may end at any certificate in it. NULL: there is none in the file. */
static X509_STORE *read_store(const char *file, const char *folder) {
    X509_STORE *store = X509_STORE_new();
    if (!store)
        mem_exhausted();
    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    if (folder)
        X509_STORE_load_path(store, folder);
    if (X509_STORE_load_file(store, file))
        return store;
    X509_STORE_free(store);
    return NULL;
}

static enum status read_first(struct aws_trust *t, struct error *e) {
    int code = read_version(t->file, &t->version);
    if (!code && t->version.size > LIMIT_CA_BUNDLE_BYTES)
        code = EFBIG;
    if (code)
        return error_set(e, STATUS_INVALID, "%s", strerror(code));
    ERR_clear_error();
    t->store = read_store(t->file, t->folder);
    unsigned long why = ERR_peek_last_error();
    const char *reason = ERR_SYSTEM_ERROR(why) ? strerror(ERR_GET_REASON(why)) : ERR_reason_error_string(why);
    ERR_clear_error();
    return t->store ? STATUS_OK
                    : error_set(e, STATUS_INVALID, "%s", reason ? reason : "no certificate found");
}

enum status aws_trust_new(struct aws_trust **trust, const char *file, const char *folder, struct error *e) {
    struct aws_trust *t = mem_zalloc(sizeof *t);
    t->file = mem_strdup(file);
    t->folder = folder ? mem_strdup(folder) : NULL;
    pthread_mutex_init(&t->lock, NULL);
    enum status status = read_first(t, e);
    if (status) {
        aws_trust_free(t);
        t = NULL;
    }
    *trust = t;
    return status;
}

void aws_trust_free(struct aws_trust *trust) {
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    pthread_mutex_destroy(&trust->lock);
    free(trust->file);
    free(trust->folder);
    free(trust);
}

/* Whether the file is another than the one read; `*version` is the file's. */
static bool has_changed(struct aws_trust *t, struct version *version) {
    if (read_version(t->file, version) != 0 || version->size > LIMIT_CA_BUNDLE_BYTES)
        return false;
    pthread_mutex_lock(&t->lock);
    bool changed = !is_same(version, &t->version);
    pthread_mutex_unlock(&t->lock);
    return changed;
}

/* A file that is only half written is read again when it has changed once more. */
static void read_again(struct aws_trust *t, const struct version *version) {
    X509_STORE *store = read_store(t->file, t->folder);
    ERR_clear_error(); /* else the handshake would take it for its own */
    pthread_mutex_lock(&t->lock);
    X509_STORE *old = store ? t->store : NULL;
    t->store = store ? store : t->store;
    t->version = *version;
    pthread_mutex_unlock(&t->lock);
    X509_STORE_free(old);
}

void aws_trust_apply(struct aws_trust *trust, struct ssl_ctx_st *connection) {
    struct version version;
    if (has_changed(trust, &version) && !atomic_exchange(&trust->is_reading, true)) {
        read_again(trust, &version);
        atomic_store(&trust->is_reading, false);
    }
    pthread_mutex_lock(&trust->lock);
    SSL_CTX_set1_cert_store(connection, trust->store);
    pthread_mutex_unlock(&trust->lock);
}
