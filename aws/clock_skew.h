/*
 * aws/clock_skew: how far a service's clock is ahead of ours, by the Date of its answers. AWS refuses
 * requests that are signed more than five minutes off its own time, so a machine whose clock is wrong signs
 * with a corrected one. The rules are those of the SDKs as of 2026 (aws-sdk-go-v2 pull request 3472,
 * aws-sdk-js-v3 8189, aws-sdk-net's ClockSkewCalculator):
 *
 *   - The offset is the Date minus the midpoint between sending and receiving.
 *   - An answer is not used if it has no Date, has an Age (it is from a cache), or took over 15 minutes.
 *   - Each other answer gives a new offset, which is corrected from 4 minutes on. So a correction ends
 *     once the clock is set right.
 *   - An error that a wrong clock may cause is worth another attempt only if this one was signed 4 minutes
 *     or more off the time that its answer shows; and once.
 *
 * Two rules are ours. An offset of over a year is not believed: TLS would have failed with such a clock, so
 * the Date is wrong. And a correction ends at 3.5 minutes, else an offset of about 4 minutes, measured in
 * whole seconds, would switch it on and off from answer to answer.
 *
 * Pure; times are arguments. Any thread.
 */
#ifndef AWS_CLOCK_SKEW_H
#define AWS_CLOCK_SKEW_H

#include <stdbool.h>
#include <stdint.h>

#define AWS_SKEW_THRESHOLD_MS (4 * 60 * 1000)
#define AWS_SKEW_RELEASE_MS (210 * 1000)
#define AWS_SKEW_TRUSTED_MS (15 * 60 * 1000)
#define AWS_SKEW_MAX_MS INT64_C(31622400000) /* 366 days */

/* What is read from an answer. */
struct aws_skew_answer {
    int64_t date_ms;     /* its Date; -1: none */
    bool has_age;        /* it has an Age header */
    int64_t received_ms; /* our wall clock, when it had arrived */
    int64_t elapsed_ms;  /* since the request was sent, by a clock that does not jump */
};

/* How far the server's clock is ahead of ours (negative: behind), to the second; false if the answer does not
 * show it. */
bool aws_skew_measure(const struct aws_skew_answer *answer, int64_t *offset_ms);

/* What to add to our wall clock in signatures for a server whose clock is `offset_ms` ahead; `earlier_ms` is
 * the correction so far. */
int64_t aws_skew_correction(int64_t offset_ms, int64_t earlier_ms);

/* Whether an attempt that failed with this error (AWS's name) may succeed with the new correction. */
bool aws_skew_explains(const char *name, int64_t signed_with_ms, int64_t correction_ms);

/* Whether the correction has begun, ended, or jumped since the earlier one. */
bool aws_skew_has_changed(int64_t earlier_ms, int64_t correction_ms);

#endif
