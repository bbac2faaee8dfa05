#include "api/live/shared.h"

void live_shared_init(struct live_shared *shared, struct api *api, void (*free)(struct live_shared *shared)) {
    shared->api = api;
    shared->free = free;
    atomic_init(&shared->references, 1);
    waker_init(&shared->waker);
    pthread_mutex_init(&shared->lock, NULL);
}

void live_shared_ref(struct live_shared *shared) {
    atomic_fetch_add(&shared->references, 1);
}

void live_shared_unref(struct live_shared *shared) {
    if (atomic_fetch_sub(&shared->references, 1) != 1)
        return;
    waker_deinit(&shared->waker);
    pthread_mutex_destroy(&shared->lock);
    shared->free(shared);
}
