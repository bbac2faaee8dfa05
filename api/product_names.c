#include "api/product_names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"

struct entry {
    UT_hash_handle hh;
    char *name; /* NULL: none */
    char product_id[];
};

struct product_names {
    pthread_mutex_t lock; /* a leaf */
    struct entry *entries;
};

static void forget_all(struct product_names *names) {
    struct entry *entry, *next;
    HASH_ITER(hh, names->entries, entry, next) {
        HASH_DEL(names->entries, entry);
        free(entry->name);
        free(entry);
    }
}

struct product_names *product_names_new(void) {
    struct product_names *names = mem_zalloc(sizeof *names);
    pthread_mutex_init(&names->lock, NULL);
    return names;
}

void product_names_free(struct product_names *names) {
    if (!names)
        return;
    forget_all(names);
    pthread_mutex_destroy(&names->lock);
    free(names);
}

bool product_names_find(struct product_names *names, const char *product_id, char **name) {
    struct entry *entry;
    pthread_mutex_lock(&names->lock);
    HASH_FIND_STR(names->entries, product_id, entry);
    if (entry)
        *name = entry->name ? mem_strdup(entry->name) : NULL;
    pthread_mutex_unlock(&names->lock);
    return entry != NULL;
}

void product_names_add(struct product_names *names, const char *product_id, const char *name) {
    size_t length = strlen(product_id);
    struct entry *entry = NULL;
    pthread_mutex_lock(&names->lock);
    HASH_FIND_STR(names->entries, product_id, entry);
    if (!entry) {
        if (HASH_COUNT(names->entries) >= LIMIT_PRODUCT_NAMES)
            forget_all(names);
        entry = mem_zalloc(sizeof *entry + length + 1);
        memcpy(entry->product_id, product_id, length);
        entry->name = name ? mem_strdup(name) : NULL;
        HASH_ADD_KEYPTR(hh, names->entries, entry->product_id, length, entry);
    }
    pthread_mutex_unlock(&names->lock);
}
