#include "server/descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

void descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if that fails, descriptors_check finds it */
    }
}

enum status descriptors_check(unsigned connections, unsigned others, struct error *e) {
    struct rlimit limit;
    rlim_t needed = (rlim_t)connections + others;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set(e, STATUS_FAILED, "cannot read the limit of open files: %s", strerror(errno));
    if (limit.rlim_cur < needed)
        return error_set(e, STATUS_INVALID,
                         "--connections '%u' needs %llu open files; allowed by the system: %llu (ulimit -Hn)",
                         connections, (unsigned long long)needed, (unsigned long long)limit.rlim_cur);
    return STATUS_OK;
}
