/*
 * aws/service_error: what the name of an AWS error means. Exactly one function turns such a name into a
 * status; it is pure and may be called from any thread.
 *
 * Names are AWS's, without namespace, compared as they are ("ThrottlingException"). Besides them calls end
 * with names of our own, where there is no answer that could carry one; they are listed here.
 */
#ifndef AWS_SERVICE_ERROR_H
#define AWS_SERVICE_ERROR_H

#include <stdbool.h>

#include "base/error.h"

#define AWS_ERROR_NO_ANSWER "NoAnswer" /* RETRY: not connected, cut off, timed out: may have taken effect */
#define AWS_ERROR_CHECKSUM                                                                                   \
    "ChecksumMismatch"                       /* RETRY: the bytes are not those that x-amz-crc32 stands for   \
                                              */
#define AWS_ERROR_MALFORMED "MalformedReply" /* RETRY: a success whose body is not JSON */
#define AWS_ERROR_TOO_LARGE "ReplyTooLarge"  /* FAILED: a reply above LIMIT_AWS_REPLY_BYTES */
#define AWS_ERROR_DEADLINE                                                                                   \
    "DeadlineExceeded"                   /* RETRY: the run's deadline came first: may have taken effect */
#define AWS_ERROR_FENCE_SHUT "FenceShut" /* FAILED: the lease may be gone; this attempt was not sent */
#define AWS_ERROR_CANCELLED "Cancelled"  /* FAILED: by aws_client_cancel: may have taken effect */
#define AWS_ERROR_NO_CREDENTIALS "NoCredentials" /* FAILED: none found; the message says where we looked */

/*
 * What an AWS error means for the caller of the operation:
 *
 * CONFLICT    ConditionalCheckFailedException; ResourceInUseException (a table is there already, or in
 * motion) NOT_FOUND   ResourceNotFoundException, TableNotFoundException RETRY       throttling, HTTP 5xx, 408
 * and 429, no answer (`http_status` 0), transactions in each other's way, and clock skew and expired
 * credentials which the retries did not cure INVALID     ValidationException and the like,
 * ExpiredIteratorException: the same request fails again FAILED      the rest: access denied, unknown keys, a
 * signature that does not match (InvalidSignatureException)
 */
enum status aws_service_error_status(const char *name, long http_status);

/* Fills `e` with one of the names above; the message is "<name>: <message>". Returns what it means. */
enum status aws_service_error_set(struct error *e, const char *name, const char *message);

/* Whether this error means "slow down". The list is that of the SDKs' standard retry mode (SDKs and Tools
 * Reference Guide, "Retry behavior"), and Kinesis' KMSThrottlingException. */
bool aws_service_error_is_throttle(const char *name);

/* Whether this error means that the credentials have expired: ExpiredTokenException, ExpiredToken. */
bool aws_service_error_is_expired_token(const char *name);

#endif
