/*
 * aws/credentials/sts_reply: the XML that STS answers (AWS Security Token Service API Reference, AssumeRole
 * and "Common Error Types"), read by libexpat. Pure. A document type declaration is refused: STS sends none,
 * and entities are what XML readers are attacked with.
 */
#ifndef AWS_CREDENTIALS_STS_REPLY_H
#define AWS_CREDENTIALS_STS_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct aws_credentials; /* aws/credentials/credentials.h */

/* `operation`: "AssumeRole". OK: one reference in `out`, with `source` for its source; they expire by our
 * clock, of which STS's is `ahead_ms` ahead. Else what aws_service_error_status says of STS's error code,
 * which is in `e` with its message and the request id; RETRY, "MalformedReply", if it is something else. */
enum status aws_sts_reply_read(const char *operation, long http_status, const char *text, size_t length,
                               const char *source, int64_t ahead_ms, struct aws_credentials **out,
                               struct error *e);

#endif
