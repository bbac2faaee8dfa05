#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/credentials/chain.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/commands.h"

static void print_expiry(int64_t expires_ms, int64_t now_ms) {
    char text[CLOCK_TEXT_SIZE];
    int64_t minutes = llabs(expires_ms - now_ms) / 60000;
    if (expires_ms == 0)
        puts("expires        never");
    else
        printf("expires        %s (%s%" PRId64 " h %" PRId64 " min%s)\n", clock_format(expires_ms, text),
               expires_ms > now_ms ? "in " : "", minutes / 60, minutes % 60,
               expires_ms > now_ms ? "" : " ago");
}

static void print(const struct aws_settings *aws, const struct aws_credentials *c) {
    printf("provider       %s\n", c->source);
    printf("access key id  %s\n", c->access_key_id); /* a name, not a secret */
    print_expiry(c->expires_ms, c->issued_ms ? c->issued_ms : clock_real_ms());
    printf("region         %s\n", aws->region ? aws->region : "none");
    printf("profile        %s\n", aws->profile);
}

int show_credentials_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    _cleanup_(aws_credentials_unrefp) struct aws_credentials *c = NULL;
    struct error e;
    (void)options;
    enum status status = backend_load_aws(&backend.aws, &e);
    if (!status)
        status = aws_credentials_chain_get(backend.aws->credentials, 0, &c, &e);
    if (status) {
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", e.code, "requestId", e.request_id), "%s", e.message);
        return commands_exit_status(status);
    }
    print(backend.aws, c);
    return 0;
}
