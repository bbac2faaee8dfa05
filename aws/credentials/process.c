#include "aws/credentials/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
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

static enum status fail_split(char ***words, const char *why, struct error *e) {
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
            return fail_split(words, "the command line has too many words", e);
        _cleanup_(buffer_deinit) struct buffer word;
        buffer_init(&word, length);
        if (!take_word(&line, &word))
            return fail_split(words, "a quote in the command line is not closed", e);
        (*words)[n++] = buffer_detach(&word);
    }
    return n > 0 ? STATUS_OK : fail_split(words, "the command line is empty", e);
}

/* Running. */

/* A running program. */
struct child {
    pid_t pid;
    int pidfd; /* readable once it has ended */
    int out;   /* the read ends of the pipes of its output and its standard error; -1: closed */
    int errors;
    struct buffer *output;
    char stderr_start[LIMIT_PROCESS_STDERR_BYTES]; /* the start of its standard error */
    size_t stderr_length;
};

/* The programs that could not be killed; 0: a free place. */
static pid_t abandoned[LIMIT_PROCESS_LEFT];

/* Reaps those that have ended. NULL if there is no free place. */
static pid_t *free_place(void) {
    pid_t *place = NULL;
    for (size_t i = 0; i < LIMIT_PROCESS_LEFT; i++) {
        if (abandoned[i] && waitpid(abandoned[i], NULL, WNOHANG) != 0)
            abandoned[i] = 0;
        if (!abandoned[i])
            place = &abandoned[i];
    }
    return place;
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

/* Keeps the start of standard error and drops the rest: a full pipe would block the program. Reads one chunk
 * per call, so that the caller can check the time-out. */
static void read_errors(struct child *c) {
    char chunk[4096];
    ssize_t n = c->errors >= 0 ? read(c->errors, chunk, sizeof chunk) : -1;
    if (n == 0)
        close_end(&c->errors);
    for (ssize_t at = 0; at < n && c->stderr_length < sizeof c->stderr_start - 1; at++)
        c->stderr_start[c->stderr_length++] = text_is_control(chunk[at]) ? ' ' : chunk[at];
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

/* Kills the process group of the program and reaps the program. Waits at most LIMIT_PROCESS_DEATH_MS: a
 * program of another user, or one that hangs in the kernel, cannot be killed. Then its process id goes to
 * `place`. */
static void kill_group(const struct child *c, pid_t *place, struct error *e) {
    struct pollfd ended = {.fd = c->pidfd, .events = POLLIN};
    const char *why = kill(-c->pid, SIGKILL) == 0 ? "SIGKILL did not end it" : strerror(errno);
    poll(&ended, 1, LIMIT_PROCESS_DEATH_MS);
    if (waitpid(c->pid, NULL, WNOHANG) != 0)
        return;
    *place = c->pid;
    error_wrap(e, "process %d still runs: it cannot be killed (%s)", (int)c->pid, why);
}

static enum status read_exit_status(struct child *c, struct error *e) {
    int result = 0;
    waitpid(c->pid, &result, 0); /* it has ended: this does not block */
    while (c->stderr_length > 0 && c->stderr_start[c->stderr_length - 1] == ' ')
        c->stderr_length--;
    c->stderr_start[c->stderr_length] = '\0';
    const char *colon = c->stderr_length ? ": " : "";
    if (WIFSIGNALED(result))
        return error_set(e, STATUS_FAILED, "it was ended by signal %d%s%s", WTERMSIG(result), colon,
                         c->stderr_start);
    if (WEXITSTATUS(result) != 0)
        return error_set(e, STATUS_FAILED, "it ended with status %d%s%s", WEXITSTATUS(result), colon,
                         c->stderr_start);
    return STATUS_OK;
}

enum status aws_process_run(char *const words[], int timeout_ms, int stop_fd, struct buffer *output,
                            struct error *e) {
    _cleanup_(child_deinit) struct child c = {.pidfd = -1, .out = -1, .errors = -1, .output = output};
    struct error unread;
    e = e ? e : &unread;
    pid_t *place = free_place();
    if (!place)
        return error_set(e, STATUS_FAILED, "not started: %d earlier processes still run and cannot be killed",
                         LIMIT_PROCESS_LEFT);
    enum status status = start(&c, words, e);
    if (!status)
        status = await_end(&c, timeout_ms, stop_fd, e);
    if (!status)
        return read_exit_status(&c, e);
    if (c.pid > 0)
        kill_group(&c, place, e);
    return status;
}
