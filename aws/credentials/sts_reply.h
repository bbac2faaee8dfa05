/*
 * aws/credentials/sts_reply: reads the XML answers of STS (AWS Security Token Service API Reference,
 * AssumeRole and "Common Error Types") by libexpat. Pure. A document type declaration is refused: STS sends
 * none, and attacks on XML parsers use entities.
 */
#ifndef AWS_CREDENTIALS_STS_REPLY_H
#define AWS_CREDENTIALS_STS_REPLY_H

#include <stddef.h>

#include "base/error.h"

struct aws_credentials; /* aws/credentials/credentials.h */

/* `operation`: "AssumeRole". OK: one reference in `out`, with `source` as its source. An error of STS: its
 * status as in aws_service_error_status, with code, message and request id in `e`. Anything else: RETRY,
 * "MalformedReply". */
enum status aws_sts_reply_read(const char *operation, long http_status, const char *text, size_t length,
                               const char *source, struct aws_credentials **out, struct error *e);

#endif
