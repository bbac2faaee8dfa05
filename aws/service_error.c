#include "aws/service_error.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const throttles[] = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
    "KMSThrottlingException",
    "KmsThrottled", /* so SQS calls it */
};

static const struct {
    const char *name;
    enum status status;
} meanings[] = {
    {"ConditionalCheckFailedException", STATUS_CONFLICT},
    {"ResourceInUseException", STATUS_CONFLICT},

    {"ResourceNotFoundException", STATUS_NOT_FOUND},
    {"TableNotFoundException", STATUS_NOT_FOUND},

    {"InternalServerError", STATUS_RETRY},
    {"InternalFailure", STATUS_RETRY},
    {"InternalFailureException", STATUS_RETRY},
    {"ServiceUnavailable", STATUS_RETRY},
    {"ServiceUnavailableException", STATUS_RETRY},
    {"RequestTimeout", STATUS_RETRY},
    {"RequestTimeoutException", STATUS_RETRY},
    {"TransactionConflictException", STATUS_RETRY},
    {"ReplicatedWriteConflictException", STATUS_RETRY},
    {"RequestTimeTooSkewed", STATUS_RETRY},
    {"RequestExpired", STATUS_RETRY},
    {"ExpiredToken", STATUS_RETRY},
    {"ExpiredTokenException", STATUS_RETRY},
    {"UnrecognizedClientException", STATUS_RETRY},
    {"InvalidClientTokenId", STATUS_RETRY},
    {"InvalidAccessKeyId", STATUS_RETRY},
    {AWS_ERROR_NO_ANSWER, STATUS_RETRY},
    {AWS_ERROR_CHECKSUM, STATUS_RETRY},
    {AWS_ERROR_MALFORMED, STATUS_RETRY},
    {AWS_ERROR_DROPPED, STATUS_RETRY},
    {AWS_ERROR_DEADLINE, STATUS_RETRY},
    {AWS_ERROR_STREAM_ENDED, STATUS_RETRY},

    {"ValidationException", STATUS_INVALID},
    {"ValidationError", STATUS_INVALID},
    {"SerializationException", STATUS_INVALID},
    {"InvalidArgumentException", STATUS_INVALID},
    {"InvalidParameterValue", STATUS_INVALID},
    {"InvalidParameterCombination", STATUS_INVALID},
    {"MissingParameter", STATUS_INVALID},
    {"InvalidAction", STATUS_INVALID},
    {"UnknownOperationException", STATUS_INVALID},
    {"RequestEntityTooLarge", STATUS_INVALID},
    {"ExpiredIteratorException", STATUS_INVALID},
    {"ExpiredNextTokenException", STATUS_INVALID},

    {AWS_ERROR_TOO_LARGE, STATUS_FAILED},
    {AWS_ERROR_FENCE_SHUT, STATUS_FAILED},
    {AWS_ERROR_CANCELLED, STATUS_FAILED},
    {AWS_ERROR_NO_CREDENTIALS, STATUS_FAILED},
};

bool aws_service_error_is_throttle(const char *name) {
    for (size_t i = 0; i < COUNT(throttles); i++)
        if (strcmp(name, throttles[i]) == 0)
            return true;
    return false;
}

bool aws_service_error_is_of_credentials(const char *name) {
    static const char *const names[] = {
        "ExpiredTokenException",     "ExpiredToken",       "UnrecognizedClientException",
        "InvalidClientTokenId",      "InvalidAccessKeyId", "SignatureDoesNotMatch",
        "InvalidSignatureException",
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

enum status aws_service_error_status(const char *name, long http_status) {
    if (aws_service_error_is_throttle(name))
        return STATUS_RETRY;
    for (size_t i = 0; i < COUNT(meanings); i++)
        if (strcmp(name, meanings[i].name) == 0)
            return meanings[i].status;
    if (http_status == 0 || http_status == 408 || http_status == 429 || http_status >= 500)
        return STATUS_RETRY;
    return http_status == 413 ? STATUS_INVALID : STATUS_FAILED;
}

enum status aws_service_error_set(struct error *e, const char *name, const char *message) {
    return error_set_code(e, aws_service_error_status(name, 0), name, "%s: %s", name, message);
}
