/*
 * thread: starts the threads of this program. Each has a name, which `top -H`, gdb and /proc show, and a
 * stack of LIMIT_STACK_BYTES. Join it with pthread_join. Any thread may start one.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/error.h"

/* At most 15 bytes of `name` are kept (pthread_setname_np(3)). FAILED: the system has no room for another. */
enum status thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *data,
                         struct error *e);

/* The same for a thread without which the program cannot go on: a failure ends the process, as out of memory
 * does (base/mem.h). */
void thread_must_start(pthread_t *thread, const char *name, void *(*run)(void *), void *data);

#endif
