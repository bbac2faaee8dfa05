#include "aws/clock_skew.h"

#include <stddef.h>
#include <string.h>

static int64_t magnitude(int64_t ms) {
    return ms < 0 ? -ms : ms;
}

bool aws_skew_measure(const struct aws_skew_answer *answer, int64_t *offset_ms) {
    if (answer->date_ms < 0 || answer->has_age || answer->elapsed_ms < 0 ||
        answer->elapsed_ms > AWS_SKEW_TRUSTED_MS)
        return false;
    *offset_ms = answer->date_ms - (answer->received_ms - answer->elapsed_ms / 2);
    return magnitude(*offset_ms) <= AWS_SKEW_MAX_MS;
}

int64_t aws_skew_correction(int64_t offset_ms, int64_t earlier_ms) {
    int64_t least_ms = earlier_ms ? AWS_SKEW_RELEASE_MS : AWS_SKEW_THRESHOLD_MS;
    return magnitude(offset_ms) < least_ms ? 0 : offset_ms;
}

/* Some services answer with AccessDenied only. STS answers SignatureDoesNotMatch ("Signature expired");
 * RequestExpired is one of the "Common Error Types" of its API Reference. */
static bool is_suspect(const char *name) {
    static const char *const suspects[] = {
        "InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "AuthFailure",
        "RequestTimeTooSkewed",      "AccessDeniedException"};
    for (size_t i = 0; i < sizeof suspects / sizeof *suspects; i++)
        if (strcmp(name, suspects[i]) == 0)
            return true;
    return false;
}

bool aws_skew_explains(const char *name, int64_t signed_with_ms, int64_t correction_ms) {
    return is_suspect(name) && magnitude(correction_ms - signed_with_ms) >= AWS_SKEW_THRESHOLD_MS;
}

bool aws_skew_has_changed(int64_t earlier_ms, int64_t correction_ms) {
    return (earlier_ms == 0) != (correction_ms == 0) ||
           magnitude(correction_ms - earlier_ms) >= AWS_SKEW_THRESHOLD_MS;
}
