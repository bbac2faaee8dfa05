/*
 * hash: a keyed hash for tables whose keys come from outside, and uthash set up to use it.
 *
 * The hash is SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") under a random key of the
 * process: an attacker cannot choose keys that all fall into one bucket. Include this instead of <uthash.h>.
 * Thread-safe.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

/* Under the process's key. */
uint64_t hash_bytes(const void *data, size_t length);

/* Under a given key, for the published test vectors. */
uint64_t hash_siphash13(const void *data, size_t length, uint64_t k0, uint64_t k1);

#define HASH_FUNCTION(key, length, value) ((value) = (unsigned)hash_bytes((key), (length)))
#define uthash_fatal(message) mem_exhausted()

#include <uthash.h>

#endif
