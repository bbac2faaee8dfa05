#include "aws/credentials/token_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aws/credentials/credentials.h"
#include "aws/header_value.h"
#include "base/limits.h"
#include "base/mem.h"

static void close_file(FILE **f) {
    if (*f)
        fclose(*f);
}

/* At most `size` - 1 bytes, terminated. */
static enum status read_whole(const char *path, char *text, size_t size, struct error *e) {
    _cleanup_(close_file) FILE *f = fopen(path, "re");
    if (!f)
        return error_set(e, STATUS_FAILED, "%s", strerror(errno));
    setvbuf(f, NULL, _IONBF, 0); /* no copy of the token stays behind */
    size_t n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    if (ferror(f))
        return error_set(e, STATUS_FAILED, "%s", strerror(errno));
    if (n == size - 1)
        return error_set(e, STATUS_FAILED, "it is longer than %d bytes", LIMIT_TOKEN_FILE_BYTES);
    if (strlen(text) != n)
        return error_set(e, STATUS_FAILED, "it holds a NUL byte");
    return STATUS_OK;
}

enum status aws_token_file_read(const char *path, char **token, struct error *e) {
    const size_t size = LIMIT_TOKEN_FILE_BYTES + 2;
    _cleanup_(aws_credentials_wipep) char *text = mem_zalloc(size);
    struct error local;
    enum status status = read_whole(path, text, size, &local);
    if (!status)
        status = aws_header_value_take(text, "it", token, &local);
    if (!status && !*token)
        status = error_set(&local, STATUS_INVALID, "it is empty");
    if (status) {
        error_wrap(&local, "cannot take a token from '%s'", path);
        if (e)
            *e = local;
    }
    return status;
}
