#include "server/descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

enum status descriptors_reserve(unsigned connections, unsigned others, struct error *e) {
    struct rlimit limit;
    rlim_t needed = (rlim_t)connections + others;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set(e, STATUS_FAILED, "cannot read the limit of open files: %s", strerror(errno));
    if (limit.rlim_cur >= needed)
        return STATUS_OK;
    if (limit.rlim_max < needed)
        return error_set(e, STATUS_INVALID,
                         "--connections '%u' needs %llu open files; allowed by the system: %llu (ulimit -Hn)",
                         connections, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return error_set(e, STATUS_FAILED, "cannot raise the limit of open files: %s", strerror(errno));
    return STATUS_OK;
}
