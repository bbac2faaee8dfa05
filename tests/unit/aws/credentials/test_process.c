#include "aws/credentials/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/test.h"

enum { LONG_MS = 60000 };

static void assert_words(const char *line, const char *const expected[]) {
    char **words = NULL;
    assert_int_equal(aws_process_split(line, &words, NULL), STATUS_OK);
    size_t i = 0;
    for (; expected[i]; i++) {
        assert_non_null(words[i]);
        assert_string_equal(words[i], expected[i]);
    }
    assert_null(words[i]);
    aws_process_free_words(&words);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_command_line_is_split_at_blanks_but_not_within_quotes(void **state) {
    (void)state;
    assert_words("/opt/bin/creds --user helen", WORDS("/opt/bin/creds", "--user", "helen"));
    assert_words("  a \t b  ", WORDS("a", "b"));
    assert_words("\"/opt/my tools/creds\" \"two words\"", WORDS("/opt/my tools/creds", "two words"));
    assert_words("a 'b \"c\" \\' d", WORDS("a", "b \"c\" \\", "d"));
    assert_words("a \"b \\\" \\\\ \\n\"", WORDS("a", "b \" \\ \\n"));
    assert_words("a\\ b c\\\\d", WORDS("a b", "c\\d"));
    assert_words("a --name=\"x y\"z", WORDS("a", "--name=x yz"));
    assert_words("a \"\" ''", WORDS("a", "", ""));
}

static void the_command_line_is_not_interpreted_by_a_shell(void **state) {
    (void)state;
    assert_words(
        "a $HOME ~ `id` $(id) *.c > /tmp/x | y ; z && w",
        WORDS("a", "$HOME", "~", "`id`", "$(id)", "*.c", ">", "/tmp/x", "|", "y", ";", "z", "&&", "w"));
}

static void a_command_line_that_cannot_be_split_is_refused(void **state) {
    (void)state;
    static const char *const lines[] = {"", "  ", "a \"b", "a 'b", "a \\", "\"a\\\""};
    for (size_t i = 0; i < COUNT(lines); i++) {
        char **words = NULL;
        assert_int_equal(aws_process_split(lines[i], &words, NULL), STATUS_INVALID);
        assert_null(words);
    }
    char many[2 * LIMIT_PROCESS_ARGUMENTS + 3];
    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 ? ' ' : 'a';
    many[sizeof many - 1] = '\0';
    char **words = NULL;
    assert_int_equal(aws_process_split(many, &words, NULL), STATUS_INVALID);
    many[2 * LIMIT_PROCESS_ARGUMENTS] = '\0';
    assert_int_equal(aws_process_split(many, &words, NULL), STATUS_OK);
    aws_process_free_words(&words);
}

/* The tests run a shell because it is installed everywhere. For aws_process_run it is a program like any
 * other. */
static enum status run(const char *script, int timeout_ms, int stop_fd, struct buffer *output,
                       struct error *e) {
    char *const words[] = {(char[]){"sh"}, (char[]){"-c"}, mem_strdup(script), NULL};
    buffer_init(output, 64);
    enum status status = aws_process_run(words, timeout_ms, stop_fd, output, e);
    free(words[2]);
    return status;
}

static void the_standard_output_of_a_program_is_its_answer(void **state) {
    (void)state;
    struct buffer output;
    assert_int_equal(run("echo complaint >&2; printf answer", LONG_MS, -1, &output, NULL), STATUS_OK);
    assert_string_equal(output.data, "answer");
    buffer_deinit(&output);
}

static void a_program_has_no_input_and_none_of_our_descriptors(void **state) {
    (void)state;
    struct buffer output;
    int fds[2];
    assert_int_equal(pipe(fds), 0); /* not closed on exec */
    assert_int_equal(run("cat; ls /proc/self/fd | wc -l", LONG_MS, -1, &output, NULL), STATUS_OK);
    assert_string_equal(output.data, "4\n"); /* the three, and the folder that ls reads */
    buffer_deinit(&output);
    close(fds[0]);
    close(fds[1]);
}

static void a_program_has_default_signals(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &old);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(run("kill -TERM $$; echo still here", LONG_MS, -1, &output, &e), STATUS_FAILED);
    assert_contains(e.message, "signal 15");
    buffer_deinit(&output);
    assert_int_equal(run("kill -PIPE $$; echo still here", LONG_MS, -1, &output, &e), STATUS_FAILED);
    assert_contains(e.message, "signal 13");
    buffer_deinit(&output);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void the_error_of_a_failure_quotes_standard_error_and_never_standard_output(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    assert_int_equal(run("echo secret; echo 'no such\nuser' >&2; exit 3", LONG_MS, -1, &output, &e),
                     STATUS_FAILED);
    assert_string_equal(e.message, "it ended with status 3: no such user");
    buffer_deinit(&output);
}

static void a_program_that_does_not_exist_is_named(void **state) {
    (void)state;
    char *const words[] = {(char[]){"/nowhere/at-all"}, NULL};
    struct buffer output;
    struct error e;
    buffer_init(&output, 64);
    assert_int_equal(aws_process_run(words, LONG_MS, -1, &output, &e), STATUS_FAILED);
    assert_contains(e.message, "cannot start '/nowhere/at-all': No such file");
    buffer_deinit(&output);
}

static void too_much_output_is_refused(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    assert_int_equal(run("while :; do echo 0123456789; done", LONG_MS, -1, &output, &e), STATUS_FAILED);
    assert_contains(e.message, "more than 64 bytes");
    buffer_deinit(&output);
}

static void a_long_standard_error_neither_blocks_the_program_nor_is_kept_whole(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    assert_int_equal(run("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1", LONG_MS, -1, &output, &e),
                     STATUS_FAILED);
    assert_true(strlen(e.message) < LIMIT_PROCESS_STDERR_BYTES + 64);
    buffer_deinit(&output);
}

static int64_t flood_until_ms;

/* Replaces read() of libc. Until `flood_until_ms` a read of an empty pipe returns data, as if the writer
 * never stopped.
 */
ssize_t read(int fd, void *data, size_t size) {
    ssize_t n = syscall(SYS_read, fd, data, size);
    if (n >= 0 || errno != EAGAIN || clock_boot_ms() >= flood_until_ms)
        return n;
    memset(data, 'x', size);
    return (ssize_t)size;
}

static void an_endless_standard_error_does_not_delay_the_time_out(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    int64_t began_ms = clock_boot_ms();
    flood_until_ms = began_ms + 10000;
    assert_int_equal(run("exec >&-; echo x >&2; exec sleep 300", 500, -1, &output, &e), STATUS_FAILED);
    flood_until_ms = 0;
    assert_string_equal(e.message, "it did not end within 500 ms");
    assert_true(clock_boot_ms() - began_ms < 10000);
    buffer_deinit(&output);
}

/* Only the program and its child processes have the writing end of the pipe, so the pipe is at its end when
 * all of them have ended. */
static void a_program_that_takes_too_long_is_killed_with_its_child_processes(void **state) {
    (void)state;
    char name[64], script[256], byte;
    struct buffer output;
    struct error e;
    snprintf(name, sizeof name, "/tmp/winner-view-test-%d.fifo", getpid());
    assert_int_equal(mkfifo(name, 0600), 0);
    struct pollfd fifo = {.fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN};
    snprintf(script, sizeof script, "exec 5>%s; sleep 300 & echo both are there >&5; sleep 300", name);
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(run(script, 1000, -1, &output, &e), STATUS_FAILED);
    assert_contains(e.message, "did not end within 1000 ms");
    assert_true(clock_boot_ms() - began_ms < 20000);
    ssize_t n = read(fifo.fd, &byte, 1);
    assert_int_equal(n, 1);
    while (n > 0) {
        assert_int_equal(poll(&fifo, 1, 10000), 1);
        n = read(fifo.fd, &byte, 1);
    }
    assert_int_equal(n, 0);
    close(fifo.fd);
    unlink(name);
    buffer_deinit(&output);
}

static void *stop_soon(void *fd) {
    uint64_t one = 1;
    return write(*(int *)fd, &one, sizeof one) == sizeof one ? NULL : fd;
}

static void a_running_program_is_killed_when_the_stop_descriptor_is_readable(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    pthread_t thread;
    int fd = eventfd(0, EFD_CLOEXEC);
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &fd), 0);
    assert_int_equal(run("sleep 300", LONG_MS, fd, &output, &e), STATUS_FAILED);
    assert_string_equal(e.code, "Cancelled");
    assert_true(clock_boot_ms() - began_ms < 20000);
    pthread_join(thread, NULL);
    close(fd);
    buffer_deinit(&output);
}

/* A program that writes its process id when it starts. Then this process gives up the right to kill it. */
struct untouchable {
    const char *fifo;
    pid_t pid;
};

static void *lose_rights(void *context) {
    struct untouchable *u = context;
    FILE *f = fopen(u->fifo, "re");
    char text[32] = "";
    if (f && fgets(text, sizeof text, f))
        u->pid = (pid_t)strtol(text, NULL, 10);
    fclose(f);
    return setresuid(65534, 65534, 0) == 0 ? NULL
                                           : context; /* for all threads; the 0 lets us get the right back */
}

/* Runs a program that cannot be killed, and leaves it running. */
static pid_t run_untouchable(void) {
    char name[64], script[128], expected[128];
    struct buffer output;
    struct error e;
    pthread_t thread;
    void *failed;
    snprintf(name, sizeof name, "/tmp/winner-view-test-%d.fifo", getpid());
    struct untouchable u = {.fifo = name};
    assert_int_equal(mkfifo(name, 0600), 0);
    snprintf(script, sizeof script, "echo $$ >%s; exec sleep 60", name);
    assert_int_equal(pthread_create(&thread, NULL, lose_rights, &u), 0);
    int64_t began_ms = clock_boot_ms();
    enum status status = run(script, 1000, -1, &output, &e);
    pthread_join(thread, &failed);
    assert_int_equal(setresuid(0, 0, 0), 0);
    unlink(name);
    assert_null(failed);
    assert_int_equal(status, STATUS_FAILED);
    assert_true(clock_boot_ms() - began_ms < 20000);
    snprintf(expected, sizeof expected, "process %d still runs: it cannot be killed (Operation not",
             (int)u.pid);
    assert_contains(e.message, expected);
    assert_contains(e.message, "did not end within 1000 ms");
    buffer_deinit(&output);
    return u.pid;
}

static void programs_that_cannot_be_killed_are_named_and_after_three_no_other_is_started(void **state) {
    (void)state;
    struct buffer output;
    struct error e;
    pid_t pids[LIMIT_PROCESS_LEFT];
    siginfo_t ended;
    if (geteuid() != 0)
        skip(); /* only root has rights to lose */
    for (size_t i = 0; i < LIMIT_PROCESS_LEFT; i++)
        pids[i] = run_untouchable();
    enum status status = run("printf answer", LONG_MS, -1, &output, &e);
    buffer_deinit(&output);
    for (size_t i = 0; i < LIMIT_PROCESS_LEFT; i++) {
        kill(pids[i], SIGKILL);
        waitid(P_PID, (id_t)pids[i], &ended, WEXITED | WNOWAIT);
    }
    assert_int_equal(status, STATUS_FAILED);
    assert_contains(e.message, "not started: 3 earlier processes");
    assert_int_equal(run("printf answer", LONG_MS, -1, &output, &e), STATUS_OK);
    buffer_deinit(&output);
    for (size_t i = 0; i < LIMIT_PROCESS_LEFT; i++)
        assert_int_equal(kill(pids[i], 0), -1); /* reaped */
}

static void a_child_process_that_outlives_its_program_is_not_waited_for(void **state) {
    (void)state;
    struct buffer output;
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(run("sleep 5 & printf answer", LONG_MS, -1, &output, NULL), STATUS_OK);
    assert_string_equal(output.data, "answer");
    assert_true(clock_boot_ms() - began_ms < 4000);
    buffer_deinit(&output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_line_is_split_at_blanks_but_not_within_quotes),
        cmocka_unit_test(the_command_line_is_not_interpreted_by_a_shell),
        cmocka_unit_test(a_command_line_that_cannot_be_split_is_refused),
        cmocka_unit_test(the_standard_output_of_a_program_is_its_answer),
        cmocka_unit_test(a_program_has_no_input_and_none_of_our_descriptors),
        cmocka_unit_test(a_program_has_default_signals),
        cmocka_unit_test(the_error_of_a_failure_quotes_standard_error_and_never_standard_output),
        cmocka_unit_test(a_program_that_does_not_exist_is_named),
        cmocka_unit_test(too_much_output_is_refused),
        cmocka_unit_test(a_long_standard_error_neither_blocks_the_program_nor_is_kept_whole),
        cmocka_unit_test(an_endless_standard_error_does_not_delay_the_time_out),
        cmocka_unit_test(a_program_that_takes_too_long_is_killed_with_its_child_processes),
        cmocka_unit_test(a_running_program_is_killed_when_the_stop_descriptor_is_readable),
        cmocka_unit_test(programs_that_cannot_be_killed_are_named_and_after_three_no_other_is_started),
        cmocka_unit_test(a_child_process_that_outlives_its_program_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
