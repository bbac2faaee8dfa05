/* What the files of this folder share; not included from outside. */
#ifndef INGEST_DEADLETTER_INTERNAL_H
#define INGEST_DEADLETTER_INTERNAL_H

#include "base/buffer.h"
#include "base/digest.h"
#include "ingest/deadletter/deadletter.h"

struct deadletter_target;

struct deadletter_target_ops {
    const char *name; /* in metrics */

    /* Sends the pending letters, and marks each as taken or refused. OK: none is pending any more. RETRY:
     * some may be. FAILED: the target takes none of the pending ones now. The error is filled if any was
     * refused. */
    enum status (*write)(struct deadletter_target *, struct deadletter_letter *, size_t, int64_t now_real_ms,
                         struct error *);
    void (*cancel)(struct deadletter_target *); /* NULL: no call takes long */
    void (*free)(struct deadletter_target *);
};

/* The first member of an implementation's own. */
struct deadletter_target {
    const struct deadletter_target_ops *ops;
};

/* ingest/deadletter/letter.c: the parts of a written letter that depend on how much of its data is kept. */
struct deadletter_text {
    char *data; /* base64 */
    bool truncated;
    char sha256[DIGEST_HEX_SIZE]; /* "": not known */
};

/* With at most `max` bytes of the data. */
void deadletter_text_init(struct deadletter_text *text, const struct deadletter_letter *letter, size_t max);
void deadletter_text_deinit(struct deadletter_text *text);

/* Appends the letter as a JSON object of at most `max` bytes, all ASCII. `max` must be enough for a letter
 * without data. */
void deadletter_append(struct buffer *out, const struct deadletter_letter *letter, size_t max,
                       int64_t now_real_ms);

/* ingest/deadletter/file.c: FAILED if it cannot be opened. */
enum status deadletter_file_open(struct deadletter_target **target, const char *path, struct error *e);

/* ingest/deadletter/sqs.c */
bool deadletter_sqs_is_queue(const char *url);
enum status deadletter_sqs_open(struct deadletter_target **target, const char *url,
                                const struct deadletter_options *options, struct error *e);

#endif
