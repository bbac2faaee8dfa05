/*
 * aws/trust: the certificates of the authorities that connections trust, read once for all connections.
 * Otherwise libcurl reads them for each connection, and each keeps some 400 KB of them.
 *
 * A file that changed on disk is read again at the next handshake: authorities are renewed while the process
 * runs. If it cannot be read then, what was read before stays in use. Thread-safe.
 */
#ifndef AWS_TRUST_H
#define AWS_TRUST_H

#include "base/error.h"

struct aws_trust;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* `file` has certificates in PEM, at most LIMIT_CA_BUNDLE_BYTES; `folder` (NULL: none) has more under their
 * hashes (openssl-rehash(1)), each read when it is first needed. Both are copied. INVALID: the file cannot be
 * read, or has no certificate; `*trust` is NULL then. */
enum status aws_trust_new(struct aws_trust **trust, const char *file, const char *folder, struct error *e);
void aws_trust_free(struct aws_trust *trust); /* NULL is allowed; connections keep what they use */

/* Makes a connection trust these, before its handshake. Reads the file again if it changed. Any thread. */
void aws_trust_apply(struct aws_trust *trust, struct ssl_ctx_st *connection);

#endif
