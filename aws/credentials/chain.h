/*
 * aws/credentials/chain: finds the credentials of the program, keeps them, and refreshes them before they
 * expire. The folder is entered by this header.
 *
 * The chain asks its sources in order. The first one that is configured answers, with credentials or with an
 * error (SDKs and Tools Reference Guide, "Standardized credential providers"). From then on only this source
 * is asked, so that the program does not take another identity when its own source fails for a moment.
 *
 * One fetch runs at a time. Threads that need credentials when there are none wait for it, each until its own
 * deadline, and share its result. Nothing is locked while a source is asked. Credentials are handed out until
 * they expire, whatever happens meanwhile. After a failed fetch no other begins before a jittered pause,
 * which doubles from 1 s up to LIMIT_CREDENTIALS_BACKOFF_MS but ends with the expiry, or up to
 * LIMIT_CREDENTIALS_OUTAGE_MS when nothing valid is left. (A get in that pause returns the last failure.)
 *
 * A refresh is due between LIMIT_CREDENTIALS_EARLY_MS and _LATE_MS before the expiry, but not before half of
 * the time that was left when they were fetched: credentials that live for minutes, or that are handed out
 * again near their end, are not fetched all the time.
 *
 * Metrics: winner_view_aws_credentials_expiry_timestamp_seconds, absent unless they expire, and
 * winner_view_aws_credentials_refreshes_total{result}. Times are wall clock, in milliseconds; within a call
 * they go on by CLOCK_BOOTTIME.
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

/* Called at the end of every fetch, one at a time, by the thread that made it, with nothing locked. `failure`
 * NULL: it succeeded. `kept`: what is handed out now, borrowed; NULL: none that is valid. */
struct aws_credentials_listener {
    void (*fetched)(void *data, int64_t now_ms, const struct aws_credentials *kept,
                    const struct error *failure);
    void *data;
};

/* With every source, in the order that aws/credentials/sources.h lists. Reads the environment: call it at
 * start. Asks no source before the first get. */
struct aws_credentials_chain *aws_credentials_chain_new_default(const struct aws_credentials_setup *setup);

/* Takes over the sources, which must not be freed by the caller. */
struct aws_credentials_chain *aws_credentials_chain_new(const struct aws_credentials_source *sources,
                                                        size_t n);
void aws_credentials_chain_free(struct aws_credentials_chain *chain); /* stops it first; NULL is allowed */

/* One reference to valid credentials. If there are none it fetches, or waits for the fetch under way. Any
 * thread. With a deadline (CLOCK_BOOTTIME, 0: none) the chain's thread makes the fetch (it is started if
 * needed): at the deadline RETRY, code "DeadlineExceeded", and the fetch continues. FAILED, code
 * "NoCredentials" and the places looked at, if no source is configured; RETRY if the configured one may
 * answer later; FAILED if not, with its code and request id; FAILED, "Cancelled", once stopped. */
enum status aws_credentials_chain_get(struct aws_credentials_chain *chain, int64_t now_ms,
                                      int64_t deadline_boot_ms, struct aws_credentials **out,
                                      struct error *e);

/* A service answered that they have expired: the next tend refreshes them, at most once in
 * LIMIT_CREDENTIALS_EXPIRED_MS. Any thread, never blocks. */
void aws_credentials_chain_expired(struct aws_credentials_chain *chain, int64_t now_ms);

/* One turn of the chain's thread: refreshes if that is due, or makes the fetch that a get waits for. Returns
 * when the next turn is due: INT64_MAX before the first get, if they do not expire, or while another thread
 * fetches, whose end wakes the thread. */
int64_t aws_credentials_chain_tend(struct aws_credentials_chain *chain, int64_t now_ms);

/* For tests: a stepped clock instead of CLOCK_BOOTTIME. Call it first. */
void aws_credentials_chain_measure_with(struct aws_credentials_chain *chain, int64_t (*boot_ms)(void));

/* Starts the thread that refreshes. Once. `listener` may be NULL; it is copied, and is called until the stop.
 */
void aws_credentials_chain_start(struct aws_credentials_chain *chain,
                                 const struct aws_credentials_listener *listener);

/* A fetch also ends when this descriptor (a signalfd) is readable: so a program that waits for its first
 * credentials can be stopped. Borrowed for as long as the chain lives. */
void aws_credentials_chain_stop_with(struct aws_credentials_chain *chain, int fd);

/* Any thread, for good: ends the fetch under way, and fails every later one, "Cancelled". */
void aws_credentials_chain_cancel(struct aws_credentials_chain *chain);

/* Cancels, and joins the thread. Afterwards the listener is called only by fetches that other threads are in.
 */
void aws_credentials_chain_stop(struct aws_credentials_chain *chain);

#endif
