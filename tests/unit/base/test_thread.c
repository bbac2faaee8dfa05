#include "base/thread.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/unit/support/test.h"

/* What a thread finds out about itself. */
struct view {
    char name[16];
    size_t stack_bytes;
    pthread_barrier_t named;
};

static void *look(void *data) {
    struct view *v = data;
    pthread_attr_t attributes;
    void *stack;
    pthread_barrier_wait(&v->named);
    pthread_getname_np(pthread_self(), v->name, sizeof v->name);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &v->stack_bytes);
    pthread_attr_destroy(&attributes);
    return NULL;
}

static struct view look_as(const char *name) {
    struct view v;
    pthread_t thread;
    struct error e;
    pthread_barrier_init(&v.named, NULL, 2);
    assert_int_equal(thread_start(&thread, name, look, &v, &e), STATUS_OK);
    pthread_barrier_wait(&v.named);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&v.named);
    return v;
}

static void a_thread_has_its_name_and_a_bounded_stack(void **state) {
    (void)state;
    struct view v = look_as("shard");
    assert_string_equal(v.name, "shard");
    assert_int_equal(v.stack_bytes, LIMIT_STACK_BYTES);
}

static void a_long_name_is_cut(void **state) {
    (void)state;
    assert_string_equal(look_as("a name of a thread").name, "a name of a thr");
}

/* Objects in objects, as deep as jansson reads them, `data` levels. */
static void *read_deep(void *data) {
    const size_t levels = *(const size_t *)data;
    char text[6 * 2048 + 2];
    for (size_t i = 0; i < levels; i++)
        memcpy(text + 5 * i, "{\"a\":", 5);
    text[5 * levels] = '1';
    memset(text + 5 * levels + 1, '}', levels);
    json_t *json = json_loadb(text, 6 * levels + 1, 0, NULL);
    bool is_read = json;
    char *dumped = json_dumps(json, JSON_COMPACT);
    free(dumped);
    json_decref(json);
    return is_read ? data : NULL;
}

static void the_stack_holds_the_deepest_json_that_is_read(void **state) {
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* the sanitizer keeps much of its own there */
#endif
    size_t deepest = JSON_PARSER_MAX_DEPTH - 1;
    pthread_t thread;
    void *result;
    struct error e;
    assert_int_equal(thread_start(&thread, "deep", read_deep, &deepest, &e), STATUS_OK);
    pthread_join(thread, &result);
    assert_ptr_equal(result, &deepest);
}

/* Runs `body` in a child process whose user may have no further thread; returns its wait status. */
static int without_threads(int (*body)(void)) {
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        setrlimit(RLIMIT_NPROC, &none);
        signal(SIGABRT, SIG_DFL);                                 /* cmocka catches it */
        _exit(geteuid() == 0 && setuid(65534) != 0 ? 9 : body()); /* the limit is not root's */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int is_refused(void) {
    pthread_t thread;
    struct error e;
    bool refused = thread_start(&thread, "shard", look, NULL, &e) == STATUS_FAILED;
    return refused && strstr(e.message, "cannot start thread 'shard': ") ? 0 : 1;
}

static int must_start(void) {
    pthread_t thread;
    thread_must_start(&thread, "shard", look, NULL);
    return 0;
}

/* Nobody reads standard error, and it is full. */
static int must_start_unread(void) {
    int ends[2];
    if (pipe(ends) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0)
        return 1;
    while (write(ends[1], "x", 1) == 1)
        ;
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], STDERR_FILENO);
    alarm(10);
    return must_start();
}

static void a_thread_that_cannot_start_is_an_error_that_names_it(void **state) {
    (void)state;
    assert_int_equal(without_threads(is_refused), 0);
}

static void without_a_thread_that_must_start_the_process_ends(void **state) {
    (void)state;
    int status = without_threads(must_start);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_full_standard_error_does_not_delay_that_end(void **state) {
    (void)state;
    int status = without_threads(must_start_unread);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_a_bounded_stack),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(the_stack_holds_the_deepest_json_that_is_read),
        cmocka_unit_test(a_thread_that_cannot_start_is_an_error_that_names_it),
        cmocka_unit_test(without_a_thread_that_must_start_the_process_ends),
        cmocka_unit_test(a_full_standard_error_does_not_delay_that_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
