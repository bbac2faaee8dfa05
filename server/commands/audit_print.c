/* audit_print: a table for people, JSON for programs. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "server/commands/audit.h"

static void print_number(int64_t number, FILE *out) {
    if (number == AUDIT_NONE)
        fprintf(out, "%12s", "-");
    else
        fprintf(out, "%12" PRId64, number);
}

/* User ids come from events: their control characters must not reach the terminal. */
static void print_escaped(const char *text, FILE *out) {
    for (; *text; text++)
        if (text_is_control(*text))
            fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, out);
}

static void print_difference(const struct audit_difference *d, FILE *out) {
    fprintf(out, "%-12.12s", d->role);
    print_number(d->score, out);
    print_number(d->derived, out);
    fputs("  ", out);
    print_escaped(d->user_id, out);
    fputc('\n', out);
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

static void print_table(const struct audit *audit, FILE *out) {
    if (audit->n_differences)
        fprintf(out, "%-12s%12s%12s  %s\n", "role", "score", "derived", "userId");
    for (size_t i = 0; i < audit->n_differences; i++)
        print_difference(&audit->differences[i], out);
    fprintf(out, "%zu differences; %zu scores, %zu products, read %d %s\n", audit->n_differences,
            audit->scores, audit->products, audit->rounds, audit->rounds == 1 ? "time" : "times");
    print_changes(audit, out);
}

static json_t *number_or_null(int64_t number) {
    return number == AUDIT_NONE ? json_null() : json_integer(number);
}

static json_t *differences_json(const struct audit *audit) {
    json_t *list = json_array();
    for (size_t i = 0; i < audit->n_differences; i++) {
        const struct audit_difference *d = &audit->differences[i];
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:o,s:o}", "role", d->role, "userId", d->user_id, "score",
                                        number_or_null(d->score), "derived", number_or_null(d->derived)));
    }
    return list;
}

static void print_json(const struct audit *audit, FILE *out) {
    json_auto_t *root = json_pack(
        "{s:o,s:I,s:I,s:I,s:I,s:i,s:{s:I,s:I,s:I}}", "differences", differences_json(audit), "scores",
        (json_int_t)audit->scores, "products", (json_int_t)audit->products, "moving",
        (json_int_t)audit->moving, "settled", (json_int_t)audit->settled, "rounds", audit->rounds, "leases",
        "all", (json_int_t)audit->leases, "held", (json_int_t)audit->held, "moved", (json_int_t)audit->moved);
    json_dumpf(root, out, JSON_INDENT(2));
    fputc('\n', out);
}

bool audit_print(const struct audit *audit, enum options_format format, FILE *out) {
    if (format == FORMAT_JSON)
        print_json(audit, out);
    else
        print_table(audit, out);
    return fflush(out) == 0 && !ferror(out);
}
