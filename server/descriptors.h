/* descriptors: how many files and sockets this process may have open at once (getrlimit(2), RLIMIT_NOFILE).
 */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include "base/error.h"

/* As many as the hard limit allows: connections, and a thread's few for each shard, are more than the usual
 * soft limit of 1024. */
void descriptors_raise(void);

/* INVALID unless so many connections (`--connections`) and others can be open at once. */
enum status descriptors_check(unsigned connections, unsigned others, struct error *e);

#endif
