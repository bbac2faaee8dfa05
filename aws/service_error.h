/*
 * aws/service_error: what the name of an AWS error means. Only this module turns such a name into a status.
 * Pure; any thread.
 *
 * Names are AWS's, without namespace, case-sensitive ("ThrottlingException"). Calls without an answer that
 * could carry such a name end with one of the names below.
 */
#ifndef AWS_SERVICE_ERROR_H
#define AWS_SERVICE_ERROR_H

#include <stdbool.h>

#include "base/error.h"

#define AWS_ERROR_NO_ANSWER "NoAnswer" /* RETRY: not connected, cut off, timed out; may have taken effect */
#define AWS_ERROR_CHECKSUM "ChecksumMismatch" /* RETRY: the body does not match x-amz-crc32 */
#define AWS_ERROR_MALFORMED "MalformedReply"  /* RETRY: a success without what it promises (aws/promise.h) */
#define AWS_ERROR_STREAM_ENDED "StreamEnded"  /* RETRY: a stream's end in order (aws/streaming.h) */
#define AWS_ERROR_TOO_LARGE "ReplyTooLarge"   /* FAILED: a reply above the bound of its buffer */
#define AWS_ERROR_DROPPED "ReplyDropped"      /* RETRY: the caller's `arrived` (struct aws_run) ended it */
#define AWS_ERROR_DEADLINE "DeadlineExceeded" /* RETRY: the deadline of the run; may have taken effect */
#define AWS_ERROR_FENCE_SHUT "FenceShut"      /* FAILED: the lease may be lost; the attempt was not sent */
#define AWS_ERROR_CANCELLED "Cancelled"       /* FAILED: by aws_client_cancel; may have taken effect */
#define AWS_ERROR_NO_CREDENTIALS "NoCredentials" /* FAILED: none found; the message names the places */

/*
 * What an error means for the caller of the operation:
 *
 *   - CONFLICT: ConditionalCheckFailedException; ResourceInUseException (the table exists, or is changing)
 *   - NOT_FOUND: ResourceNotFoundException, TableNotFoundException
 *   - RETRY: throttles, HTTP 5xx, 408 and 429, no answer (`http_status` 0), transactions that conflict, clock
 *     skew, and expired or unknown credentials, which the retries did not cure: others may come
 *   - INVALID: ValidationException and the like, ExpiredIteratorException: the same request fails again
 *   - FAILED: the rest: access denied, a wrong signature (InvalidSignatureException)
 */
enum status aws_service_error_status(const char *name, long http_status);

/* Fills `e` with one of the names above and the message "<name>: <message>"; returns its status. */
enum status aws_service_error_set(struct error *e, const char *name, const char *message);

/* Whether the error is a throttle: those of the SDKs' standard retry mode (SDKs and Tools Reference Guide,
 * "Retry behavior"), and Kinesis' KMSThrottlingException. */
bool aws_service_error_is_throttle(const char *name);

/* Whether other credentials may help: these have expired, are not known, or do not match the signature (a
 * secret that was replaced, or read while its file was being written; a wrong clock, too: aws/clock_skew.h).
 */
bool aws_service_error_is_of_credentials(const char *name);

#endif
