/*
 * capacity: how many shards this process can read within the system's limits of open files, threads and
 * memory mappings. A thread that cannot start, or a descriptor that cannot be had, ends the process
 * (base/thread.h, base/waker.h). So the process takes no more leases than its limits allow. What a shard
 * needs is in base/limits.h (LIMIT_SHARD_...); tests/bench/shard_cost.py measures it.
 */
#ifndef SERVER_CAPACITY_H
#define SERVER_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the process needs besides shards. */
struct capacity_use {
    uint64_t client_files; /* for connections of clients */
    bool store_is_remote;  /* DynamoDB: each shard may have a run of calls under way */
};

/* One limit. `room`: the part of `value` that is left for shards; `per_shard`: what one shard needs of it. */
struct capacity_limit {
    const char *name; /* static: "open files (ulimit -Hn)" */
    uint64_t value;
    uint64_t room;
    uint64_t per_shard;
};

enum { CAPACITY_LIMITS = 8 };

/* Reads the limits of the system (getrlimit(2), cgroups(7), proc(5)) as they are now. One that cannot be read
 * is left out, but for vm.max_map_count, which is the kernel's default then. Returns their number. */
size_t capacity_read(struct capacity_limit limits[CAPACITY_LIMITS], const struct capacity_use *use);

/* The limit that allows the fewest shards, one of the `n` (at least 1). */
const struct capacity_limit *capacity_narrowest(const struct capacity_limit *limits, size_t n);

/* At least 1: what is not enough for one shard is refused at the start (server/descriptors.h). */
size_t capacity_shards(const struct capacity_limit *limit);

/* For a message: "the limit of 3000 open files (ulimit -Hn)". */
void capacity_name(const struct capacity_limit *limit, char *out, size_t size);

#endif
