#include "server/commands/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* In a file each tally is this and its key. */
struct entry {
    struct tally_numbers numbers;
    size_t size;
};

/* The next entry of a part that is being merged. */
struct head {
    FILE *file; /* NULL: at its end */
    bool resets;
    struct entry entry;
    char *key;
    size_t capacity;
};

void tallies_init(struct tallies *t, size_t max_bytes) {
    *t = (struct tallies){.max_bytes = max_bytes};
}

static void clear_table(struct tallies *t) {
    struct tally *tally, *next;
    HASH_ITER(hh, t->table, tally, next) {
        HASH_DEL(t->table, tally);
        free(tally->key);
        free(tally);
    }
    t->bytes = 0;
}

static void close_parts(struct tallies *t) {
    for (size_t i = 0; i < t->n_parts; i++)
        fclose(t->parts[i]);
    t->n_parts = 0;
}

void tallies_deinit(struct tallies *t) {
    clear_table(t);
    close_parts(t);
}

static enum status fail(struct tallies *t, const char *what) {
    if (!t->error.status)
        error_set(&t->error, STATUS_FAILED, "cannot %s a temporary file ($TMPDIR, else /var/tmp or /tmp): %s",
                  what, strerror(errno));
    return t->error.status;
}

static void reset(struct tally_numbers *n) {
    *n = (struct tally_numbers){
        .had_row = n->had_row, .least = n->least, .least_derived = n->least_derived, .differed = n->differed};
}

static void add(struct tally_numbers *to, const struct tally_numbers *n) {
    to->has_before |= n->has_before;
    to->has_after |= n->has_after;
    to->had_row |= n->had_row;
    to->differed |= n->differed;
    to->before += n->before;
    to->after += n->after;
    to->derived += n->derived;
    to->derived_after += n->derived_after;
    to->least += n->least;
    to->least_derived += n->least_derived;
}

/* By role, then by user id, as strcmp orders them: the NUL between the two is below all else. */
static int compare_keys(const char *a, size_t a_size, const char *b, size_t b_size) {
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_tallies(const struct tally *a, const struct tally *b) {
    return compare_keys(a->key, a->size, b->key, b->size);
}

/* Temporary files. */

static int open_unnamed(const char *folder) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/winner-view-audit-XXXXXX", folder);
    int fd = n < (int)sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd >= 0)
        unlink(path);
    return fd;
}

static FILE *open_part(struct tallies *t) {
    const char *chosen = getenv("TMPDIR");
    int fd = open_unnamed(chosen && *chosen ? chosen : "/var/tmp");
    if (fd < 0 && !(chosen && *chosen))
        fd = open_unnamed("/tmp");
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (!file) {
        fail(t, "make");
        if (fd >= 0)
            close(fd);
    }
    return file;
}

static void write_entry(struct tallies *t, FILE *file, const struct tally_numbers *numbers, const char *key,
                        size_t size) {
    const struct entry entry = {*numbers, size};
    if (fwrite(&entry, sizeof entry, 1, file) != 1 || fwrite(key, 1, size, file) != size)
        fail(t, "write");
}

static void keep_part(struct tallies *t, FILE *file) {
    if (fflush(file))
        fail(t, "write");
    rewind(file);
    t->parts[t->n_parts++] = file;
}

/* Merging. */

static void advance(struct tallies *t, struct head *h) {
    bool read = fread(&h->entry, sizeof h->entry, 1, h->file) == 1;
    if (read && h->entry.size > h->capacity) {
        h->capacity = h->entry.size;
        h->key = mem_resize(h->key, h->capacity, 1);
    }
    if (read && fread(h->key, 1, h->entry.size, h->file) == h->entry.size) {
        if (h->resets)
            reset(&h->entry.numbers);
        return;
    }
    if (read || ferror(h->file))
        fail(t, "read");
    h->file = NULL;
}

static struct head *least_head(struct head *heads, size_t n) {
    struct head *least = NULL;
    for (size_t i = 0; i < n; i++)
        if (heads[i].file &&
            (!least || compare_keys(heads[i].key, heads[i].entry.size, least->key, least->entry.size) < 0))
            least = &heads[i];
    return least;
}

/* Adds up all that the parts know of one contributor, and moves them past it. */
static void take_least(struct tallies *t, struct head *heads, size_t n, struct head *first,
                       struct tally_numbers *sum) {
    *sum = first->entry.numbers;
    for (struct head *h = heads; h < heads + n; h++)
        if (h != first && h->file &&
            compare_keys(h->key, h->entry.size, first->key, first->entry.size) == 0) {
            add(sum, &h->entry.numbers);
            advance(t, h);
        }
}

/* All parts into one. `visit` may be NULL. */
static void merge_parts(struct tallies *t, tallies_visit_fn *visit, void *data) {
    struct head heads[TALLY_PARTS] = {0};
    struct head *first;
    FILE *merged = open_part(t);
    if (!merged)
        return;
    for (size_t i = 0; i < t->n_parts; i++) {
        heads[i].file = t->parts[i];
        heads[i].resets = i == 0 && t->is_merged;
        advance(t, &heads[i]);
    }
    while (!t->error.status && (first = least_head(heads, t->n_parts))) {
        struct tally_numbers sum;
        take_least(t, heads, t->n_parts, first, &sum);
        if (visit)
            visit(data, first->key, first->key + strlen(first->key) + 1, &sum);
        write_entry(t, merged, &sum, first->key, first->entry.size);
        advance(t, first);
    }
    for (size_t i = 0; i < t->n_parts; i++)
        free(heads[i].key);
    close_parts(t);
    t->is_merged = false;
    keep_part(t, merged);
}

/* The table becomes a part. */
static void spill(struct tallies *t) {
    if (t->n_parts == TALLY_PARTS)
        merge_parts(t, NULL, NULL);
    FILE *file = t->error.status ? NULL : open_part(t);
    if (file) {
        HASH_SORT(t->table, compare_tallies);
        for (const struct tally *tally = t->table; tally; tally = tally->hh.next)
            write_entry(t, file, &tally->numbers, tally->key, tally->size);
        keep_part(t, file);
    }
    clear_table(t);
}

struct tally_numbers *tallies_find(struct tallies *t, const char *role, const char *user_id) {
    enum { ALLOCATOR_BYTES = 6 * sizeof(size_t) };
    size_t role_size = strlen(role) + 1, size = role_size + strlen(user_id) + 1;
    _cleanup_(mem_freep) char *key = mem_alloc(size);
    struct tally *tally;
    memcpy(key, role, role_size);
    memcpy(key + role_size, user_id, size - role_size);
    HASH_FIND(hh, t->table, key, size, tally);
    if (tally)
        return &tally->numbers;
    if (t->bytes >= t->max_bytes)
        spill(t);
    tally = mem_zalloc(sizeof *tally);
    tally->key = key;
    tally->size = size;
    key = NULL;
    HASH_ADD_KEYPTR(hh, t->table, tally->key, size, tally);
    t->bytes += sizeof *tally + size + ALLOCATOR_BYTES;
    return &tally->numbers;
}

static void visit_table(struct tallies *t, tallies_visit_fn *visit, void *data) {
    HASH_SORT(t->table, compare_tallies);
    for (struct tally *tally = t->table; tally; tally = tally->hh.next)
        visit(data, tally->key, tally->key + strlen(tally->key) + 1, &tally->numbers);
}

enum status tallies_visit(struct tallies *t, tallies_visit_fn *visit, void *data, struct error *e) {
    if (t->n_parts && t->table)
        spill(t);
    if (t->n_parts && !t->error.status)
        merge_parts(t, visit, data);
    else
        visit_table(t, visit, data);
    if (t->error.status)
        *e = t->error;
    return t->error.status;
}

void tallies_begin_round(struct tallies *t) {
    for (struct tally *tally = t->table; tally; tally = tally->hh.next)
        reset(&tally->numbers);
    t->is_merged = t->n_parts > 0;
}
