/* options_table: the table of options, for the files of options only. */
#ifndef SERVER_OPTIONS_TABLE_H
#define SERVER_OPTIONS_TABLE_H

#include <stddef.h>

#include "server/options.h"

struct option;

/* Stores the value in its field. False: the value is not allowed. */
typedef bool option_check_fn(struct options *options, const struct option *option, const char *value);

enum options_group { GROUP_ADDRESS, GROUP_VIEW, GROUP_READING, GROUP_ANSWERS, GROUP_LIMITS, GROUP_OUTPUT };

struct option {
    enum options_group group; /* those of a group stand together */
    const char *name;
    const char *argument; /* in --help, and after "allowed: " in the mistakes, but for numbers */
    const char *default_text;
    const char *help;
    option_check_fn *check;
    size_t offset;
    int64_t least, most;        /* of a number; else 0 */
    const char *const *choices; /* by value; NULL after the last */
    const char *other_environment;
    unsigned readers; /* a set of enum options_reader; 0: serve alone */
    bool is_first;    /* one of those that --help itself shows */
};

extern const struct option options_table[];
extern const size_t options_count;

static inline bool options_is_read_by(const struct option *option, unsigned reader) {
    return (option->readers ? option->readers : OPTIONS_OF_SERVE) & reader;
}

/* Of "--start" and "--start=latest", whose value it returns too: NULL if there is none. NULL: no option has
 * that name. */
const struct option *options_find(const char *argument, const char **value);

/* NULL: no command has that name. */
const struct command *options_find_command(const struct command *commands, const char *name);

#endif
