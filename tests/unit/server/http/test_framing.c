#include "tests/unit/support/http.h"

/* Every request of tests/data/http_requests.json (tests/support/http_requests.py describes it), sent to a
 * real server; also with the sanitizers. */

#define LAST "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

struct bytes {
    char *text;
    size_t length;
};

/* The file's characters are bytes: those above 7F take two in UTF-8. */
static void append(struct bytes *b, const json_t *string) {
    const char *text = json_string_value(string), *end = text + json_string_length(string);
    b->text = mem_resize(b->text, b->length + (size_t)(end - text), 1);
    while (text < end) {
        unsigned char c = (unsigned char)*text++;
        b->text[b->length++] = c < 0x80 ? (char)c : (char)(c << 6 | (*text++ & 0x3f));
    }
}

static struct bytes request_of(json_t *test) {
    struct bytes b = {0};
    size_t i;
    json_t *piece;
    json_array_foreach(json_object_get(test, "request"), i, piece) {
        json_int_t n = json_is_array(piece) ? json_integer_value(json_array_get(piece, 1)) : 1;
        for (json_int_t k = 0; k < n; k++)
            append(&b, json_is_array(piece) ? json_array_get(piece, 0) : piece);
    }
    return b;
}

/* All that arrives until the other side ends the connection. */
static struct bytes receive_all(int fd) {
    struct bytes b = {.text = mem_alloc(1 << 20)};
    for (ssize_t n;
         b.length < (1 << 20) - 1 && (n = read(fd, b.text + b.length, (1 << 20) - 1 - b.length)) > 0;)
        b.length += (size_t)n;
    b.text[b.length] = '\0';
    return b;
}

static void assert_statuses(const char *title, const char *received, const json_t *expected, bool one_more) {
    size_t n = json_array_size(expected), i = 0;
    for (; (received = strstr(received, "HTTP/1.1 ")); received += 9, i++) {
        json_int_t status = i < n ? json_integer_value(json_array_get(expected, i)) : 404;
        if (i >= n + one_more || strtol(received + 9, NULL, 10) != status)
            fail_msg("%s: answer %zu is not %lld: %.300s", title, i, (long long)status, received);
    }
    if (i != n + one_more)
        fail_msg("%s: %zu answers instead of %zu", title, i, n + one_more);
}

static void each_request_has_its_only_outcome(void **state) {
    (void)state;
    json_auto_t *cases = json_load_file("tests/data/http_requests.json", JSON_ALLOW_NUL, NULL);
    size_t i;
    json_t *test;
    assert_true(json_array_size(cases) > 300);
    json_array_foreach(cases, i, test) {
        bool is_open = strcmp(json_string_value(json_object_get(test, "end")), "open") == 0;
        struct bytes request = request_of(test);
        int fd = dial();
        send_all(fd, request.text, request.length);
        if (is_open)
            send_text(fd, LAST);
        if (json_is_true(json_object_get(test, "ended")))
            shutdown(fd, SHUT_WR);
        struct bytes received = receive_all(fd);
        assert_statuses(json_string_value(json_object_get(test, "name")), received.text,
                        json_object_get(test, "answers"), is_open);
        free(request.text);
        free(received.text);
        close(fd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_request_has_its_only_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
