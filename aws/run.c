#include "aws/run.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/clock_skew.h"
#include "aws/credentials/chain.h"
#include "aws/reply.h"
#include "aws/settings.h"
#include "aws/throttle.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/killpoint.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/service_clock.h"

static struct metrics_family requests_total = {
    .name = "winner_view_aws_requests_total",
    .help = "Attempts sent to AWS services.",
    .kind = METRICS_COUNTER,
    .labels = {"service", "operation"},
};
static struct metrics_family errors_total = {
    .name = "winner_view_aws_errors_total",
    .help = "Attempts that ended with an error, by its name.",
    .kind = METRICS_COUNTER,
    .labels = {"service", "operation", "error"},
};
static struct metrics_family retries_total = {
    .name = "winner_view_aws_retries_total",
    .help = "Retries, by cause.",
    .kind = METRICS_COUNTER,
    .labels = {"service", "operation", "cause"},
};

static struct metrics_family skew_seconds = {
    .name = "winner_view_aws_clock_skew_seconds",
    .help = "How far the service's clock was ahead of ours, by the Date of its last answer (to the second).",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"service"},
};

/* A call within a run: not started, under way, waiting for its retry, or ended. */
struct job {
    struct aws_call *call;
    int tokens_taken; /* from the retry quota, by its last retry */
    bool skewed;      /* it was retried for its clock: not twice */
    bool renewed;     /* it was retried for its credentials: not twice */
    int64_t due_ms;   /* when to retry */
    struct job *next; /* in the queue of waiting calls */
};

enum { LINES = 7 }; /* Expect, four that are signed, date and signature */

/* A slot for a call under way. */
struct attempt {
    struct job *job;               /* NULL: free */
    struct aws_exchange *exchange; /* its own, or the call's stream */
    struct aws_exchange own;
    bool streams_on; /* the call's stream has begun */
    char *lines[LINES + 1];
    struct aws_credentials *credentials; /* that sign it */
    int64_t correction_ms;               /* of the time in its signature */
    int64_t signed_ms;                   /* that time, before the correction */
    struct clock_reading sent;
};

struct run {
    struct aws_client *client;
    struct aws_lane *lane;
    const struct aws_run *options;
    struct job *jobs;
    size_t count;
    size_t fresh;        /* the calls from this index on are not started */
    struct job *waiting; /* ordered by the time when they are due */
    struct attempt *attempts;
    size_t concurrency;  /* number of slots */
    size_t under_way;    /* slots in use */
    int64_t deadline_ms; /* by the options' deadline and patience; 0: none */
};

/* One attempt. */

/* Counts for the call's operation, and a third label or NULL. */
static void count(const struct run *run, struct metrics_family *family, const struct aws_call *call,
                  const char *label) {
    metrics_count(family, (const char *const[]){run->client->service->name, call->operation, label, NULL}, 1);
}

/* Signs the headers that no proxy may change. */
static enum status sign(struct run *run, struct attempt *a, struct error *e) {
    const struct aws_call *call = a->job->call;
    const struct aws_credentials *credentials = a->credentials;
    const struct aws_client *client = run->client;
    _cleanup_(mem_freep) char *target = mem_printf("%s.%s", client->service->target_prefix, call->operation);
    const struct sigv4_header headers[] = {
        {"Host", client->endpoint.host},
        {"Content-Type", client->service->content_type},
        {"X-Amz-Target", target},
        {"X-Amz-Security-Token", credentials->session_token},
    };
    const size_t n = credentials->session_token ? 4 : 3;
    const struct sigv4_request request = {"POST", "/", "", headers, n, call->body, call->length};
    const struct sigv4_scope scope = {
        .access_key_id = credentials->access_key_id,
        .secret_access_key = credentials->secret_access_key,
        .region = client->endpoint.region,
        .service = client->service->name,
        .time_ms = a->signed_ms + a->correction_ms,
    };
    a->lines[0] = mem_strdup("Expect:"); /* libcurl would wait for a status 100 */
    return sigv4_sign_lines(a->lines + 1, &request, &scope, &run->lane->key, e);
}

static enum status prepare(struct run *run, struct attempt *a, struct error *e) {
    struct aws_credentials_chain *chain = run->client->settings->credentials;
    enum status status = aws_credentials_chain_get(chain, run->deadline_ms, &a->credentials, e);
    if (status)
        return status;
    if (!fence_is_open(run->options->fence, clock_boot_ms()))
        return aws_service_error_set(e, AWS_ERROR_FENCE_SHUT,
                                     "not sent, this process may not hold its lease any more");
    a->correction_ms = atomic_load(&run->client->correction_ms);
    a->signed_ms = clock_real_ms();
    a->sent = clock_read();
    return sign(run, a, e);
}

static int attempt_ms(const struct aws_run *options) {
    return options->attempt_ms ? options->attempt_ms : LIMIT_AWS_ATTEMPT_MS;
}

static void transmit(struct run *run, struct attempt *a) {
    struct aws_client *client = run->client;
    const struct aws_transport *transport = client->transport;
    struct aws_call *call = a->job->call;
    struct aws_exchange *x = a->exchange;
    x->operation = call->operation;
    x->url = client->endpoint.url;
    x->lines = (const char *const *)a->lines;
    x->body = call->body ? call->body : "";
    x->length = call->length;
    x->trust = client->settings->trust;
    x->connect_ms = transport->connect_ms ? transport->connect_ms : LIMIT_AWS_CONNECT_MS;
    x->attempt_ms = transport->attempt_ms ? transport->attempt_ms : attempt_ms(run->options);
    x->slow_s = run->options->slow_s;
    x->arrived = run->options->arrived;
    x->receiver = run->options->receiver;
    x->streams = call->stream != NULL;
    x->owner = a;

    call->attempts++;
    count(run, &requests_total, call, NULL);
    KILLPOINT("before", call->operation, x->body);
    transport->send(transport, run->lane->session, x);
}

/* Takes a free slot for the call; the caller has made sure that there is one. */
static struct attempt *take_slot(struct run *run, struct job *f) {
    struct attempt *a = run->attempts;
    while (a->job)
        a++;
    a->job = f;
    a->exchange = f->call->stream ? f->call->stream : &a->own;
    a->streams_on = false;
    aws_exchange_init(a->exchange);
    run->under_way++;
    return a;
}

static void free_slot(struct run *run, struct attempt *a) {
    for (size_t i = 0; a->lines[i]; i++) {
        free(a->lines[i]);
        a->lines[i] = NULL;
    }
    if (!a->streams_on)
        aws_exchange_deinit(a->exchange);
    aws_credentials_unref(a->credentials);
    a->credentials = NULL;
    a->job = NULL;
    run->under_way--;
}

/* The call has failed: its error gets service, operation and number of attempts. */
static void end_failed(struct run *run, struct job *f) {
    struct aws_call *call = f->call;
    call->status = call->error.status;
    if (call->attempts > 1)
        error_wrap(&call->error, "%s %s failed after %d attempts", run->client->service->name,
                   call->operation, call->attempts);
    else
        error_wrap(&call->error, "%s %s failed", run->client->service->name, call->operation);
}

static void start(struct run *run, struct job *f) {
    struct attempt *a = take_slot(run, f);
    if (prepare(run, a, &f->call->error) == STATUS_OK) {
        transmit(run, a);
        return;
    }
    free_slot(run, a);
    end_failed(run, f);
}

/* Skew. */

static void report_skew(const struct aws_settings *settings, const char *service, int64_t correction_ms) {
    if (settings->on_skew)
        settings->on_skew(settings->skew_context, service, correction_ms);
}

/* Measures the service's clock by the answer; true if the attempt failed because it was signed with a wrong
 * time. */
static bool measure_skew(struct run *run, const struct attempt *a) {
    struct aws_client *client = run->client;
    const struct aws_skew_answer answer = {
        .date_ms = a->exchange->date_ms,
        .has_age = a->exchange->has_age,
        .received_ms = clock_real_ms(),
        .elapsed_ms = clock_boot_ms() - a->sent.boot_ms,
    };
    int64_t offset_ms;
    if (!client->settings->corrects_skew || !aws_skew_measure(&answer, &offset_ms))
        return false;
    metrics_set(METRICS_SERIES(&skew_seconds, client->service->name), offset_ms);
    int64_t correction_ms = aws_skew_correction(offset_ms, atomic_load(&client->correction_ms));
    int64_t earlier_ms = atomic_exchange(&client->correction_ms, correction_ms);
    if (aws_skew_has_changed(earlier_ms, correction_ms))
        report_skew(client->settings, client->service->name, correction_ms);
    return aws_skew_explains(a->job->call->error.code, a->correction_ms, correction_ms);
}

/* By a success only: an error may be a proxy's, and so its Date. */
static void teach_clock(struct run *run, struct attempt *a) {
    const struct aws_settings *settings = run->client->settings;
    const struct aws_exchange *x = a->exchange;
    const struct clock_reading received = clock_read();
    if (!settings->clock || settings->teacher != run->client->service)
        return;
    service_clock_teach(settings->clock, x->has_age ? -1 : x->date_ms, &a->sent, &received);
    a->job->call->sent_ms = service_clock_at(settings->clock, &a->sent);
}

/* Retries. */

static void queue_retry(struct run *run, struct job *f, int64_t due_ms) {
    f->due_ms = due_ms;
    struct job **at = &run->waiting;
    while (*at && (*at)->due_ms <= due_ms)
        at = &(*at)->next;
    f->next = *at;
    *at = f;
}

static int max_attempts(const struct run *run, const struct job *f) {
    int configured = run->client->settings->max_attempts;
    if (f->call->max_attempts > 0)
        return f->call->max_attempts;
    return configured > 0 ? configured : run->client->service->max_attempts;
}

/* Queues the failed call for its retry; false if it must not be retried. */
static bool retry(struct run *run, struct job *f, enum aws_retry_cause cause, int64_t retry_after_ms) {
    struct aws_call *call = f->call;
    const struct aws_service *service = run->client->service;
    if (cause == AWS_RETRY_NONE || call->attempts >= max_attempts(run, f))
        return false;

    double fraction = arc4random() / 4294967296.0;
    int64_t due_ms = clock_boot_ms() + aws_retry_delay_ms(cause, call->attempts - 1, service->backoff_base_ms,
                                                          fraction, retry_after_ms);
    if (run->deadline_ms && due_ms >= run->deadline_ms)
        return false;
    f->tokens_taken = aws_retry_quota_take(&run->client->quota, cause);
    if (f->tokens_taken == 0) {
        error_wrap(&call->error, "not retried: too many calls fail");
        return false;
    }
    count(run, &retries_total, call, aws_retry_cause_name(cause));
    json_decref(call->reply);
    call->reply = NULL;
    queue_retry(run, f, due_ms);
    return true;
}

/* Why the call may be retried, or AWS_RETRY_NONE. An error that a wrong clock explains says nothing about the
 * credentials. */
static enum aws_retry_cause cause_of(struct run *run, const struct attempt *a, bool clock_was_wrong) {
    struct job *f = a->job;
    const char *name = f->call->error.code;
    enum aws_retry_cause cause = aws_retry_cause_of(name, a->exchange->http_status);
    if (cause == AWS_RETRY_NONE && clock_was_wrong && !f->skewed) {
        f->skewed = true;
        return AWS_RETRY_SKEW;
    }
    if (!aws_service_error_is_of_credentials(name))
        return cause;
    bool others = aws_credentials_chain_refused(run->client->settings->credentials, a->credentials, name);
    if (!others || f->renewed)
        return AWS_RETRY_NONE;
    f->renewed = true;
    return AWS_RETRY_CREDENTIALS;
}

void aws_run_count_error(const struct aws_client *client, const char *operation, const struct error *e,
                         long http_status) {
    char unnamed[32];
    snprintf(unnamed, sizeof unnamed, "HTTP %ld", http_status);
    metrics_count(&errors_total,
                  (const char *const[]){client->service->name, operation, *e->code ? e->code : unnamed, NULL},
                  1);
}

/* Moves the deadline on: a call has been answered, or the run begins. */
static void move_deadline(struct run *run, int64_t now_ms) {
    const struct aws_run *options = run->options;
    int64_t end_ms = options->patience_ms ? now_ms + options->patience_ms : 0;
    run->deadline_ms = options->deadline_boot_ms;
    if (end_ms && (!run->deadline_ms || end_ms < run->deadline_ms))
        run->deadline_ms = end_ms;
}

static void count_answer(struct run *run) {
    int64_t now_ms = clock_boot_ms();
    pulse_beat(run->options->pulse, now_ms);
    move_deadline(run, now_ms);
}

/* Handles a finished exchange. */
static void finish(struct run *run, struct aws_exchange *x) {
    struct attempt *a = x->owner;
    struct job *f = a->job;
    struct aws_call *call = f->call;
    enum status status = aws_reply_read(x, &call->reply, &call->error);
    bool clock_was_wrong = measure_skew(run, a);
    if (status == STATUS_OK)
        teach_clock(run, a);
    long http_status = x->http_status;
    int64_t retry_after_ms = aws_exchange_retry_after_ms(x, clock_real_ms());
    enum aws_retry_cause cause = status ? cause_of(run, a, clock_was_wrong) : AWS_RETRY_NONE;
    KILLPOINT("after", call->operation, x->body);
    a->streams_on = status == STATUS_OK && call->stream;
    free_slot(run, a);
    if (status != STATUS_RETRY)
        count_answer(run);
    if (status == STATUS_OK) {
        aws_retry_quota_give(&run->client->quota, f->tokens_taken);
        memset(&call->error, 0, sizeof call->error);
        call->status = STATUS_OK;
        return;
    }
    aws_run_count_error(run->client, call->operation, &call->error, http_status);
    if (cause == AWS_RETRY_THROTTLE) {
        call->throttles++;
        aws_throttle_count(run->client->service->name, call->reply, call);
    }
    if (!retry(run, f, cause, retry_after_ms))
        end_failed(run, f);
}

/* The run. */

static bool has_work(const struct run *run) {
    return run->under_way > 0 || run->waiting || run->fresh < run->count;
}

/* Retries that are due precede new calls. */
static struct job *next_to_start(struct run *run, int64_t now_ms) {
    struct job *f = run->waiting;
    if (f && f->due_ms <= now_ms) {
        run->waiting = f->next;
        return f;
    }
    return run->fresh < run->count ? &run->jobs[run->fresh++] : NULL;
}

static bool is_past(const struct run *run, int64_t now_ms) {
    return run->deadline_ms && now_ms >= run->deadline_ms;
}

/* The clock is read for each call: the one before may have waited for credentials. */
static void start_jobs(struct run *run) {
    while (run->under_way < run->concurrency && !atomic_load(&run->client->cancelled)) {
        int64_t now_ms = clock_boot_ms();
        struct job *f = is_past(run, now_ms) ? NULL : next_to_start(run, now_ms);
        if (!f)
            return;
        start(run, f);
    }
}

static int64_t wait_ms(const struct run *run, int64_t now_ms) {
    int64_t until_ms = now_ms + LIMIT_AWS_ATTEMPT_MS;
    if (run->deadline_ms && run->deadline_ms < until_ms)
        until_ms = run->deadline_ms;
    if (run->waiting && run->under_way < run->concurrency && run->waiting->due_ms < until_ms)
        until_ms = run->waiting->due_ms;
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

static void end_unfinished(struct run *run, struct job *f, const char *name, const char *message) {
    struct error *e = &f->call->error; /* of its last attempt, if one has failed */
    _cleanup_(mem_freep) char *both =
        *e->message ? mem_printf("%s; before that: %s", message, e->message) : NULL;
    aws_service_error_set(e, name, both ? both : message);
    end_failed(run, f);
}

/* Ends all other calls with this error. */
static void end_all(struct run *run, const char *name, const char *message) {
    for (struct attempt *a = run->attempts; run->under_way > 0; a++) {
        struct job *f = a->job;
        if (!f)
            continue;
        aws_session_abandon(run->lane->session, a->exchange);
        free_slot(run, a);
        end_unfinished(run, f, name, message);
    }
    for (struct job *f; (f = next_to_start(run, INT64_MAX));)
        end_unfinished(run, f, name, message);
}

static void run_to_end(struct run *run) {
    while (has_work(run)) {
        if (atomic_load(&run->client->cancelled)) {
            end_all(run, AWS_ERROR_CANCELLED, "the program is stopping");
            return;
        }
        if (is_past(run, clock_boot_ms())) {
            end_all(run, AWS_ERROR_DEADLINE, "no answer in the time given");
            return;
        }
        start_jobs(run);
        if (!has_work(run))
            return;
        struct aws_exchange *x = aws_session_wait(run->lane->session, wait_ms(run, clock_boot_ms()), -1);
        if (x)
            finish(run, x);
    }
}

static size_t window(const struct aws_run *options, size_t calls) {
    size_t most = options->concurrency > 0 ? (size_t)options->concurrency : LIMIT_AWS_CONCURRENCY;
    return calls < most ? calls : most;
}

void aws_run_calls(struct aws_client *client, struct aws_lane *lane, struct aws_call *calls, size_t n,
                   const struct aws_run *options) {
    static const struct aws_run defaults;
    struct run run = {.client = client, .lane = lane, .options = options ? options : &defaults, .count = n};
    run.concurrency = window(run.options, n);
    run.attempts = mem_zalloc(run.concurrency * sizeof *run.attempts);
    run.jobs = mem_zalloc(n * sizeof *run.jobs);
    for (size_t i = 0; i < n; i++) {
        run.jobs[i].call = &calls[i];
        calls[i].attempts = calls[i].throttles = 0;
        calls[i].sent_ms = -1;
        calls[i].error = (struct error){0};
        calls[i].reply = NULL;
    }
    move_deadline(&run, clock_boot_ms());
    run_to_end(&run);
    free(run.attempts);
    free(run.jobs);
}
