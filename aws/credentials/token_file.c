#include "aws/credentials/token_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aws/credentials/credentials.h"
#include "base/limits.h"
#include "base/mem.h"

static void close_file(FILE **f) {
    if (*f)
        fclose(*f);
}

enum status aws_token_check(const char *token, struct error *e) {
    if (!*token)
        return error_set(e, STATUS_FAILED, "it is empty");
    if (strpbrk(token, "\r\n"))
        return error_set(e, STATUS_FAILED, "it has more than one line");
    return STATUS_OK;
}

/* At most `size` - 1 bytes, terminated; its number in `n`. */
static enum status read_whole(const char *path, char *text, size_t size, size_t *n, struct error *e) {
    _cleanup_(close_file) FILE *f = fopen(path, "re");
    if (!f)
        return error_set(e, STATUS_FAILED, "%s", strerror(errno));
    setvbuf(f, NULL, _IONBF, 0); /* no copy of the token stays behind */
    *n = fread(text, 1, size - 1, f);
    text[*n] = '\0';
    if (ferror(f))
        return error_set(e, STATUS_FAILED, "%s", strerror(errno));
    if (*n == size - 1)
        return error_set(e, STATUS_FAILED, "it is longer than %d bytes", LIMIT_TOKEN_FILE_BYTES);
    if (strlen(text) != *n)
        return error_set(e, STATUS_FAILED, "it holds a NUL byte");
    return STATUS_OK;
}

enum status aws_token_file_read(const char *path, char **token, struct error *e) {
    const size_t size = LIMIT_TOKEN_FILE_BYTES + 2;
    _cleanup_(aws_credentials_wipep) char *text = mem_zalloc(size);
    struct error local;
    size_t n = 0;
    enum status status = read_whole(path, text, size, &n, &local);
    if (!status) {
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            text[--n] = '\0';
        status = aws_token_check(text, &local);
    }
    if (status) {
        error_wrap(&local, "cannot take a token from '%s'", path);
        if (e)
            *e = local;
        return status;
    }
    *token = mem_strdup(text);
    return STATUS_OK;
}
