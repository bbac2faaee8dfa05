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
 * The expiry is judged by the clock that AWS's replies teach (base/service_clock.h); before the first reply
 * by the issuer's time at the fetch, if that is known; else not at all. Our wall clock does not count.
 * A refresh is due between LIMIT_CREDENTIALS_EARLY_MS and _LATE_MS before the expiry, but not before half of
 * the time that was left when they were fetched: credentials that live for minutes, or that are handed out
 * again near their end, are not fetched all the time. Those that had expired already, which only the metadata
 * service may hand out (in an outage, in which AWS accepts them: AWS SDKs, "static stability"), are fetched
 * again between LIMIT_CREDENTIALS_OUTLIVED_MS and twice that later.
 *
 * Credentials that AWS refuses are fetched again at once, but not within LIMIT_CREDENTIALS_REFUSED_MS of the
 * last fetch. If the source still has the same ones, that fetch has failed, and the next is due after
 * LIMIT_CREDENTIALS_SAME_MS.
 *
 * Metrics: winner_view_aws_credentials_expiry_timestamp_seconds, absent unless they expire, and
 * winner_view_aws_credentials_refreshes_total{result}. Times are CLOCK_BOOTTIME, in milliseconds, but for the
 * expiry.
 */
#ifndef AWS_CREDENTIALS_CHAIN_H
#define AWS_CREDENTIALS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/credentials/credentials.h"

struct aws_credentials_chain;
struct aws_profiles;  /* aws/profile.h */
struct aws_trust;     /* aws/trust.h */
struct service_clock; /* base/service_clock.h */

/* Where to look for credentials, and how to reach STS. All borrowed for as long as the chain lives. */
struct aws_credentials_setup {
    const struct aws_profiles *profiles;
    const char *profile;
    const char *region;
    struct aws_trust *trust; /* NULL: the system's, as libcurl reads it */
    bool corrects_skew;      /* sign by the clock of STS where ours is wrong */
};

/* The end of a fetch. */
struct aws_credentials_news {
    const struct aws_credentials *kept; /* what is handed out now, borrowed; NULL: none that is valid */
    bool has_expired;                   /* what is kept has expired; AWS may accept it */
    const struct error *failure;        /* NULL: it succeeded */
    int64_t boot_ms;
};

/* Called at the end of every fetch, one at a time, by the thread that made it, with nothing locked. */
struct aws_credentials_listener {
    void (*fetched)(void *data, const struct aws_credentials_news *news);
    void *data;
};

/* With every source, in the order that aws/credentials/sources.h lists. Reads the environment: call it at
 * start. Asks no source before the first get. */
struct aws_credentials_chain *aws_credentials_chain_new_default(const struct aws_credentials_setup *setup);

/* Takes over the sources, which must not be freed by the caller. */
struct aws_credentials_chain *aws_credentials_chain_new(const struct aws_credentials_source *sources,
                                                        size_t n);
void aws_credentials_chain_free(struct aws_credentials_chain *chain); /* stops it first; NULL is allowed */

/* The clock for the expiry; borrowed. Call it before the first get. */
void aws_credentials_chain_judge_by(struct aws_credentials_chain *chain, struct service_clock *clock);

/* One reference to valid credentials. If there are none it fetches, or waits for the fetch under way. Any
 * thread. With a deadline (CLOCK_BOOTTIME, 0: none) the chain's thread makes the fetch (it is started if
 * needed): at the deadline RETRY, code "DeadlineExceeded", and the fetch continues. FAILED, code
 * "NoCredentials" and the places looked at, if no source is configured; RETRY if the configured one may
 * answer later; FAILED if not, with its code and request id; FAILED, "Cancelled", once stopped. */
enum status aws_credentials_chain_get(struct aws_credentials_chain *chain, int64_t deadline_boot_ms,
                                      struct aws_credentials **out, struct error *e);

/* AWS answered `error` (its name) to a call signed with `used`. True: call again, for there are others, or
 * the next get waits for the fetch that this causes. False: others may come later. Any thread, never blocks.
 */
bool aws_credentials_chain_refused(struct aws_credentials_chain *chain, const struct aws_credentials *used,
                                   const char *error);

/* One turn of the chain's thread: refreshes if that is due, or makes the fetch that a get waits for. Returns
 * when the next turn is due: INT64_MAX before the first get, if they do not expire, if it is not known when,
 * or while another thread fetches, whose end wakes the thread. */
int64_t aws_credentials_chain_turn(struct aws_credentials_chain *chain);

/* For tests: stepped clocks instead of CLOCK_BOOTTIME and AWS's (INT64_MAX: not known). Call it first. */
void aws_credentials_chain_measure_with(struct aws_credentials_chain *chain, int64_t (*boot_ms)(void),
                                        int64_t (*aws_ms)(struct service_clock *));

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
