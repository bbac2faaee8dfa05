#include "views/packed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { OLD_LAST_EVENT_ID = CONTRIBUTION_TEXTS, COLD_TEXTS = CONTRIBUTION_TEXTS - 2 };

/* How the texts lie. Each event changes the last two, which are hot; so it moves nothing else. The id of the
 * store's event stays where it lay before the row changed. The others, before them, are cold. */
static const int order[] = {
    CONTRIBUTION_PRODUCT_ID,    CONTRIBUTION_CREATOR,
    CONTRIBUTION_PHOTOGRAPHER,  CONTRIBUTION_PHOTOGRAPHER_EVENT_ID,
    CONTRIBUTION_CREATED_BY,    CONTRIBUTION_NAME,
    CONTRIBUTION_BRAND,         CONTRIBUTION_CATEGORY,
    CONTRIBUTION_IMAGE,         OLD_LAST_EVENT_ID,
    CONTRIBUTION_LAST_EVENT_ID, CONTRIBUTION_UPDATED_BY,
};
_Static_assert(sizeof order / sizeof *order == PACKED_TEXTS, "each text has its place");

/* The size of CREATED_BY where it is equal to CREATOR, and lies there: most products are registered first. */
#define AS_CREATOR UINT32_MAX

static uint32_t bytes_of(const struct packed *p, int i) {
    return p->sizes[i] == AS_CREATOR ? 0 : p->sizes[i];
}

struct contribution packed_row(const struct packed *p) {
    struct contribution row = {.place = p->place};
    const char *at = p->texts;
    for (size_t k = 0; k < PACKED_TEXTS; k++) {
        int i = order[k];
        if (i == OLD_LAST_EVENT_ID)
            at += p->sizes[i];
        else if (p->sizes[i] == AS_CREATOR)
            row.created_by = row.creator;
        else if (p->sizes[i]) {
            contribution_set_text(&row, (size_t)i, at);
            at += p->sizes[i];
        }
    }
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        contribution_set_number(&row, i, p->numbers[i]);
    return row;
}

const char *packed_product_id(const struct packed *p) {
    return p->texts;
}

/* Where the texts begin that each event changes. */
static size_t hot_begin(const struct packed *p) {
    size_t begin = 0;
    for (size_t k = 0; k < COLD_TEXTS; k++)
        begin += bytes_of(p, order[k]);
    return begin;
}

const char *packed_old_last_event_id(const struct packed *p) {
    return p->sizes[OLD_LAST_EVENT_ID] ? p->texts + hot_begin(p) : NULL;
}

static uint32_t size_of(const char *text) {
    return text ? (uint32_t)strlen(text) + 1 : 0;
}

static void copy_numbers(struct packed *p, const struct contribution *row) {
    p->place = row->place;
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        p->numbers[i] = contribution_number(row, i);
}

/* With room for the id of the store's event, if the next is no longer. The allocator rounds up to a multiple
 * of 16, less its own size. */
static struct packed *pack(const struct contribution *row, const char *old_last_event_id) {
    enum { ROUND = 16, OWN = ROUND - (sizeof(struct packed) + sizeof(size_t)) % ROUND };
    struct packed head = {.has_changed = false};
    const char *texts[PACKED_TEXTS];
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        texts[i] = contribution_text(row, i);
    texts[OLD_LAST_EVENT_ID] = old_last_event_id;
    size_t size = old_last_event_id ? 0 : size_of(row->last_event_id);
    for (int i = 0; i < PACKED_TEXTS; i++)
        size += head.sizes[i] = size_of(texts[i]);
    if (row->creator && row->created_by && strcmp(row->creator, row->created_by) == 0) {
        size -= head.sizes[CONTRIBUTION_CREATED_BY];
        head.sizes[CONTRIBUTION_CREATED_BY] = AS_CREATOR;
    }
    head.capacity = (uint32_t)((size + ROUND - 1 - OWN) / ROUND * ROUND + OWN);

    struct packed *p = mem_alloc(sizeof *p + head.capacity);
    *p = head;
    char *at = p->texts;
    for (size_t k = 0; k < PACKED_TEXTS; k++) {
        uint32_t bytes = bytes_of(p, order[k]);
        if (bytes)
            at = (char *)memcpy(at, texts[order[k]], bytes) + bytes;
    }
    copy_numbers(p, row);
    return p;
}

struct packed *packed_new(const struct contribution *row) {
    return pack(row, NULL);
}

static bool is_own(const struct packed *p, const char *text) {
    return text >= p->texts && text < p->texts + p->capacity;
}

/* As after a purchase: only the event and who brought it are others, and there is room. Equal texts elsewhere
 * would do too, but to compare pointers is quick. */
static bool fits(const struct packed *p, const struct contribution *now, const struct contribution *row,
                 size_t begin) {
    for (size_t k = 0; k < COLD_TEXTS; k++)
        if (contribution_text(now, (size_t)order[k]) != contribution_text(row, (size_t)order[k]))
            return false;
    return row->last_event_id && row->updated_by && !is_own(p, row->last_event_id) &&
           !is_own(p, row->updated_by) &&
           begin + size_of(row->last_event_id) + size_of(row->updated_by) <= p->capacity;
}

static struct packed *pack_again(struct packed *p, const struct contribution *row, const char *old_last) {
    struct packed *again = pack(row, old_last);
    again->has_changed = true;
    free(p);
    return again;
}

struct packed *packed_change(struct packed *p, const struct contribution *row) {
    const struct contribution now = packed_row(p);
    const char *old_last = p->has_changed ? packed_old_last_event_id(p) : now.last_event_id;
    uint32_t old_size = p->sizes[p->has_changed ? OLD_LAST_EVENT_ID : CONTRIBUTION_LAST_EVENT_ID];
    size_t begin = hot_begin(p) + old_size;
    if (!fits(p, &now, row, begin))
        return pack_again(p, row, old_last);

    p->has_changed = true;
    p->sizes[OLD_LAST_EVENT_ID] = old_size;
    p->sizes[CONTRIBUTION_LAST_EVENT_ID] = size_of(row->last_event_id);
    p->sizes[CONTRIBUTION_UPDATED_BY] = size_of(row->updated_by);
    char *at = p->texts + begin;
    memcpy(at, row->last_event_id, p->sizes[CONTRIBUTION_LAST_EVENT_ID]);
    at += p->sizes[CONTRIBUTION_LAST_EVENT_ID];
    memcpy(at, row->updated_by, p->sizes[CONTRIBUTION_UPDATED_BY]);
    copy_numbers(p, row);
    return p;
}

void packed_settle(struct packed *p) {
    p->has_changed = false;
    uint32_t gone = p->sizes[OLD_LAST_EVENT_ID];
    if (!gone)
        return;
    char *hot = p->texts + hot_begin(p);
    memmove(hot, hot + gone, p->sizes[CONTRIBUTION_LAST_EVENT_ID] + p->sizes[CONTRIBUTION_UPDATED_BY]);
    p->sizes[OLD_LAST_EVENT_ID] = 0;
}

size_t packed_size(const struct packed *p) {
    enum { ALLOCATOR_BYTES = sizeof(size_t) };
    return sizeof *p + p->capacity + ALLOCATOR_BYTES;
}
