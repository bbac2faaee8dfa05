#include "views/dynamodb/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/event_id.h"

json_t *rows_contribution_key(const char *product_id) {
    return json_pack("{s:o}", "productId", dynamodb_s(product_id));
}

json_t *rows_score_key(const char *user_id, const struct board *board) {
    char role[BOARD_TEXT_SIZE];
    return json_pack("{s:o,s:o}", "userId", dynamodb_s(user_id), "role",
                     dynamodb_s(board_format(board, role)));
}

/* The first 8 bytes of SHA-256(userId), big-endian, modulo the number of partitions. */
unsigned rows_partition_of(const char *user_id, unsigned partitions) {
    struct digest digest = digest_of(user_id, strlen(user_id));
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest.bytes[i];
    return (unsigned)(hash % partitions);
}

const char *rows_partition_format(const struct board *board, unsigned partition,
                                  char out[ROWS_PARTITION_SIZE]) {
    char text[BOARD_TEXT_SIZE];
    snprintf(out, ROWS_PARTITION_SIZE, "%s/%u", board_format(board, text), partition);
    return out;
}

const char *rows_count_name(enum role role) {
    return role == ROLE_SHOP ? "sales" : "score";
}

json_t *rows_lease_key(const char *lease_key) {
    return json_pack("{s:o}", "leaseKey", dynamodb_s(lease_key));
}

json_t *rows_contribution_item(const struct contribution *row) {
    json_t *item = json_object();
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        if (contribution_text(row, i))
            json_object_set_new(item, contribution_text_names[i], dynamodb_s(contribution_text(row, i)));
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        json_object_set_new(item, contribution_number_names[i], dynamodb_n(contribution_number(row, i)));
    return item;
}

static enum status missing(const struct store_dynamodb *d, const struct contribution *c,
                           const char *attribute, struct error *e) {
    return error_set(e, STATUS_FAILED, "row '%s' in table '%s' has no valid %s",
                     c->product_id ? c->product_id : "?", d->contributions_table, attribute);
}

enum status rows_parse_contribution(const struct store_dynamodb *d, const json_t *item,
                                    struct contribution **row, struct error *e) {
    const char *texts[CONTRIBUTION_TEXTS];
    struct event_id id;

    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        texts[i] = dynamodb_get_s(item, contribution_text_names[i]);
    _cleanup_(contribution_freep) struct contribution *c = contribution_from(texts);
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        if (!texts[i] && json_object_get(item, contribution_text_names[i]))
            return missing(d, c, contribution_text_names[i], e);
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++) {
        const char *name = contribution_number_names[i];
        int64_t number = 0;
        if (!dynamodb_get_optional_n(item, name, &number))
            return missing(d, c, name, e);
        contribution_set_number(c, i, number);
    }
    if (!c->product_id)
        return missing(d, c, "productId", e);
    if (!c->last_event_id)
        return missing(d, c, "lastEventId", e);
    if (!event_id_parse(c->last_event_id, strlen(c->last_event_id), &id))
        return error_set(e, STATUS_FAILED, "row '%s' in table '%s' has a malformed lastEventId: '%s'",
                         c->product_id, d->contributions_table, c->last_event_id);
    *row = c;
    c = NULL;
    return STATUS_OK;
}
