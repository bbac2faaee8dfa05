#include "base/thread.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static int create(pthread_t *thread, const char *name, void *(*run)(void *), void *data) {
    pthread_attr_t attributes;
    char kept[16];
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, LIMIT_STACK_BYTES);
    int code = pthread_create(thread, &attributes, run, data);
    pthread_attr_destroy(&attributes);
    snprintf(kept, sizeof kept, "%s", name);
    if (!code)
        pthread_setname_np(*thread, kept); /* fails if it has ended already */
    return code;
}

enum status thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *data,
                         struct error *e) {
    int code = create(thread, name, run, data);
    return code ? error_set(e, STATUS_FAILED, "cannot start thread '%s': %s", name, strerror(code))
                : STATUS_OK;
}

void thread_must_start(pthread_t *thread, const char *name, void *(*run)(void *), void *data) {
    struct error e;
    if (thread_start(thread, name, run, data, &e))
        mem_abort(e.message);
}
