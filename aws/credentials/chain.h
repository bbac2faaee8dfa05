/*
 * aws/credentials/chain: asks its sources in order, keeps what it was given, and has it fresh ahead of time.
 *
 * The first source that is configured answers, for good or bad (SDKs and Tools Reference Guide, "Standardized
 * credential providers"); from then on it alone is asked, so that a program does not become somebody else
 * because its own source fails for a moment.
 *
 * One fetch runs at a time: threads that need credentials while there are none wait for it, each until its
 * own deadline, and share its result. Nothing is locked while a source is asked. What is kept is handed out
 * until it expires, whatever happens meanwhile; after the end of a failed fetch no other begins before a
 * jittered pause, which doubles from 1 s up to LIMIT_CREDENTIALS_BACKOFF_MS, but ends with the expiry; and up
 * to LIMIT_CREDENTIALS_OUTAGE_MS once nothing valid is left. (A getter in that pause gets the last failure.)
 *
 * A refresh is due between LIMIT_CREDENTIALS_EARLY_MS and _LATE_MS before the expiry, but not before half of
 * what was left when they came: what lives for minutes only, or is handed out again near its end, is not
 * asked for all the time.
 *
 * Metrics: winner_view_aws_credentials_expiry_timestamp_seconds, absent unless they expire, and
 * winner_view_aws_credentials_refreshes_total{result}. Times are wall clock, in milliseconds; what passes of
 * it in the course of a call is counted by CLOCK_BOOTTIME.
 */
#ifndef AWS_CREDENTIALS_CHAIN_H
#define AWS_CREDENTIALS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/credentials/credentials.h"

struct aws_credentials_chain;
struct aws_profiles; /* aws/profile.h */

/* Where to look for credentials, and how to reach STS. All borrowed for as long as the chain lives. */
struct aws_credentials_setup {
    const struct aws_profiles *profiles;
    const char *profile;
    const char *region;
    const char *ca_bundle; /* NULL: the system's */
    bool corrects_skew;    /* sign by the clock of STS where ours is wrong */
};

/* Told of the end of every fetch, one at a time, by the thread that made it, with nothing locked. `failure`
 * NULL: it succeeded. `kept`: what is handed out now, borrowed; NULL: there is none, or it has expired. */
struct aws_credentials_listener {
    void (*fetched)(void *data, int64_t now_ms, const struct aws_credentials *kept,
                    const struct error *failure);
    void *data;
};

/* With every source, in the order that aws/credentials/sources.h lists. Reads the environment: call it at
 * start. Asks no source before the first get. */
struct aws_credentials_chain *aws_credentials_chain_new_default(const struct aws_credentials_setup *setup);

/* Takes the sources over. */
struct aws_credentials_chain *aws_credentials_chain_new(const struct aws_credentials_source *sources,
                                                        size_t n);
void aws_credentials_chain_free(struct aws_credentials_chain *chain); /* stops it first; NULL is fine */

/* One reference to what is valid now. Fetches, or waits for the fetch under way, if there is none. Any
 * thread. With a deadline (CLOCK_BOOTTIME, 0: none) it waits no longer: then RETRY, code "DeadlineExceeded",
 * and the fetch, which the chain's thread makes (started for it if it is not there yet), goes on for others.
 * FAILED, code "NoCredentials" and where we looked, if no source is configured; RETRY if the one that is may
 * answer later; FAILED if not, with its code and request id; FAILED, "Cancelled", once stopped. */
enum status aws_credentials_chain_get(struct aws_credentials_chain *chain, int64_t now_ms,
                                      int64_t deadline_boot_ms, struct aws_credentials **out,
                                      struct error *e);

/* A service said that they have expired: the next tend refreshes, at most once in
 * LIMIT_CREDENTIALS_EXPIRED_MS. Any thread, never blocks. */
void aws_credentials_chain_expired(struct aws_credentials_chain *chain, int64_t now_ms);

/* Refreshes if that is due, or makes the fetch that somebody waits for, and says when to come back: never
 * before somebody got some, INT64_MAX if they do not expire or another thread fetches: its end wakes the
 * thread. What the thread of aws_credentials_chain_start does, over and over. */
int64_t aws_credentials_chain_tend(struct aws_credentials_chain *chain, int64_t now_ms);

/* For tests: a stepped clock in the place of CLOCK_BOOTTIME. Before there is any other call. */
void aws_credentials_chain_measure_with(struct aws_credentials_chain *chain, int64_t (*boot_ms)(void));

/* Starts the thread that tends. Once. `listener` may be NULL; it is copied, and must work until the stop. */
void aws_credentials_chain_start(struct aws_credentials_chain *chain,
                                 const struct aws_credentials_listener *listener);

/* A fetch also ends while this descriptor is readable: a signalfd, that a program which waits for its first
 * credentials can be stopped. Borrowed for as long as the chain lives. */
void aws_credentials_chain_stop_with(struct aws_credentials_chain *chain, int fd);

/* For good, from any thread: ends the fetch that is under way, and fails every later one, "Cancelled". */
void aws_credentials_chain_cancel(struct aws_credentials_chain *chain);

/* Cancels, and waits for the thread if it was started; then no fetch calls the listener any more but those
 * that other threads are in. */
void aws_credentials_chain_stop(struct aws_credentials_chain *chain);

#endif
