/*
 * live_shared: what the parts of /live have in common. It lives as long as its owner, and as calls are in
 * flight that return to it.
 */
#ifndef API_LIVE_SHARED_H
#define API_LIVE_SHARED_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "base/waker.h"

struct live_shared {
    struct api *api; /* borrowed */
    atomic_uint references;
    void (*free)(struct live_shared *shared); /* of all that it is a part of */
    struct waker waker;                       /* of the thread that steps */
    pthread_mutex_t lock;                     /* a leaf */
};

/* With one reference, the owner's. */
void live_shared_init(struct live_shared *shared, struct api *api, void (*free)(struct live_shared *shared));
void live_shared_ref(struct live_shared *shared);
void live_shared_unref(struct live_shared *shared);

#endif
