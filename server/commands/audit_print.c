/* audit_print: a table for people, JSON for programs. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "server/commands/audit.h"

static void print_number(int64_t number, FILE *out) {
    if (number == AUDIT_NONE)
        fprintf(out, "%12s", "-");
    else
        fprintf(out, "%12" PRId64, number);
}

/* User ids come from events: what could command the terminal or reorder the line must not reach it. */
static void print_escaped(const char *text, FILE *out) {
    size_t bytes;
    for (size_t left = strlen(text); left; left -= bytes, text += bytes) {
        uint32_t c;
        bytes = utf8_decode(text, left, &c);
        if (text_is_deceptive(c))
            fprintf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        else
            fwrite(text, 1, bytes, out);
    }
}

static void print_line(void *data, const struct audit_difference *d) {
    FILE *out = data;
    fprintf(out, "%-28s", d->role);
    print_number(d->score, out);
    print_number(d->derived, out);
    fputs("  ", out);
    print_escaped(*d->user_id || !strchr(d->role, '#') ? d->user_id : "(all of them)", out);
    fputc('\n', out);
}

/* Of a period's rows only sums can be derived. */
static void print_unchecked(const struct audit *audit, FILE *out) {
    if (audit->rules.expired)
        fprintf(out, "not checked: %zu scores of periods that have expired, or do within a day\n",
                audit->rules.expired);
    if (audit->rules.shape.periods)
        fputs("not checked: to whom the sales of a period were credited; only their sums\n", out);
}

static void print_changes(const struct audit *audit, FILE *out) {
    if (audit->held || audit->moved)
        fprintf(out, "a service may be writing: of %zu leases %zu are held, %zu were written to meanwhile\n",
                audit->leases, audit->held, audit->moved);
    if (audit->moving)
        fprintf(out, "%zu scores changed during the audit; the audit allowed for these changes\n",
                audit->moving);
    if (audit->settled)
        fprintf(out, "%zu scores differed at first, because of unfinished batches, and agree now\n",
                audit->settled);
    if (audit->n_differences && audit->held)
        fprintf(out,
                "a score above its contributions may come from a batch that a crash interrupted: run audit "
                "again when a worker has caught up\n");
}

static const char *plural(size_t n) {
    return n == 1 ? "" : "s";
}

static void print_verdict(const struct audit *audit, FILE *out) {
    unsigned periods = audit->rules.shape.periods;
    char kinds[PERIOD_SET_TEXT_SIZE];
    if (audit->n_differences)
        fprintf(out, "verdict: not every score is what its contributions say");
    else if (audit->moving)
        fprintf(out, "verdict: every score is what its contributions say, as far as they stood still");
    else
        fprintf(out, "verdict: every score is what its contributions say");
    fprintf(out, ": %zu score%s, %zu product%s, %s%s, read %d time%s, %zu difference%s\n", audit->scores,
            plural(audit->scores), audit->products, plural(audit->products),
            periods ? "periods " : "no periods", periods ? period_set_format(periods, kinds) : "",
            audit->rounds, plural((size_t)audit->rounds), audit->n_differences, plural(audit->n_differences));
}

static enum status print_table(struct audit *audit, FILE *out, struct error *e) {
    if (audit->n_differences)
        fprintf(out, "%-28s%12s%12s  %s\n", "role", "score", "derived", "userId");
    enum status status = audit_visit(audit, print_line, out, e);
    print_changes(audit, out);
    print_unchecked(audit, out);
    print_verdict(audit, out);
    return status;
}

struct json_list {
    FILE *out;
    bool begun;
};

static json_t *number_or_null(int64_t number) {
    return number == AUDIT_NONE ? json_null() : json_integer(number);
}

static void print_element(void *data, const struct audit_difference *d) {
    struct json_list *list = data;
    json_auto_t *element = json_pack("{s:s,s:s,s:o,s:o}", "role", d->role, "userId", d->user_id, "score",
                                     number_or_null(d->score), "derived", number_or_null(d->derived));
    if (!element) /* a text that is not UTF-8 */
        return;
    fputs(list->begun ? ",\n    " : "\n    ", list->out);
    json_dumpf(element, list->out, JSON_ENSURE_ASCII); /* for the terminal's sake too */
    list->begun = true;
}

static enum status print_differences(struct audit *audit, FILE *out, struct error *e) {
    struct json_list list = {.out = out};
    fputs("  \"differences\": [", out);
    enum status status = audit_visit(audit, print_element, &list, e);
    fputs(list.begun ? "\n  ],\n" : "],\n", out);
    return status;
}

/* The list is not made as one value: it may be longer than memory. */
static enum status print_json(struct audit *audit, FILE *out, struct error *e) {
    fputs("{\n", out);
    enum status status = print_differences(audit, out, e);
    fprintf(out, "  \"scores\": %zu,\n  \"products\": %zu,\n", audit->scores, audit->products);
    fprintf(out, "  \"moving\": %zu,\n  \"settled\": %zu,\n", audit->moving, audit->settled);
    fprintf(out, "  \"expired\": %zu,\n", audit->rules.expired);
    fprintf(out, "  \"rounds\": %d,\n", audit->rounds);
    fprintf(out, "  \"leases\": {\"all\": %zu, \"held\": %zu, \"moved\": %zu}\n}\n", audit->leases,
            audit->held, audit->moved);
    return status;
}

enum status audit_print(struct audit *audit, enum options_format format, FILE *out, struct error *e) {
    enum status status = format == FORMAT_JSON ? print_json(audit, out, e) : print_table(audit, out, e);
    if (status)
        return status;
    if (fflush(out) || ferror(out))
        return error_set(e, STATUS_FAILED, "cannot write the output: %s", strerror(errno));
    return STATUS_OK;
}
