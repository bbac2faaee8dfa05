/* How fast the readers of JSON alone are: each line of a file is read, and nothing is done with it. jansson
 * is the bound of what one core can read without ingest/event_json.
 *
 *     parse_only FILE         prints events/s and processor seconds: of jansson, then of event_json for lines
 *                             that are plain
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ingest/event_json.h"

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool parse(const char *line, size_t length) {
    json_auto_t *value =
        json_loadb(line, length, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    return value != NULL;
}

static bool read_plain(const char *line, size_t length) {
    struct event_json json;
    return event_json_read_plain(&json, line, length);
}

/* Prints how many lines `read` reads a second, and the processor time for all. */
static void measure(FILE *file, bool (*read)(const char *, size_t)) {
    char *line = NULL;
    size_t capacity = 0, n_read = 0;
    ssize_t n;
    double begin_s = seconds(CLOCK_MONOTONIC), begin_cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    rewind(file);
    while ((n = getline(&line, &capacity, file)) > 0)
        n_read += read(line, (size_t)n);
    free(line);
    double cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu_s;
    printf("%.0f %.3f\n", (double)n_read / (seconds(CLOCK_MONOTONIC) - begin_s), cpu_s);
}

int main(int argc, char *argv[]) {
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "usage: parse_only FILE\n");
        return 2;
    }
    measure(file, parse);
    measure(file, read_plain);
    fclose(file);
    return 0;
}
