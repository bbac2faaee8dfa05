#include "aws/credentials/token_file.h"

#include "aws/credentials/credentials.h"
#include "base/limits.h"
#include "tests/unit/support/test.h"

static void write_file(const char *path, const char *text, size_t length) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, length, f), length);
    fclose(f);
}

static char path[] = "/tmp/winner-view-test-XXXXXX";

static enum status read_text(const char *text, size_t length, char **token, struct error *e) {
    write_file(path, text, length);
    *token = NULL;
    return aws_token_file_read(path, token, e);
}

static void white_space_around_it_is_not_part_of_a_token(void **state) {
    (void)state;
    static const char *const texts[] = {"a.b-c/=", "a.b-c/=\n", "a.b-c/=\r\n", "a.b-c/=\n\n",
                                        "\n a.b-c/= \t\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *token;
        assert_int_equal(read_text(texts[i], strlen(texts[i]), &token, NULL), STATUS_OK);
        assert_string_equal(token, "a.b-c/=");
        aws_credentials_wipe(token);
    }
}

static void a_token_that_could_add_lines_to_a_request_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        enum status status;
        const char *reason;
    } cases[] = {{"hidden\nX-More: 1", 16, STATUS_INVALID, "it has a line break"},
                 {"hidden\rX", 8, STATUS_INVALID, "it has a line break"},
                 {"hidden\0X", 8, STATUS_FAILED, "NUL"},
                 {"", 0, STATUS_INVALID, "empty"},
                 {"\n", 1, STATUS_INVALID, "empty"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *token;
        struct error e;
        assert_int_equal(read_text(cases[i].text, cases[i].length, &token, &e), cases[i].status);
        assert_null(token);
        assert_contains(e.message, cases[i].reason);
        assert_contains(e.message, path);
        assert_lacks(e.message, "hidden");
    }
}

static void a_token_has_a_maximum_length(void **state) {
    (void)state;
    char *text = mem_alloc(LIMIT_TOKEN_FILE_BYTES + 1), *token;
    memset(text, 'a', LIMIT_TOKEN_FILE_BYTES + 1);
    assert_int_equal(read_text(text, LIMIT_TOKEN_FILE_BYTES, &token, NULL), STATUS_OK);
    assert_int_equal(strlen(token), LIMIT_TOKEN_FILE_BYTES);
    aws_credentials_wipe(token);
    assert_int_equal(read_text(text, LIMIT_TOKEN_FILE_BYTES + 1, &token, NULL), STATUS_FAILED);
    free(text);
}

static void a_token_file_that_does_not_exist_is_named(void **state) {
    (void)state;
    char *token;
    struct error e;
    assert_int_equal(aws_token_file_read("/nowhere/token", &token, &e), STATUS_FAILED);
    assert_string_equal(e.message, "cannot take a token from '/nowhere/token': No such file or directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_around_it_is_not_part_of_a_token),
        cmocka_unit_test(a_token_that_could_add_lines_to_a_request_is_refused),
        cmocka_unit_test(a_token_has_a_maximum_length),
        cmocka_unit_test(a_token_file_that_does_not_exist_is_named),
    };
    int fd = mkstemp(path);
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
