#include "aws/credentials/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aws/service_error.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

/* Words. */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Appends the text of the quoted part at `*at`, and moves behind it; false if the quote is not closed. */
static bool take_quoted(const char **at, struct buffer *word) {
    const char quote = *(*at)++;
    for (; **at != quote; (*at)++) {
        if (**at == '\\' && quote == '"' && ((*at)[1] == '"' || (*at)[1] == '\\'))
            (*at)++;
        if (!**at)
            return false;
        buffer_putc(word, **at);
    }
    (*at)++;
    return true;
}

/* The word that begins at `*at`; false if a quote is not closed. */
static bool take_word(const char **at, struct buffer *word) {
    buffer_puts(word, ""); /* an empty pair of quotes is a word */
    while (**at && !is_blank(**at)) {
        if (**at == '"' || **at == '\'') {
            if (!take_quoted(at, word))
                return false;
            continue;
        }
        if (**at == '\\' && !*++*at)
            return false;
        buffer_putc(word, *(*at)++);
    }
    return true;
}

void aws_process_free_words(char ***words) {
    for (char **word = *words; word && *word; word++)
        free(*word);
    free(*words);
    *words = NULL;
}

static enum status not_split(char ***words, const char *why, struct error *e) {
    aws_process_free_words(words);
    return error_set(e, STATUS_INVALID, "%s", why);
}

enum status aws_process_split(const char *line, char ***words, struct error *e) {
    size_t n = 0, length = strlen(line);
    *words = mem_zalloc((LIMIT_PROCESS_ARGUMENTS + 1) * sizeof **words);
    for (;;) {
        while (is_blank(*line))
            line++;
        if (!*line)
            break;
        if (n == LIMIT_PROCESS_ARGUMENTS)
            return not_split(words, "it has too many words", e);
        _cleanup_(buffer_deinit) struct buffer word;
        buffer_init(&word, length);
        if (!take_word(&line, &word))
            return not_split(words, "it has a quote that is not closed", e);
        (*words)[n++] = buffer_detach(&word);
    }
    return n > 0 ? STATUS_OK : not_split(words, "it names no program", e);
}

/* Running. */

/* A running program. */
struct child {
    pid_t pid;
    int pidfd; /* readable once it has ended */
    int out;   /* we read from these two; -1: at their end */
    int errors;
    struct buffer *output;
    char complaint[LIMIT_PROCESS_COMPLAINT_BYTES]; /* the start of its standard error */
    size_t complained;
};

/* The program that could not be killed; 0: none. There is at most one: while it runs no other is started. */
static _Atomic pid_t left_behind;

/* Whether that program still runs; collects it if not. */
static bool is_left_behind(void) {
    pid_t pid = atomic_load(&left_behind);
    if (pid && waitpid(pid, NULL, WNOHANG) == 0)
        return true;
    atomic_store(&left_behind, 0);
    return false;
}

static void close_end(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(char *const words[], int out, int errors, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int error = posix_spawnp(pid, words[0], &actions, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static enum status start(struct child *c, char *const words[], struct error *e) {
    int out[2] = {-1, -1}, errors[2] = {-1, -1};
    int error = pipe2(out, O_CLOEXEC) || pipe2(errors, O_CLOEXEC) ? errno : 0;
    if (!error)
        error = spawn(words, out[1], errors[1], &c->pid);
    close_end(&out[1]);
    close_end(&errors[1]);
    c->out = out[0];
    c->errors = errors[0];
    if (error)
        return error_set(e, STATUS_FAILED, "cannot start '%s': %s", words[0], strerror(error));
    c->pidfd = pidfd_open(c->pid, 0);
    if (c->pidfd < 0)
        return error_set(e, STATUS_FAILED, "cannot watch '%s': %s", words[0], strerror(errno));
    fcntl(c->out, F_SETFL, O_NONBLOCK);
    fcntl(c->errors, F_SETFL, O_NONBLOCK);
    return STATUS_OK;
}

static void child_deinit(struct child *c) {
    close_end(&c->pidfd);
    close_end(&c->out);
    close_end(&c->errors);
}

/* Reads all output that is there; false if it is too much. */
static bool read_output(struct child *c) {
    char chunk[4096];
    for (ssize_t n; c->out >= 0 && (n = read(c->out, chunk, sizeof chunk)) != -1;) {
        if (n == 0)
            close_end(&c->out);
        else if (!buffer_append(c->output, chunk, (size_t)n))
            return false;
    }
    return true;
}

/* Keeps the start, drops the rest: a full pipe would block the program. One chunk at a time, since the
 * program may write as fast as we read, and the clock must be looked at. */
static void read_errors(struct child *c) {
    char chunk[4096];
    ssize_t n = c->errors >= 0 ? read(c->errors, chunk, sizeof chunk) : -1;
    if (n == 0)
        close_end(&c->errors);
    for (ssize_t at = 0; at < n && c->complained < sizeof c->complaint - 1; at++)
        c->complaint[c->complained++] = text_is_control(chunk[at]) ? ' ' : chunk[at];
}

static enum status await_end(struct child *c, int timeout_ms, int stop_fd, struct error *e) {
    int64_t until_ms = clock_boot_ms() + timeout_ms;
    for (;;) {
        struct pollfd fds[] = {{.fd = c->pidfd, .events = POLLIN},
                               {.fd = stop_fd, .events = POLLIN},
                               {.fd = c->out, .events = POLLIN},
                               {.fd = c->errors, .events = POLLIN}};
        int64_t left_ms = until_ms - clock_boot_ms();
        if (left_ms <= 0)
            return error_set(e, STATUS_FAILED, "it did not end within %d ms", timeout_ms);
        poll(fds, 4, (int)left_ms);
        if (fds[1].revents)
            return error_set_code(e, STATUS_FAILED, AWS_ERROR_CANCELLED, "the program is stopping");
        read_errors(c);
        if (!read_output(c))
            return error_set(e, STATUS_FAILED, "it wrote more than %zu bytes", c->output->max);
        if (fds[0].revents) /* all its output has been read */
            return STATUS_OK;
    }
}

/* Kills the program with its group and collects it, so that not even a zombie stays. What cannot be killed
 * (it runs as another user, or hangs in the kernel) must not hold us up for ever. */
static void kill_group(const struct child *c, struct error *e) {
    struct pollfd ended = {.fd = c->pidfd, .events = POLLIN};
    const char *why = kill(-c->pid, SIGKILL) == 0 ? "it does not die" : strerror(errno);
    poll(&ended, 1, LIMIT_PROCESS_DEATH_MS);
    if (waitpid(c->pid, NULL, WNOHANG) != 0)
        return;
    atomic_store(&left_behind, c->pid);
    error_wrap(e, "process %d is left behind, for it cannot be killed (%s)", (int)c->pid, why);
}

static enum status judge(struct child *c, struct error *e) {
    int result = 0;
    waitpid(c->pid, &result, 0); /* it has ended: this does not block */
    while (c->complained > 0 && c->complaint[c->complained - 1] == ' ')
        c->complained--;
    c->complaint[c->complained] = '\0';
    const char *colon = c->complained ? ": " : "";
    if (WIFSIGNALED(result))
        return error_set(e, STATUS_FAILED, "it was ended by signal %d%s%s", WTERMSIG(result), colon,
                         c->complaint);
    if (WEXITSTATUS(result) != 0)
        return error_set(e, STATUS_FAILED, "it ended with status %d%s%s", WEXITSTATUS(result), colon,
                         c->complaint);
    return STATUS_OK;
}

enum status aws_process_run(char *const words[], int timeout_ms, int stop_fd, struct buffer *output,
                            struct error *e) {
    _cleanup_(child_deinit) struct child c = {.pidfd = -1, .out = -1, .errors = -1, .output = output};
    struct error unread;
    e = e ? e : &unread;
    if (is_left_behind())
        return error_set(e, STATUS_FAILED,
                         "not started, the earlier process %d cannot be killed and still runs",
                         (int)atomic_load(&left_behind));
    enum status status = start(&c, words, e);
    if (!status)
        status = await_end(&c, timeout_ms, stop_fd, e);
    if (!status)
        return judge(&c, e);
    if (c.pid > 0)
        kill_group(&c, e);
    return status;
}
