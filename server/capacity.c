#include "server/capacity.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "server/control_group.h"

enum { DEFAULT_MAPPINGS = 65530 }; /* proc_sys_vm(5): vm.max_map_count */

static void close_file(FILE **f) {
    if (*f)
        fclose(*f);
}

/* The number in a file. False: there is no file, or no number ("max"). */
static bool read_number(const char *path, uint64_t *number) {
    _cleanup_(close_file) FILE *f = fopen(path, "re");
    return f && fscanf(f, "%" SCNu64, number) == 1;
}

/* All threads of the machine (proc_loadavg(5)); 0: unknown. */
static uint64_t count_threads(void) {
    _cleanup_(close_file) FILE *f = fopen("/proc/loadavg", "re");
    uint64_t threads = 0;
    return f && fscanf(f, "%*s %*s %*s %*[0-9]/%" SCNu64, &threads) == 1 ? threads : 0;
}

struct list {
    struct capacity_limit *limits;
    size_t n;
};

static void add(struct list *list, const char *name, uint64_t value, uint64_t used, uint64_t per_shard) {
    if (list->n < CAPACITY_LIMITS)
        list->limits[list->n++] =
            (struct capacity_limit){name, value, value > used ? value - used : 0, per_shard};
}

static void add_files(struct list *list, const struct capacity_use *use) {
    struct rlimit limit;
    uint64_t per_shard = LIMIT_SHARD_FILES + (use->store_is_remote ? LIMIT_SHARD_STORE_FILES : 0);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        add(list, "open files (ulimit -Hn)", limit.rlim_cur, use->client_files + LIMIT_OTHER_FILES,
            per_shard);
}

/* Of a small limit, as containers have, half of what is free is left for shards. */
static void add_threads(struct list *list, const char *name, uint64_t max, uint64_t taken) {
    uint64_t half = max > taken ? (max - taken) / 2 : 0;
    uint64_t others = half < LIMIT_OTHER_THREADS ? half : LIMIT_OTHER_THREADS;
    add(list, name, max, taken + others, LIMIT_SHARD_THREADS);
}

static void add_limits_of_threads(struct list *list) {
    struct rlimit limit;
    uint64_t threads = count_threads(), max, taken;
    if (control_group_threads(CONTROL_GROUP_OWN, CONTROL_GROUP_ROOT, &max, &taken))
        add_threads(list, "threads of the control group (pids.max)", max, taken);
    if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        add_threads(list, "threads of the user (ulimit -u)", limit.rlim_cur, 0);
    if (read_number("/proc/sys/kernel/threads-max", &max))
        add_threads(list, "threads of the machine (kernel.threads-max)", max, threads);
    if (read_number("/proc/sys/kernel/pid_max", &max))
        add_threads(list, "threads of the machine (kernel.pid_max)", max, threads);
}

static void add_mappings(struct list *list) {
    uint64_t max = DEFAULT_MAPPINGS;
    read_number("/proc/sys/vm/max_map_count", &max);
    add(list, "memory mappings (vm.max_map_count)", max, LIMIT_OTHER_MAPPINGS, LIMIT_SHARD_MAPPINGS);
}

size_t capacity_read(struct capacity_limit limits[CAPACITY_LIMITS], const struct capacity_use *use) {
    struct list list = {.limits = limits};
    add_mappings(&list);
    add_files(&list, use);
    add_limits_of_threads(&list);
    return list.n;
}

size_t capacity_shards(const struct capacity_limit *limit) {
    uint64_t shards = limit->room / limit->per_shard;
    return shards ? (size_t)shards : 1;
}

const struct capacity_limit *capacity_narrowest(const struct capacity_limit *limits, size_t n) {
    const struct capacity_limit *narrowest = limits;
    for (size_t i = 1; i < n; i++)
        if (capacity_shards(&limits[i]) < capacity_shards(narrowest))
            narrowest = &limits[i];
    return narrowest;
}

void capacity_name(const struct capacity_limit *limit, char *out, size_t size) {
    snprintf(out, size, "the limit of %" PRIu64 " %s", limit->value, limit->name);
}
