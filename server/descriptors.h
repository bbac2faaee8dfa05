/* descriptors: how many files and sockets this process may have open at once (getrlimit(2), RLIMIT_NOFILE).
 */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include "server/base/error.h"

/* Makes sure that so many connections (`--connections`) and others can be open: raises the soft limit if need
 * be, never the hard one. INVALID if that is too low. */
enum status descriptors_reserve(unsigned connections, unsigned others, struct error *e);

#endif
