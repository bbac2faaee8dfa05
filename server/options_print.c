/* options_print: the help, and what a shell completes. */
#include <stdio.h>
#include <string.h>

#include "server/options_table.h"

static const char *const group_titles[] = {
    [GROUP_ADDRESS] = "addresses",      [GROUP_VIEW] = "what is read and kept",
    [GROUP_READING] = "how it is read", [GROUP_ANSWERS] = "answers",
    [GROUP_LIMITS] = "limits",          [GROUP_OUTPUT] = "output",
};

static void print_option(const struct option *o, FILE *out) {
    fprintf(out, "  --%s %s\n      %s", o->name, o->argument, o->help);
    if (o->default_text)
        fprintf(out, " (default: %s)", o->default_text);
    if (o->other_environment)
        fprintf(out, " (also %s)", o->other_environment);
    fputc('\n', out);
}

static void print_command_help(const struct command *subject, FILE *out) {
    const struct option *last = NULL;
    fprintf(out, "usage: winner-view %s [options]\n\n%s\n", subject->name, subject->help);
    for (const struct option *o = options_table; o < options_table + options_count; o++) {
        if (!options_is_read_by(o, subject->options))
            continue;
        if (!last || last->group != o->group)
            fprintf(out, "\n%s:\n", group_titles[o->group]);
        print_option(o, out);
        last = o;
    }
    fputs("\nEach may be in the environment instead, as WINNER_VIEW_LOG_LEVEL for --log-level.\n", out);
}

static void print_first_options(FILE *out) {
    fputs("\nthe first options (winner-view help serve: all of them):\n", out);
    for (const struct option *o = options_table; o < options_table + options_count; o++)
        if (o->is_first)
            fprintf(out, "  --%s %s\n", o->name, o->argument);
}

static void print_program_help(const struct command *commands, FILE *out) {
    fputs("usage: winner-view [command] [options]\n\n"
          "Reads a stream of events and serves who earned what from it.\n\ncommands:\n",
          out);
    for (; commands->name; commands++)
        if (commands->help)
            fprintf(out, "  %-16s %s\n", commands->name, commands->help);
    print_first_options(out);
    fputs("Each may be in the environment instead, as WINNER_VIEW_LISTEN for --listen.\n"
          "  -h, --help (also after a command); -V, --version\n\n"
          "Exit status: 0 stopped as asked, 1 failed, 2 wrong configuration, 3 differences.\n",
          out);
}

void options_print_help(const struct command *commands, const struct command *subject, FILE *out) {
    if (subject && (subject->options & OPTIONS_OF_ALL))
        print_command_help(subject, out);
    else
        print_program_help(commands, out);
}

/* Completion. */

/* One that the typed word begins. `prefix` and `length` bytes of `word` are the word. */
static void offer(FILE *out, const char *typed, const char *prefix, const char *word, size_t length,
                  const char *help) {
    char whole[128];
    snprintf(whole, sizeof whole, "%s%.*s", prefix, (int)length, word);
    if (strncmp(whole, typed, strlen(typed)) == 0)
        fprintf(out, "%s\t%s\n", whole, help);
}

/* Of "kinesis:STREAM|file:PATH|none": "kinesis:", "file:" and "none". Nothing is known of HOST:PORT or N. */
static void complete_value(const struct option *option, const char *prefix, const char *typed, FILE *out) {
    for (const char *at = option->argument, *end; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, "|");
        size_t known = strcspn(at, "|ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (known)
            offer(out, typed, prefix, at, known, option->help);
    }
}

static void complete_option(unsigned reader, const char *typed, FILE *out) {
    for (const struct option *o = options_table; o < options_table + options_count; o++)
        if (options_is_read_by(o, reader))
            offer(out, typed, "--", o->name, strlen(o->name), o->help);
}

/* Commands, or flags. */
static void complete_command(const struct command *commands, const char *typed, FILE *out) {
    for (; commands->name; commands++)
        if (typed[0] == '-' ? strncmp(commands->name, "--", 2) == 0 : commands->help != NULL)
            offer(out, typed, "", commands->name, strlen(commands->name),
                  commands->help ? commands->help : "");
}

/* "--start=at:" is one word for zsh and fish, and three for bash: "--start", "=" and "at:". */
static bool complete_assignment(size_t n, const char *const words[], FILE *out) {
    const char *typed = words[n - 1], *value = NULL;
    bool is_sign = strcmp(typed, "=") == 0, follows = n > 2 && strcmp(words[n - 2], "=") == 0;
    const char *flag = is_sign && n > 1 ? words[n - 2] : follows ? words[n - 3] : typed;
    const struct option *option =
        is_sign || follows || strchr(typed, '=') ? options_find(flag, &value) : NULL;
    char prefix[64] = "";
    if (option && flag == typed)
        snprintf(prefix, sizeof prefix, "--%s=", option->name);
    if (option)
        complete_value(option, prefix, is_sign ? "" : typed, out);
    return option;
}

void options_complete(const struct command *commands, size_t n, const char *const words[], FILE *out) {
    if (!n || complete_assignment(n, words, out))
        return;
    const struct command *command = options_find_command(commands, words[0]);
    const char *typed = words[n - 1], *value = NULL;
    const struct option *option = n > 1 ? options_find(words[n - 2], &value) : NULL;
    if (option && !value) {
        complete_value(option, "", typed, out);
    } else if (typed[0] == '-') {
        complete_option(command ? command->options : commands->options, typed, out);
        complete_command(commands, typed, out);
    } else if (n == 1 || (n == 2 && command && command->options == OPTIONS_OF_HELP)) {
        complete_command(commands, typed, out);
    }
}
