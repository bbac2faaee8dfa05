/* descriptors: the limit of open files and sockets of this process (getrlimit(2), RLIMIT_NOFILE). */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include "base/error.h"

/* Raises the soft limit, usually 1024, to the hard limit: connections and shards may need more. */
void descriptors_raise(void);

/* INVALID if the limit is below `connections` (--connections) and `others` together. */
enum status descriptors_check(unsigned connections, unsigned others, struct error *e);

#endif
