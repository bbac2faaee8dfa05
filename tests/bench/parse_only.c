/* How fast jansson alone is: parses each line of a file, as ingest does, and does nothing with it. The bound
 * of what one core can read.
 *
 *     parse_only FILE         prints events/s
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t parse_all(FILE *file) {
    char *line = NULL;
    size_t capacity = 0, parsed = 0;
    ssize_t n;
    while ((n = getline(&line, &capacity, file)) > 0) {
        json_t *value =
            json_loadb(line, (size_t)n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
        parsed += value != NULL;
        json_decref(value);
    }
    free(line);
    return parsed;
}

int main(int argc, char *argv[]) {
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "usage: parse_only FILE\n");
        return 2;
    }
    double begin_s = now_s();
    size_t parsed = parse_all(file);
    printf("%.0f\n", (double)parsed / (now_s() - begin_s));
    fclose(file);
    return parsed ? 0 : 1;
}
