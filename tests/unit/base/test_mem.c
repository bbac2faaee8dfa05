#include "base/mem.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/support/test.h"

static void an_allocation_of_no_bytes_can_be_freed(void **state) {
    (void)state;
    free(mem_alloc(0));
    free(mem_zalloc(0));
    free(mem_dup(NULL, 0));
    free(mem_resize(NULL, 0, 8));
}

static void copies_are_complete_and_do_not_share_the_source(void **state) {
    (void)state;
    char source[] = "abc\0def";
    _cleanup_(mem_freep) char *bytes = mem_dup(source, sizeof source);
    _cleanup_(mem_freep) char *text = mem_strdup(source);
    _cleanup_(mem_freep) char *start = mem_strndup(source, 2);
    _cleanup_(mem_freep) char *all = mem_strndup(source, 99);
    _cleanup_(mem_freep) char *printed = mem_printf("%s-%d", source, 7);
    source[0] = 'x';
    assert_memory_equal(bytes, "abc\0def", 8);
    assert_string_equal(text, "abc");
    assert_string_equal(start, "ab");
    assert_string_equal(all, "abc");
    assert_string_equal(printed, "abc-7");
}

static void zero_allocated_memory_is_zero(void **state) {
    (void)state;
    static const char zeros[100];
    _cleanup_(mem_freep) char *p = mem_zalloc(sizeof zeros);
    assert_memory_equal(p, zeros, sizeof zeros);
}

static void freeing_through_the_cleanup_leaves_no_dangling_pointer(void **state) {
    (void)state;
    char *p = mem_strdup("x");
    mem_freep(&p);
    assert_null(p);
    mem_freep(&p);
}

/* Runs `function` in a child process. True if it ended by SIGABRT. `output`: its standard error. */
static bool aborts(void (*function)(void), char *output, size_t size) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL); /* cmocka and the sanitizers catch it */
        dup2(ends[1], STDERR_FILENO);
        function();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; length < size - 1 && (n = read(ends[0], output + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    output[length] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void resize_beyond_the_address_space(void) {
    free(mem_resize(NULL, SIZE_MAX / 4, 8));
}

static void without_memory_the_process_aborts_with_a_message(void **state) {
    (void)state;
    char output[512];
    assert_true(aborts(mem_exhausted, output, sizeof output));
    assert_string_equal(output, "winner-view: out of memory\n");
}

static void a_size_that_overflows_aborts_the_process(void **state) {
    (void)state;
    char output[512];
    assert_true(aborts(resize_beyond_the_address_space, output, sizeof output));
    assert_string_equal(output, "winner-view: out of memory\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_of_no_bytes_can_be_freed),
        cmocka_unit_test(copies_are_complete_and_do_not_share_the_source),
        cmocka_unit_test(zero_allocated_memory_is_zero),
        cmocka_unit_test(freeing_through_the_cleanup_leaves_no_dangling_pointer),
        cmocka_unit_test(without_memory_the_process_aborts_with_a_message),
        cmocka_unit_test(a_size_that_overflows_aborts_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
