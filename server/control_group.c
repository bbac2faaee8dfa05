#include "server/control_group.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { PATH_BYTES = 4096 };

struct threads {
    bool found;
    uint64_t max, taken;
};

static void close_file(FILE **f) {
    if (*f)
        fclose(*f);
}

/* False: there is no file, or no number ("max"). */
static bool read_number(const char *root, const char *group, const char *name, uint64_t *number) {
    char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s%s/%s", root, group, name);
    _cleanup_(close_file) FILE *f = fopen(path, "re");
    return f && fscanf(f, "%" SCNu64, number) == 1;
}

static uint64_t room(const struct threads *t) {
    return t->max > t->taken ? t->max - t->taken : 0;
}

static void note_limit(struct threads *tightest, const char *root, const char *group) {
    struct threads t = {.found = true};
    if (!read_number(root, group, "pids.max", &t.max) || !read_number(root, group, "pids.current", &t.taken))
        return;
    if (!tightest->found || room(&t) < room(tightest))
        *tightest = t;
}

/* The group and all above it, up to the root. In a container its path may be that of the host, which is not
 * there. */
static void note_limits_up_to_root(struct threads *tightest, const char *root, char *group) {
    note_limit(tightest, root, group);
    for (char *last; (last = strrchr(group, '/'));) {
        *last = '\0';
        note_limit(tightest, root, group);
    }
}

bool control_group_threads(const char *own, const char *root, uint64_t *max, uint64_t *taken) {
    _cleanup_(close_file) FILE *f = fopen(own, "re");
    char line[PATH_BYTES], pids_root[PATH_BYTES];
    struct threads tightest = {0};
    snprintf(pids_root, sizeof pids_root, "%s/pids", root);
    while (f && fgets(line, sizeof line, f)) { /* "0::/path" is version 2, "8:pids:/path" version 1 */
        line[strcspn(line, "\n")] = '\0';
        char *pids = strstr(line, ":pids:");
        if (strncmp(line, "0::", 3) == 0)
            note_limits_up_to_root(&tightest, root, line + 3);
        else if (pids)
            note_limits_up_to_root(&tightest, pids_root, pids + 6);
    }
    *max = tightest.max;
    *taken = tightest.taken;
    return tightest.found;
}
