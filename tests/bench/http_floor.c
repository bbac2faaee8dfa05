/*
 * http_floor: what libmicrohttpd itself costs. It answers every request with one shared response and does
 * nothing else, with the service's pool and as many threads, over which SO_REUSEPORT spreads connections:
 * what the service needs more is its own.
 *
 *     http_floor PORT BODY_FILE [NAME:VALUE]...
 *
 * Serves on the loopback interface until a signal ends it. Used by http_ratio.py.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/limits.h"

enum { MOST_BODY_BYTES = 1 << 20 };

static struct MHD_Response *response;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* Answered at the second call, as the service does: only then has the request ended. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **request) {
    (void)context, (void)url, (void)method, (void)version, (void)data, (void)size;
    if (*request)
        return MHD_queue_response(connection, MHD_HTTP_OK, response);
    *request = response;
    return MHD_YES;
}

static struct MHD_Response *make_response(const char *path, char *headers[]) {
    static char body[MOST_BODY_BYTES];
    FILE *file = fopen(path, "re");
    if (!file)
        fail(path);
    size_t length = fread(body, 1, sizeof body, file);
    fclose(file);
    struct MHD_Response *made = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_PERSISTENT);
    for (; *headers; headers++) {
        char *colon = strchr(*headers, ':');
        if (!colon)
            fail(*headers);
        *colon = '\0';
        if (MHD_add_response_header(made, *headers, colon + 1) != MHD_YES)
            fail(*headers);
    }
    return made;
}

int main(int argc, char *argv[]) {
    if (argc < 3) {
        fprintf(stderr, "usage: http_floor PORT BODY_FILE [NAME:VALUE]...\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    response = make_response(argv[2], argv + 3);
    for (long left = sysconf(_SC_NPROCESSORS_ONLN); left; left--)
        if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                              MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_CONNECTION_BYTES,
                              MHD_OPTION_END))
            fail("MHD_start_daemon");
    for (;;)
        pause();
}
