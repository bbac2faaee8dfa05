/* The real transport over TLS, with a certificate authority of our own, and through a proxy: all on loopback.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "aws/client.h"
#include "aws/settings.h"
#include "aws/trust.h"
#include "tests/unit/support/aws.h"

enum { PATIENCE_SECONDS = 10 };

/* Certificates. */

static X509 *make_certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, int nid,
                              const char *extension) {
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, extension);
    assert_non_null(e);
    X509_add_ext(certificate, e, -1);
    X509_EXTENSION_free(e);
    assert_true(X509_sign(certificate, issuer ? issuer_key : key, EVP_sha256()) > 0);
    return certificate;
}

static void write_certificate(X509 *certificate, char *path) {
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
}

/* The authority of the server's certificate, and an unrelated one. */
static char bundle[] = "/tmp/winner-view-test-ca-XXXXXX", stranger[] = "/tmp/winner-view-test-ca-XXXXXX";
static char own_bundle[64]; /* that a test replaces */
static SSL_CTX *tls;

static int make_authority(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
    X509 *ca = make_certificate(ca_key, "test CA", NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509 *other = make_certificate(other_key, "other", NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509 *own = make_certificate(key, "server", ca, ca_key, NID_subject_alt_name, "IP:127.0.0.1");
    write_certificate(ca, bundle);
    write_certificate(other, stranger);
    snprintf(own_bundle, sizeof own_bundle, "%s.own", bundle);
    tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(tls, own), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
    X509_free(ca);
    X509_free(other);
    X509_free(own);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(key);
    return 0;
}

static int drop_authority(void **state) {
    (void)state;
    unlink(bundle);
    unlink(stranger);
    SSL_CTX_free(tls);
    return 0;
}

/* A server that serves one connection after the other, in its own thread. */
struct listener {
    void (*serve)(struct listener *l, int fd);
    int fd;
    int port;
    int stop[2];
    pthread_t thread;
    atomic_int served;
};

static void *listen_on(void *context) {
    struct listener *l = context;
    for (;;) {
        struct pollfd fds[] = {{l->stop[0], POLLIN, 0}, {l->fd, POLLIN, 0}};
        poll(fds, 2, -1);
        if (fds[0].revents)
            return NULL;
        int fd = accept(l->fd, NULL, NULL);
        struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        l->serve(l, fd);
        close(fd);
    }
}

static void start_listener(struct listener *l, void (*serve)(struct listener *l, int fd)) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(l, 0, sizeof *l);
    l->serve = serve;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(l->fd, 16), 0);
    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&address, &size), 0);
    l->port = ntohs(address.sin_port);
    assert_int_equal(pipe(l->stop), 0);
    assert_int_equal(pthread_create(&l->thread, NULL, listen_on, l), 0);
}

static void stop_listener(struct listener *l) {
    assert_int_equal(write(l->stop[1], "x", 1), 1);
    pthread_join(l->thread, NULL);
    close(l->fd);
    close(l->stop[0]);
    close(l->stop[1]);
}

/* A service: one request, whose body is {}, one answer. */
static void serve_tls(struct listener *l, int fd) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    SSL *ssl = SSL_new(tls);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        char request[8192] = "";
        size_t length = 0;
        for (int n; length < sizeof request - 1 && !strstr(request, "\r\n\r\n{}"); length += (size_t)n)
            if ((n = SSL_read(ssl, request + length, (int)(sizeof request - 1 - length))) <= 0)
                break;
        if (strstr(request,
                   "\r\n\r\n{}")) { /* a client that refuses our certificate closes the connection before */
            atomic_fetch_add(&l->served, 1);
            SSL_write(ssl, answer, sizeof answer - 1);
        }
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
}

static void join(int a, int b) {
    for (;;) {
        struct pollfd fds[] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
        if (poll(fds, 2, PATIENCE_SECONDS * 1000) <= 0)
            return;
        for (int i = 0; i < 2; i++) {
            char data[16384];
            ssize_t n = fds[i].revents ? recv(fds[i].fd, data, sizeof data, 0) : -1;
            if (fds[i].revents && (n <= 0 || send(i ? a : b, data, (size_t)n, MSG_NOSIGNAL) != n))
                return;
        }
    }
}

/* A proxy. It connects each CONNECT request to a port of this machine. Its own reply must not be taken for
 * the service's. */
static void serve_proxy(struct listener *l, int fd) {
    static const char answer[] = "HTTP/1.1 200 Joined\r\nx-amz-crc32: 1\r\n\r\n";
    char request[4096] = "";
    size_t length = 0;
    int port;
    for (ssize_t n; length < sizeof request - 1 && !strstr(request, "\r\n\r\n"); length += (size_t)n)
        if ((n = recv(fd, request + length, sizeof request - 1 - length, 0)) <= 0)
            return;
    if (sscanf(request, "CONNECT 127.0.0.1:%d HTTP", &port) != 1)
        return;
    atomic_fetch_add(&l->served, 1);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(to, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) > 0)
        join(fd, to);
    close(to);
}

/* The client. */

static struct listener service, proxy;

static int set_up(void **state) {
    (void)state;
    start_listener(&service, serve_tls);
    start_listener(&proxy, serve_proxy);
    support_set_environment();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stop_listener(&service);
    stop_listener(&proxy);
    support_clear_environment();
    return 0;
}

static void set_endpoint(const char *host) {
    char url[64];
    snprintf(url, sizeof url, "https://%s:%d", host, service.port);
    setenv("AWS_ENDPOINT_URL_DYNAMODB", url, 1);
}

static struct aws_call call_with(struct aws_settings *settings) {
    struct aws_client *client;
    assert_int_equal(aws_client_new(&client, &aws_dynamodb, settings, NULL, NULL), STATUS_OK);
    struct aws_call call = {.operation = "GetItem", .body = "{}", .length = 2, .max_attempts = 1};
    aws_client_call(client, &call, NULL);
    aws_client_free(client);
    return call;
}

static enum status status_of_call(struct aws_settings *settings) {
    struct aws_call call = call_with(settings);
    enum status status = call.status;
    aws_call_deinit(&call);
    return status;
}

/* One call to the service by the name `host`, by a client configured from the current environment. */
static struct aws_call call_service(const char *host) {
    struct aws_settings *settings;
    set_endpoint(host);
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    struct aws_call call = call_with(settings);
    aws_settings_free(settings);
    return call;
}

static void assert_answered(struct aws_call call) {
    assert_string_equal(call.error.message, "");
    assert_int_equal(call.status, STATUS_OK);
    assert_int_equal(atomic_load(&service.served), 1);
    aws_call_deinit(&call);
}

static void assert_refused(struct aws_call call) {
    assert_int_equal(call.status, STATUS_RETRY);
    assert_string_equal(call.error.code, "NoAnswer");
    assert_contains(call.error.message, "SSL");
    assert_int_equal(atomic_load(&service.served), 0);
}

static void a_private_authority_is_trusted_if_the_ca_bundle_has_it(void **state) {
    (void)state;
    setenv("AWS_CA_BUNDLE", bundle, 1);
    assert_answered(call_service("127.0.0.1"));
}

static void without_its_ca_bundle_nothing_is_sent_to_a_server_of_a_private_authority(void **state) {
    (void)state;
    assert_refused(call_service("127.0.0.1"));
}

static void a_server_is_refused_if_the_ca_bundle_is_of_another_authority(void **state) {
    (void)state;
    setenv("AWS_CA_BUNDLE", stranger, 1);
    assert_refused(call_service("127.0.0.1"));
}

static void a_server_with_a_certificate_for_another_name_is_refused(void **state) {
    (void)state;
    setenv("AWS_CA_BUNDLE", bundle, 1);
    assert_refused(call_service("localhost"));
}

/* A file that has the certificates of `from`, in the place of what `path` was. */
static void replace_bundle(const char *path, const char *from) {
    char next[64], data[8192];
    snprintf(next, sizeof next, "%s.next", path);
    FILE *in = fopen(from, "r"), *out = fopen(next, "w");
    size_t n = fread(data, 1, sizeof data, in);
    assert_int_equal(fwrite(data, 1, n, out), n);
    fclose(in);
    fclose(out);
    assert_int_equal(rename(next, path), 0);
}

static struct aws_settings *settings_with(const char *certificates) {
    struct aws_settings *settings;
    replace_bundle(own_bundle, certificates);
    setenv("AWS_CA_BUNDLE", own_bundle, 1);
    set_endpoint("127.0.0.1");
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    return settings;
}

static void the_ca_bundle_is_read_once_for_all_connections(void **state) {
    (void)state;
    struct aws_settings *settings = settings_with(bundle);
    unlink(own_bundle);
    for (int i = 0; i < 3; i++)
        assert_int_equal(status_of_call(settings), STATUS_OK);
    assert_int_equal(atomic_load(&service.served), 3);
    aws_settings_free(settings);
}

static X509_STORE *store_of_a_connection(struct aws_trust *trust) {
    SSL_CTX *connection = SSL_CTX_new(TLS_client_method());
    aws_trust_apply(trust, connection);
    X509_STORE *store = SSL_CTX_get_cert_store(connection);
    SSL_CTX_free(connection);
    return store;
}

static void connections_share_the_certificates_until_their_file_changes(void **state) {
    (void)state;
    struct aws_trust *trust;
    replace_bundle(own_bundle, bundle);
    assert_int_equal(aws_trust_new(&trust, own_bundle, NULL, NULL), STATUS_OK);
    SSL_CTX *first = SSL_CTX_new(TLS_client_method()); /* keeps what it was given */
    aws_trust_apply(trust, first);
    assert_ptr_equal(SSL_CTX_get_cert_store(first), store_of_a_connection(trust));
    replace_bundle(own_bundle, bundle);
    assert_ptr_not_equal(SSL_CTX_get_cert_store(first), store_of_a_connection(trust));
    SSL_CTX_free(first);
    aws_trust_free(trust);
    unlink(own_bundle);
}

static void a_renewed_ca_bundle_is_trusted_by_the_next_connection(void **state) {
    (void)state;
    struct aws_settings *settings = settings_with(stranger);
    assert_int_equal(status_of_call(settings), STATUS_RETRY);
    replace_bundle(own_bundle, bundle);
    assert_int_equal(status_of_call(settings), STATUS_OK);
    replace_bundle(own_bundle, stranger);
    assert_int_equal(status_of_call(settings), STATUS_RETRY);
    aws_settings_free(settings);
    unlink(own_bundle);
}

static void a_ca_bundle_that_becomes_invalid_leaves_the_old_one_trusted(void **state) {
    (void)state;
    struct aws_settings *settings = settings_with(bundle);
    replace_bundle(own_bundle, "/dev/null");
    assert_int_equal(status_of_call(settings), STATUS_OK);
    replace_bundle(own_bundle, stranger);
    assert_int_equal(status_of_call(settings), STATUS_RETRY);
    aws_settings_free(settings);
    unlink(own_bundle);
}

static void set_proxy(void) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", proxy.port);
    setenv("HTTPS_PROXY", url, 1);
    setenv("AWS_CA_BUNDLE", bundle, 1);
}

static void calls_go_through_the_proxy_that_the_environment_names(void **state) {
    (void)state;
    set_proxy();
    assert_answered(call_service("127.0.0.1"));
    assert_int_equal(atomic_load(&proxy.served), 1);
}

static void a_host_in_no_proxy_is_called_without_the_proxy(void **state) {
    (void)state;
    set_proxy();
    setenv("NO_PROXY", "example.com,127.0.0.1", 1);
    assert_answered(call_service("127.0.0.1"));
    assert_int_equal(atomic_load(&proxy.served), 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_private_authority_is_trusted_if_the_ca_bundle_has_it),
        TEST(without_its_ca_bundle_nothing_is_sent_to_a_server_of_a_private_authority),
        TEST(a_server_is_refused_if_the_ca_bundle_is_of_another_authority),
        TEST(a_server_with_a_certificate_for_another_name_is_refused),
        TEST(the_ca_bundle_is_read_once_for_all_connections),
        TEST(connections_share_the_certificates_until_their_file_changes),
        TEST(a_renewed_ca_bundle_is_trusted_by_the_next_connection),
        TEST(a_ca_bundle_that_becomes_invalid_leaves_the_old_one_trusted),
        TEST(calls_go_through_the_proxy_that_the_environment_names),
        TEST(a_host_in_no_proxy_is_called_without_the_proxy),
    };
    return cmocka_run_group_tests(tests, make_authority, drop_authority);
}
