/* control_group: what the control groups of this process allow (cgroups(7), version 1 or 2), as systemd and
 * containers set them. */
#ifndef SERVER_CONTROL_GROUP_H
#define SERVER_CONTROL_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_GROUP_OWN "/proc/self/cgroup"
#define CONTROL_GROUP_ROOT "/sys/fs/cgroup"

/* The limit of threads (pids.max) that leaves the fewest, among the group that the file `own` names and those
 * above it: its value, and how many threads count against it now. False: there is none. Any thread. */
bool control_group_threads(const char *own, const char *root, uint64_t *max, uint64_t *taken);

#endif
