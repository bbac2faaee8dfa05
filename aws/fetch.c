#include "aws/fetch.h"

#include <openssl/crypto.h>
#include <poll.h>
#include <string.h>

#include "aws/service_error.h"
#include "base/clock.h"
#include "base/limits.h"

void aws_fetch_init(struct aws_fetch *f) {
    memset(f, 0, sizeof *f);
    aws_exchange_init(&f->exchange);
    f->exchange.reply.max = LIMIT_FETCH_BYTES;
    f->clock.date_ms = -1;
    f->tries = 1;
    f->stop_fd = -1;
}

void aws_fetch_deinit(struct aws_fetch *f) {
    if (f->exchange.reply.data)
        OPENSSL_cleanse(f->exchange.reply.data, f->exchange.reply.capacity);
    aws_exchange_deinit(&f->exchange);
}

int64_t aws_fetch_date(const struct aws_fetch *f) {
    return f->clock.date_ms < 0 || f->clock.has_age ? 0 : f->clock.date_ms;
}

static enum status cancelled(struct error *e) {
    return error_set_code(e, STATUS_FAILED, AWS_ERROR_CANCELLED, "the program is stopping");
}

/* Whether the fetch has to end; waits for that up to `ms`. */
static bool stops_within(const struct aws_fetch *f, int ms) {
    struct pollfd fd = {.fd = f->stop_fd, .events = POLLIN};
    return poll(&fd, 1, ms) > 0;
}

/* False if the fetch was stopped first. */
static bool exchange(struct aws_fetch *f) {
    struct aws_exchange *x = &f->exchange, *finished = NULL;
    struct aws_session *session =
        aws_session_new(); /* no connection of an earlier try, so that `connected` is about this one */
    aws_exchange_forget_answer(x);
    aws_session_send(session, x);
    while (!finished && !stops_within(f, 0))
        finished = aws_session_wait(session, x->attempt_ms, f->stop_fd);
    if (!finished)
        aws_session_abandon(session, x);
    aws_session_free(session);
    return finished;
}

static enum status try_once(struct aws_fetch *f, struct error *e) {
    struct aws_exchange *x = &f->exchange;
    int64_t sent_boot_ms = clock_boot_ms();
    f->clock = (struct aws_skew_answer){.date_ms = -1};
    if (!exchange(f))
        return cancelled(e);
    if (x->result == AWS_EXCHANGE_TOO_LARGE)
        return error_set_code(e, STATUS_FAILED, AWS_ERROR_TOO_LARGE, "the answer is too long");
    if (x->result != AWS_EXCHANGE_ANSWERED)
        return error_set_code(e, STATUS_RETRY, AWS_ERROR_NO_ANSWER, "%s", x->problem);
    f->clock = (struct aws_skew_answer){
        .date_ms = x->date_ms,
        .has_age = x->has_age,
        .received_ms = clock_real_ms(),
        .elapsed_ms = clock_boot_ms() - sent_boot_ms,
    };
    return STATUS_OK;
}

static bool is_worth_a_retry(const struct aws_fetch *f, enum status status) {
    long http_status = f->exchange.http_status;
    return status == STATUS_RETRY || (status == STATUS_OK && (http_status == 429 || http_status >= 500));
}

enum status aws_fetch(struct aws_fetch *f, struct error *e) {
    for (int left = f->tries;;) {
        enum status status = try_once(f, e);
        if (!is_worth_a_retry(f, status) || --left <= 0)
            return status;
        if (stops_within(f, f->pause_ms))
            return cancelled(e);
    }
}
