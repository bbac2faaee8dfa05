#include "api/sale_feed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

struct sale_feed {
    atomic_bool is_open;  /* set under the lock */
    pthread_mutex_t lock; /* a leaf; guards what follows */
    struct sale sale;     /* since the last sale_feed_take */
};

void sale_deinit(struct sale *sale) {
    free(sale->product_id);
    free(sale->name);
    free(sale->merchant);
    free(sale->photographer);
    *sale = (struct sale){0};
}

struct sale_feed *sale_feed_new(void) {
    struct sale_feed *feed = mem_zalloc(sizeof *feed);
    pthread_mutex_init(&feed->lock, NULL);
    return feed;
}

void sale_feed_free(struct sale_feed *feed) {
    if (!feed)
        return;
    sale_deinit(&feed->sale);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

void sale_feed_open(struct sale_feed *feed, bool is_open) {
    struct sale forgotten = {0};
    pthread_mutex_lock(&feed->lock);
    if (is_open != feed->is_open) {
        forgotten = feed->sale;
        feed->sale = (struct sale){0};
    }
    atomic_store(&feed->is_open, is_open);
    pthread_mutex_unlock(&feed->lock);
    sale_deinit(&forgotten);
}

bool sale_feed_is_open(const struct sale_feed *feed) {
    return atomic_load(&feed->is_open);
}

static char *copy(const char *text) {
    return text ? mem_strdup(text) : NULL;
}

static char *copy_person(const char *user_id) {
    return contribution_is_unknown(user_id) ? NULL : copy(user_id);
}

static struct sale sale_of(const struct apply_sales *sales) {
    const struct contribution *product = sales->product;
    return (struct sale){
        .n = sales->n,
        .product_id = mem_strdup(product->product_id),
        .name = copy(product->name),
        .merchant = copy_person(product->creator),
        .photographer = copy_person(product->photographer),
        .time_ms = sales->time_ms,
    };
}

void sale_feed_note(struct sale_feed *feed, const struct apply_sales *sales) {
    if (!sale_feed_is_open(feed))
        return;
    struct sale other = sale_of(sales);
    pthread_mutex_lock(&feed->lock);
    if (feed->is_open) {
        struct sale before = feed->sale;
        feed->sale = other;
        feed->sale.n += before.n;
        other = before;
    }
    pthread_mutex_unlock(&feed->lock);
    sale_deinit(&other);
}

bool sale_feed_take(struct sale_feed *feed, struct sale *sale) {
    pthread_mutex_lock(&feed->lock);
    *sale = feed->sale;
    feed->sale = (struct sale){0};
    pthread_mutex_unlock(&feed->lock);
    return sale->n > 0;
}
