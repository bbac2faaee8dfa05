#include "ingest/leases/lease_writers.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/waker.h"
#include "tests/unit/support/test.h"

enum { MAX = 4, MANY = 200, PATIENCE_MS = 30000 };

/* A call that waits for `gate` if it has one. */
struct job {
    struct lease_call call;
    atomic_bool *gate;
    int order; /* of those that have run; 0: it has not */
};

static struct {
    struct lease_writers *writers;
    struct waker changed;
    atomic_int running, most, done;
} w;

static void await_gate(atomic_bool *gate) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (gate && !atomic_load(gate) && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 5, -1);
}

static void run(struct lease_call *call) {
    struct job *job = (struct job *)call;
    int running = atomic_fetch_add(&w.running, 1) + 1, most = atomic_load(&w.most);
    while (running > most && !atomic_compare_exchange_weak(&w.most, &most, running))
        ;
    await_gate(job->gate);
    job->order = atomic_fetch_add(&w.done, 1) + 1;
    atomic_fetch_sub(&w.running, 1);
}

static void add(struct job *jobs, size_t n, atomic_bool *gate) {
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct job){{run, NULL}, gate, 0};
        lease_writers_add(w.writers, &jobs[i].call);
    }
}

static bool await(const atomic_int *count, int wanted) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(count) < wanted && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 5, -1);
    return atomic_load(count) >= wanted;
}

static void calls_that_hang_delay_no_other(void **state) {
    (void)state;
    atomic_bool gate = false;
    struct job hung[MAX - 1], others[MANY];
    add(hung, MAX - 1, &gate);
    add(others, MANY, NULL);
    assert_true(await(&w.done, MANY));
    atomic_store(&gate, true);
    lease_writers_wait(w.writers);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(others[i].order, i + 1); /* one thread was left: in the order of adding */
    assert_int_equal(atomic_load(&w.done), MANY + MAX - 1);
}

static void no_more_run_at_once_than_allowed(void **state) {
    (void)state;
    atomic_bool gate = false;
    struct job jobs[MANY];
    add(jobs, MANY, &gate);
    assert_true(await(&w.running, MAX));
    atomic_store(&gate, true);
    lease_writers_wait(w.writers);
    assert_int_equal(atomic_load(&w.most), MAX);
    assert_int_equal(atomic_load(&w.done), MANY);
}

static void waiting_without_calls_returns_at_once(void **state) {
    (void)state;
    lease_writers_wait(w.writers);
}

/* From now on this process cannot start a thread. */
static void allow_no_thread(void) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_NPROC, &none);
    signal(SIGABRT, SIG_DFL);                 /* cmocka catches it */
    if (geteuid() == 0 && setuid(65534) != 0) /* the limit is not root's */
        _exit(9);
}

static int call_with_one_thread(void) {
    struct job first, others[MANY];
    atomic_bool gate = false;
    add(&first, 1, &gate);
    await(&w.running, 1);
    allow_no_thread();
    add(others, MANY, NULL);
    atomic_store(&gate, true);
    lease_writers_wait(w.writers);
    return atomic_load(&w.done) == MANY + 1 && atomic_load(&w.most) == 1 ? 0 : 1;
}

static int call_without_a_thread(void) {
    struct job job;
    allow_no_thread();
    add(&job, 1, NULL);
    lease_writers_wait(w.writers);
    return 0;
}

/* Runs `body` in a child process; returns its wait status. */
static int in_process(int (*body)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void without_another_thread_calls_wait_for_those_that_run(void **state) {
    (void)state;
    assert_int_equal(in_process(call_with_one_thread), 0);
}

static void without_any_thread_the_process_ends(void **state) {
    (void)state;
    int status = in_process(call_without_a_thread);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static int setup(void **state) {
    (void)state;
    memset(&w, 0, sizeof w);
    waker_init(&w.changed);
    w.writers = lease_writers_new(MAX);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lease_writers_free(w.writers);
    waker_deinit(&w.changed);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"calls that hang hold up no other, and those that wait longest are made first",
         calls_that_hang_delay_no_other, setup, teardown, NULL},
        {"no more calls are made at once than there may be threads", no_more_run_at_once_than_allowed, setup,
         teardown, NULL},
        {"waiting returns at once if there is no call", waiting_without_calls_returns_at_once, setup,
         teardown, NULL},
        {"calls wait for the threads that run if no other can start",
         without_another_thread_calls_wait_for_those_that_run, setup, teardown, NULL},
        {"the process ends if no thread can start", without_any_thread_the_process_ends, setup, teardown,
         NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
