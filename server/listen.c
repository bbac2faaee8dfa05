#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_port(const char *text) {
    unsigned value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return false;
    for (; *text; text++)
        value = value * 10 + (unsigned)(*text - '0');
    return value <= 65535;
}

enum status listen_parse(const char *text, struct listen_address *address, struct error *e) {
    const char *colon = strrchr(text, ':'), *host = text;
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    } else if (memchr(host, ':', length) || memchr(host, '[', length)) {
        length = 0; /* an IPv6 address without brackets has no clear port */
    }
    if (length == 0 || length >= sizeof address->host || !is_port(colon + 1))
        return error_set(e, STATUS_INVALID, "'%s' is not an address; allowed: HOST:PORT or [IPV6]:PORT",
                         text);
    memcpy(address->host, host, length);
    address->host[length] = '\0';
    strcpy(address->port, colon + 1);
    return STATUS_OK;
}

static int open_one(const struct addrinfo *info) {
    int on = 1, off = 0;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

/* The first of the host's addresses that can be bound. On failure -1, and `*code` is getaddrinfo's, or 0 with
 * errno. */
static int open_first(const struct listen_address *address, int *code) {
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    int fd = -1;
    *code = getaddrinfo(address->host, address->port, &hints, &found);
    if (*code)
        return -1;
    for (const struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
        fd = open_one(info);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return fd;
}

bool listen_is_any(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return v4.s_addr == htonl(INADDR_ANY);
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

/* A kernel without IPv6 (none compiled in, or ipv6.disable=1) refuses its sockets so (socket(2)). Where only
 * addresses are disabled (sysctl disable_ipv6), :: can be bound, and accepts IPv4. */
static bool lacks_ipv6(int code) {
    return code == 0 && errno == EAFNOSUPPORT;
}

int listen_open(const char *text, struct error *e) {
    struct listen_address address;
    int code;
    if (listen_parse(text, &address, e) != STATUS_OK)
        return -1;
    int fd = open_first(&address, &code);
    if (fd < 0 && lacks_ipv6(code) && listen_is_any(address.host)) {
        strcpy(address.host, "0.0.0.0");
        fd = open_first(&address, &code);
    }
    if (fd < 0 && code)
        error_set(e, STATUS_INVALID, "cannot listen on '%s': %s", text, gai_strerror(code));
    else if (fd < 0)
        error_set(e, STATUS_FAILED, "cannot listen on '%s': %s", text, strerror(errno));
    return fd;
}

/* The filter sees packets from their TCP header on (RFC 9293, section 3.1): flags are its byte 13. Accepted
 * sockets inherit it, and never get such a packet. */
bool listen_refuse(int fd) {
    enum { FLAGS = 13, SYN = 0x02, ACK = 0x10 };
    static struct sock_filter drop_requests[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS),      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {sizeof drop_requests / sizeof *drop_requests, drop_requests};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

unsigned listen_port(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port) : 0;
}

bool listen_is_ipv4(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 && address.ss_family == AF_INET;
}
