/*
 * aws/stream_arn: arn:PARTITION:kinesis:REGION:ACCOUNT:stream/NAME (Kinesis API, StreamARN; IAM User Guide,
 * "Amazon Resource Names"). Pure.
 */
#ifndef AWS_STREAM_ARN_H
#define AWS_STREAM_ARN_H

#include <stdbool.h>

#include "base/error.h"

#define AWS_REGION_SIZE 64 /* a region is a label of a host name */

/* Whether it begins as an ARN; no stream's name does. */
bool aws_stream_arn_is(const char *text);

/* INVALID, with the part that is wrong, if it is no ARN of a stream. */
enum status aws_stream_arn_region(const char *arn, char region[AWS_REGION_SIZE], struct error *e);

/* Lower case letters, digits and '-', at most AWS_REGION_SIZE - 1. */
bool aws_region_is_valid(const char *region);

#endif
