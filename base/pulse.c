#include "base/pulse.h"

#include <pthread.h>
#include <stdio.h>

#include <utlist.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list and the private fields; a leaf */
static struct pulse *watched;

void pulse_watch(struct pulse *p, const char *name, int64_t bound_ms, int64_t now_boot_ms) {
    pulse_beat(p, now_boot_ms);
    pthread_mutex_lock(&lock);
    p->name = name;
    p->bound_ms = bound_ms;
    DL_APPEND(watched, p);
    pthread_mutex_unlock(&lock);
}

void pulse_unwatch(struct pulse *p) {
    pthread_mutex_lock(&lock);
    if (p->name)
        DL_DELETE(watched, p);
    p->name = NULL;
    pthread_mutex_unlock(&lock);
}

/* The last beat may be later than `now_boot_ms`, which was read before; PULSE_RESTS is later than any time.
 */
static bool is_late(const struct pulse *p, int64_t now_boot_ms) {
    return now_boot_ms - pulse_last_ms(p) > p->bound_ms;
}

bool pulse_find_late(int64_t now_boot_ms, char *name, size_t size) {
    struct pulse *p;
    bool found = false;
    pthread_mutex_lock(&lock);
    DL_FOREACH(watched, p) {
        if (!found && is_late(p, now_boot_ms)) {
            found = true;
            snprintf(name, size, "%s", p->name);
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}
