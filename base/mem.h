/*
 * mem: allocation that never returns NULL. All queues and buffers of the daemon are bounded, so without
 * memory it has no good way to go on: the process ends at once, and continues from its checkpoint when it is
 * started again.
 *
 * `_cleanup_(f)` runs `f(&variable)` when the variable goes out of scope.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
/* `count * size` is checked for overflow. */
void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
void *mem_dup(const void *data, size_t size) __attribute__((malloc, returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *format, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* Logs a line and ends the process. Also for libraries whose allocation failed. */
void mem_exhausted(void) __attribute__((noreturn));

/* The same with another reason, for what is as little expected as a lack of memory. The line is written
 * without the log, which may need a thread; it is lost if standard error cannot take it at once. */
void mem_abort(const char *why) __attribute__((noreturn));

/* For `_cleanup_(mem_freep)`. */
void mem_freep(void *pointer_to_pointer);

#endif
