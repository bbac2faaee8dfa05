/*
 * For the fuzz targets. Each parser of bytes from outside has one, of two files:
 *
 *   fuzz_<what>.c    LLVMFuzzerTestOneInput: parses the input, and checks the result: by a round trip, or by
 *                    a second opinion that shares no code with the parser
 *   fuzz_<what>.py   `seeds()`: inputs to begin with, made of the case files of the unit tests; perhaps
 *                    `DICTIONARY`, words worth trying (bytes), and `MAX_LENGTH` of an input (4096)
 *
 * tests/fuzz/run builds and runs them. What it finds becomes a case of the unit test, or, if there is no such
 * file of cases, of tests/data/fuzz/<what>.json.
 *
 * A target is deterministic, reads no clock, no file and no variable, and frees all it allocates. It runs
 * thousands of inputs a second. What is built once is a static variable.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Called by libFuzzer for each input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, as a finding, with a message as printf makes it, if `holds` is false. */
#define FUZZ_CHECK(holds, ...)                                                                               \
    do {                                                                                                     \
        if (!(holds)) {                                                                                      \
            fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #holds);                            \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* An input of several parts. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* Takes the bytes before the next `separator`, or all that is left; a new string, the caller's to free. */
static inline char *fuzz_take_text(struct fuzz_input *in, char separator, size_t *length) {
    const uint8_t *end = in->size ? memchr(in->data, separator, in->size) : NULL;
    char *text;
    *length = end ? (size_t)(end - in->data) : in->size;
    text = mem_alloc(*length + 1);
    if (*length)
        memcpy(text, in->data, *length);
    text[*length] = '\0';
    in->data += *length + (end != NULL);
    in->size -= *length + (end != NULL);
    return text;
}

/* Takes a number below `limit`; 0 from an empty input. */
static inline unsigned fuzz_take_below(struct fuzz_input *in, unsigned limit) {
    if (!in->size)
        return 0;
    in->size--;
    return *in->data++ % limit;
}

#endif
