/*
 * aws/skew: how far a service's clock is from ours, told by the Date of its answers. AWS refuses what is
 * signed more than five minutes off its own time, so a machine whose clock is wrong signs with a corrected
 * one. The rules are those of the SDKs as of 2026 (aws-sdk-go-v2 pull request 3472, aws-sdk-js-v3 8189,
 * aws-sdk-net's ClockSkewCalculator):
 *
 *   - The offset is the server's Date minus the midpoint between sending and receiving.
 *   - An answer says nothing if it has no Date, has an Age (it comes out of a cache), or took over 15
 * minutes.
 *   - Each answer that says something says it anew: within 4 minutes there is nothing to correct. So what was
 * learnt is unlearnt once somebody has set the clock.
 *   - An error that may come of a wrong clock is worth another attempt only if this one was signed for
 * another time than its answer calls for, by 4 minutes or more; and once.
 *
 * Two more of ours: an offset of over a year is not believed. TLS would not have got so far with such a
 * clock, so it is the Date that is wrong. And who corrects goes on down to 3.5 minutes, else an offset of
 * about 4, which is measured by whole seconds and by the way there, would come and go from answer to answer.
 *
 * Pure; times are arguments. Any thread.
 */
#ifndef AWS_SKEW_H
#define AWS_SKEW_H

#include <stdbool.h>
#include <stdint.h>

#define AWS_SKEW_THRESHOLD_MS (4 * 60 * 1000)
#define AWS_SKEW_RELEASE_MS (210 * 1000)
#define AWS_SKEW_TRUSTED_MS (15 * 60 * 1000)
#define AWS_SKEW_MAX_MS INT64_C(31622400000) /* 366 days */

/* What an answer tells. */
struct aws_skew_answer {
    int64_t date_ms;     /* its Date; -1: none */
    bool has_age;        /* it has an Age header, whatever it says */
    int64_t received_ms; /* our wall clock at its end */
    int64_t elapsed_ms;  /* since the request was sent, by a clock that does not jump */
};

/* How far the server's clock is ahead of ours (negative: behind), to the second; false if nobody can tell. */
bool aws_skew_measure(const struct aws_skew_answer *answer, int64_t *offset_ms);

/* What to add to our wall clock when signing for a server whose clock is `offset_ms` ahead; `earlier_ms` is
 * what was added so far. */
int64_t aws_skew_correction(int64_t offset_ms, int64_t earlier_ms);

/* Whether this error (AWS's name) of an attempt that was signed with one correction may be cured by another.
 */
bool aws_skew_explains(const char *name, int64_t signed_with_ms, int64_t correction_ms);

/* Whether that is news to somebody who was told the earlier one: it comes, goes, or jumps. */
bool aws_skew_is_news(int64_t earlier_ms, int64_t correction_ms);

#endif
