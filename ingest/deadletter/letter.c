/* Dead letters as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ingest/deadletter/internal.h"

static void keep(struct deadletter_text *text, const struct deadletter_letter *letter, size_t max) {
    size_t kept = letter->length < max ? letter->length : max;
    free(text->data);
    text->data = base64_encode(letter->data, kept);
    text->truncated = letter->cut || kept < letter->length;
}

void deadletter_text_init(struct deadletter_text *text, const struct deadletter_letter *letter, size_t max) {
    memset(text, 0, sizeof *text);
    if (!letter->cut)
        digest_sha256_hex(letter->data, letter->length, text->sha256);
    keep(text, letter, max);
}

void deadletter_text_deinit(struct deadletter_text *text) {
    free(text->data);
    text->data = NULL;
}

static char *to_json(const struct deadletter_letter *letter, const struct deadletter_text *text,
                     int64_t now_real_ms) {
    char sequence[POSITION_TEXT_SIZE], now[CLOCK_TEXT_SIZE];
    json_auto_t *json = json_pack(
        "{s:s,s:s,s:I,s:s,s:s,s:s,s:o,s:s?,s:b,s:s}", "shard", letter->shard_id, "sequenceNumber",
        position_sequence(&letter->position, sequence), "subSequenceNumber",
        (json_int_t)position_sub_sequence(&letter->position), "reason", envelope_reason_name(letter->reason),
        "detail", letter->detail, "time", clock_format(now_real_ms, now), "length",
        letter->cut ? json_null() : json_integer((json_int_t)letter->length), "sha256",
        *text->sha256 ? text->sha256 : NULL, "truncated", text->truncated, "data", text->data);
    char *dumped = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (!dumped)
        mem_exhausted();
    return dumped;
}

void deadletter_append(struct buffer *out, const struct deadletter_letter *letter, size_t max,
                       int64_t now_real_ms) {
    _cleanup_(deadletter_text_deinit) struct deadletter_text text;
    deadletter_text_init(&text, letter, 0);
    _cleanup_(mem_freep) char *frame = to_json(letter, &text, now_real_ms);
    size_t taken = strlen(frame) + strlen("false") - strlen("true");

    keep(&text, letter, taken < max ? (max - taken) / 4 * 3 : 0);
    _cleanup_(mem_freep) char *json = to_json(letter, &text, now_real_ms);
    buffer_puts(out, json);
}
