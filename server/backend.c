#include "server/backend.h"

#include <inttypes.h>
#include <stdlib.h>

#include "aws/client.h"
#include "aws/credentials/chain.h"
#include "base/log.h"
#include "views/dynamodb/store.h"
#include "views/sqlite/store.h"

static bool needs_aws(const struct options *options) {
    return options_of_kind(options->store, "dynamodb") || options_of_kind(options->source, "kinesis") ||
           options_of_kind(options->dead_letter, "sqs") ||
           options_of_kind(options->identity_from, "dynamodb");
}

const struct aws_service *backend_teacher(const struct options *options) {
    return options_of_kind(options->source, "kinesis")   ? &aws_kinesis
           : options_of_kind(options->store, "dynamodb") ? &aws_dynamodb
                                                         : NULL;
}

/* Called by the AWS clients when they find that this machine's clock is wrong, or right again. */
static void log_skew(void *context, const char *service, int64_t correction_ms) {
    (void)context;
    if (correction_ms)
        log_warn("this machine's clock is %" PRId64 " s %s that of AWS %s: requests are signed with the time "
                 "of AWS; let NTP set the clock",
                 (int64_t)llabs(correction_ms) / 1000, correction_ms < 0 ? "ahead of" : "behind", service);
    else
        log_info("this machine's clock agrees with that of AWS %s again", service);
}

enum status backend_load_aws(struct aws_settings **aws, struct error *e) {
    enum status status = aws_settings_load(aws, e);
    if (status)
        return status;
    (*aws)->on_skew = log_skew;
    if ((*aws)->warning)
        log_warn("%s", (*aws)->warning);
    if ((*aws)->is_profile_overridden)
        log_warn(
            "AWS_PROFILE is '%s', but has no effect: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set",
            (*aws)->profile);
    return STATUS_OK;
}

enum status backend_open(struct backend *backend, const struct options *options, bool read_only,
                         struct error *e) {
    const char *path = options_of_kind(options->store, "sqlite");
    const struct store_dynamodb_options tables = {
        .stage = options_of_kind(options->store, "dynamodb"),
        .contributions_table = options->contributions_table,
        .scores_table = options->scores_table,
        .leases_table = options->leases_table,
    };
    if (needs_aws(options) && !backend->aws) {
        enum status status = backend_load_aws(&backend->aws, e);
        if (status)
            return status;
        backend->aws->clock = backend->clock;
        backend->aws->teacher = backend_teacher(options);
        if (backend->aws->teacher)
            aws_credentials_chain_judge_by(backend->aws->credentials, backend->clock);
    }
    if (!path)
        return store_dynamodb_open(&backend->store, &tables, backend->aws, NULL, e);
    return read_only ? store_sqlite_open_reader(&backend->store, path, e)
                     : store_sqlite_open(&backend->store, path, e);
}

/* A kind of period costs DynamoDB about 3 write units more for each contributor and batch. */
static unsigned default_periods(const struct options *options) {
    bool is_embedded = options_of_kind(options->store, "sqlite");
    return is_embedded ? 1U << PERIOD_DAY | 1U << PERIOD_WEEK | 1U << PERIOD_MONTH : 0;
}

struct store_wish backend_wish(const struct options *options, const struct store_source *source) {
    unsigned partitions = (unsigned)options->board_partitions;
    return (struct store_wish){
        .source = source,
        .shape = {.periods = options->has_periods ? options->periods : default_periods(options),
                  .best_sellers = options->best_sellers == BEST_SELLERS_ON,
                  .board_partitions = partitions ? partitions : 1},
        .wants_periods = options->has_periods,
        .wants_best_sellers = options->best_sellers != BEST_SELLERS_NOT_GIVEN,
        .wants_board_partitions = partitions,
    };
}

void backend_close(struct backend *backend) {
    store_free(backend->store);
    if (backend->aws)
        aws_settings_free(backend->aws);
    *backend = (struct backend){.clock = backend->clock};
}
