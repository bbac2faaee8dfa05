/* contribution: one row of the Contributions view: who registered and photographed a product, and how often
 * it was bought. */
#ifndef VIEWS_CONTRIBUTION_H
#define VIEWS_CONTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The creator of a product whose registration is no longer in the log. No contributor. */
#define CONTRIBUTION_UNKNOWN "UNKNOWN"

bool contribution_is_unknown(const char *user_id); /* NULL: false */

/* Owns its strings. Not thread-safe. */
struct contribution {
    char *product_id;
    char *creator;      /* NULL: none yet */
    char *photographer; /* NULL: none yet */
    int64_t creator_score;
    int64_t photographer_score;
    char *last_event_id;         /* NULL: no event was folded into it: there is no such row */
    char *photographer_event_id; /* NULL: none */
    int64_t created_ms;          /* the first event's time */
    int64_t updated_ms;          /* the last event's */
    char *created_by;
    char *updated_by;
    char *name, *brand, *category; /* of the creation that won; NULL: none */
    char *image;                   /* of the photograph that won; NULL: none, or too long to keep */
    int64_t place;                 /* the store's own: where it found or put the row; 0: not known */
};

struct contribution *contribution_new(const char *product_id);
void contribution_free(struct contribution *c);
void contribution_freep(struct contribution **c);

/* Memory that it takes, about. */
size_t contribution_size(const struct contribution *c);

/* The fields by number, for the stores: first texts, then numbers. An attribute of DynamoDB and a column of
 * SQLite have the name that stands here. */
enum { CONTRIBUTION_TEXTS = 11, CONTRIBUTION_NUMBERS = 4 };

extern const char *const contribution_text_names[CONTRIBUTION_TEXTS];
extern const char *const contribution_number_names[CONTRIBUTION_NUMBERS];

const char *contribution_text(const struct contribution *c, size_t i); /* NULL: none */
int64_t contribution_number(const struct contribution *c, size_t i);
void contribution_set_text(struct contribution *c, size_t i, const char *text); /* copied; NULL: none */
void contribution_set_number(struct contribution *c, size_t i, int64_t number);

#endif
