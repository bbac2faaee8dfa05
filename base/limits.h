/* limits: every bound of the program that is not an option, in one place. Bytes, milliseconds, counts. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Logging. */
#define LIMIT_LOG_MESSAGE_BYTES 2048
#define LIMIT_LOG_LINE_BYTES 16384
#define LIMIT_LOGGED_TARGET_BYTES 2048
#define LIMIT_ACCESS_LOG_LINES 100 /* a second, of failed requests, unless all are logged */

/* Metrics: series in one family; what would come after shares one series that says so. */
#define LIMIT_METRIC_SERIES 1024
#define LIMIT_METRICS_TEXT_BYTES (8u << 20)
#define LIMIT_HEALTH_TROUBLES 256
#define LIMIT_TROUBLE_CHANGE_MS 10000  /* a trouble that changes is logged again at most so often */
#define LIMIT_TROUBLE_REMIND_MS 300000 /* one that lasts is logged again so often */

/* AWS calls. A GetRecords reply holds at most 10 MB of data (14 MB of JSON); BatchGetItem 16 MB. */
#define LIMIT_AWS_REPLY_BYTES (20u << 20)
#define LIMIT_AWS_CONNECT_MS 3000
#define LIMIT_AWS_ATTEMPT_MS 15000
#define LIMIT_AWS_CONCURRENCY 16 /* calls under way at once for one batch of calls */
#define LIMIT_AWS_IDLE_CONNECTIONS 16

/* AWS credentials: the numbers of the SDKs (botocore's credentials.py and utils.py) where they have any. */
#define LIMIT_FETCH_BYTES (256u << 10)
#define LIMIT_CREDENTIALS_EARLY_MS 900000 /* refreshed that long before they expire, at the earliest ... */
#define LIMIT_CREDENTIALS_LATE_MS                                                                            \
    600000 /* ... and at the latest: in between, so that not all do so at once */
#define LIMIT_CREDENTIALS_BACKOFF_MS                                                                         \
    60000                                 /* the longest pause after failed refreshes while there are some   \
                                           */
#define LIMIT_CREDENTIALS_OUTAGE_MS 10000 /* the same while there are none that are valid */
#define LIMIT_CREDENTIALS_EXPIRED_MS                                                                         \
    60000                               /* a service that says "expired" makes for one refresh in so long */
#define LIMIT_CREDENTIALS_LOG_MS 300000 /* a refresh that goes on failing is said so often */
#define LIMIT_STS_TRY_MS 10000
#define LIMIT_METADATA_CONNECT_MS 1000
#define LIMIT_METADATA_TRY_MS 2000
#define LIMIT_METADATA_TRIES 3
#define LIMIT_METADATA_PAUSE_MS 1000
#define LIMIT_TOKEN_FILE_BYTES 65536
#define LIMIT_PROCESS_MS 60000 /* a credential_process, as in the SDK for Go */
#define LIMIT_PROCESS_BYTES 65536
#define LIMIT_PROCESS_COMPLAINT_BYTES 400 /* of its standard error, what is kept for the message */
#define LIMIT_PROCESS_ARGUMENTS 64
#define LIMIT_PROCESS_DEATH_MS 1000 /* from the signal that kills it to its end */
#define LIMIT_SOURCE_PROFILES 16    /* a chain of roles */

/* DynamoDB's own: keys in one BatchGetItem; bytes of a hash key. */
#define LIMIT_DYNAMODB_BATCH_GET 100
#define LIMIT_KEY_BYTES 2048
#define LIMIT_CREATE_TABLE_MS 600000
#define LIMIT_CREATE_TABLE_POLL_MS 500

#define LIMIT_STORE_PATIENCE_MS                                                                              \
    30000 /* a shard's reads and writes end once the store has answered nothing for so long */

#define LIMIT_ROUND_PAUSE_MS                                                                                 \
    50                  /* before the writes of a batch that failed are sent again; doubled four times */
#define LIMIT_ROUNDS 50 /* how often, at most; then the shard backs off and begins the batch again */

#define LIMIT_SCAN_ROUNDS 8 /* how often a page of a scan is asked for again */

/* SQLite: how long a connection waits for another's lock; its page cache. */
#define LIMIT_SQLITE_BUSY_MS 2000
#define LIMIT_SQLITE_WAL_PAGES 8192 /* of 4 KiB, before they are moved into the database */
#define LIMIT_SQLITE_WRITER_CACHE_KIB 16384
#define LIMIT_SQLITE_READER_CACHE_KIB 1024

/* Ids: a shard id (Kinesis: 1..128 of [a-zA-Z0-9_.-]), decimal digits of a sequence number (about 56 today).
 */
#define LIMIT_SHARD_ID_BYTES 128
#define LIMIT_SEQUENCE_DIGITS 80

/* Ingest. */
#define LIMIT_SHARDS 10000
#define LIMIT_BATCH_RECORDS 10000
#define LIMIT_CHUNK_BYTES (1 << 20) /* of a file, read at once */
#define LIMIT_LINE_BYTES                                                                                     \
    (10u << 20)                    /* a longer line is a dead letter: as much as a Kinesis record may have */
#define LIMIT_CUT_LINE_BYTES 4096u /* what is kept of it */
#define LIMIT_APPLY_ROUNDS 8       /* how often a batch is read again before its shard backs off */
#define LIMIT_CONTRIBUTION_CACHE_BYTES (16u << 20) /* over all shards */
#define LIMIT_CHECKPOINT_MS 1000                   /* a checkpoint at most so often */
#define LIMIT_BACKOFF_MS 5000     /* the longest pause of a shard whose store or source fails */
#define LIMIT_WINDOW_MS 2000      /* the widest window of a batch whose store throttles (ingest/window.h) */
#define LIMIT_WINDOW_CALM_MS 5000 /* it narrows when it was not throttled for so long */
#define LIMIT_THROTTLE_MS 1000    /* the longest pause of a shard whose reads are throttled */
#define LIMIT_READ_WAIT_MS                                                                                   \
    1000 /* a read that is not due waits at most so long before the shard looks around */
#define LIMIT_SHARD_STUCK_MS                                                                                 \
    120000                         /* a shard whose loop has not turned for so long is not renewed any more */
#define LIMIT_LIST_SHARDS_MS 30000 /* the stream's shards are listed so often */
#define LIMIT_LIST_PAGE_MS 30000   /* one page of them, retries and all: LIMIT_SHARDS have ten */
#define LIMIT_LEASE_CALL_MS 2500   /* one call about leases, retries and all: others wait for it */
#define LIMIT_SHRINK_ROWS 25       /* of a long-gone shard's watermarks, shrunk at once */
#define LIMIT_SHRINK_PAUSE_MS 100  /* between them: nothing depends on it, and the table is in use */
#define LIMIT_SHRINK_AGAIN_MS 600000 /* after that failed */
#define LIMIT_FOLLOW_MS 1000         /* a process that only serves reads the leases so often */
/* Parts of an aggregated record: more than events fit into the 10 MiB that a record may have; and what
 * unpacking may take for each of them, beside its data. */
#define LIMIT_AGGREGATED_PARTS 65536
#define LIMIT_AGGREGATED_PART_BYTES 256
/* Bytes of records in memory over all shards (ingest/budget.h), and what GetRecords takes of them while it is
 * under way: the largest reply, 10 MB of data, comes as 14 MB of JSON, which are there as text, in a buffer
 * that doubled, and parsed. */
#define LIMIT_INFLIGHT_BYTES (128u << 20)
#define LIMIT_REPLY_BYTES (40u << 20)
#define LIMIT_KEPT_BLOCK_BYTES (128 << 10) /* freed blocks that are larger go back to the system at once */
#define LIMIT_RETENTION_MS                                                                                   \
    60000 /* the stream's retention period, where it matters, is asked for so often                          \
           */
#define LIMIT_DEAD_LETTER_LINE_BYTES (15u << 20) /* a record of 10 MiB, the largest of Kinesis, in base64 */
#define LIMIT_LOGGED_LETTER_BYTES 6000
#define LIMIT_SQS_MESSAGE_BYTES 262144 /* 1 MiB since 2025, but not everywhere (SQS API, SendMessage) */
#define LIMIT_DEAD_LETTER_SEND_MS                                                                            \
    30000 /* to send the letters of a batch to SQS; then the shard backs off                                 \
           */
#define LIMIT_DEAD_LETTER_REFUSED_FIRST_MS                                                                   \
    1000                                   /* until a target that refuses is tried again; doubled each time */
#define LIMIT_DEAD_LETTER_REFUSED_MS 60000 /* up to this */

/* An audit's differences are looked at again so often, with pauses that begin with this and double: after
 * half a minute a batch has got from its scores to its contributions. */
#define LIMIT_AUDIT_ROUNDS 6
#define LIMIT_AUDIT_PAUSE_MS 1000

/* HTTP: what openapi.yaml promises, and MHD's buffer a connection, which must be larger; but not by much: MHD
 * zeroes all of it after every request. */
#define LIMIT_URI_BYTES 8192
#define LIMIT_HEADER_BYTES 16384
#define LIMIT_CONNECTION_BYTES 32768
#define LIMIT_REQUEST_BODY_BYTES 65536 /* it is ignored; a larger one ends the connection */
#define LIMIT_HEADERS_MS 10000
#define LIMIT_KEEP_ALIVE_MS                                                                                  \
    75000 /* longer than a load balancer's 60 s, else it sends into a closing connection */
#define LIMIT_HEALTHCHECK_MS 2000
#define LIMIT_OVERLOADED_MS                                                                                  \
    2000                      /* a connection beyond --connections may take so long to say what it wants     \
                               */
#define LIMIT_ANSWER_MS 30000 /* from a request's first line until its answer is taken */
#define LIMIT_HANDSHAKE_MS                                                                                   \
    200                      /* at the end: a connection half made, or a request under way, is here by then */
#define LIMIT_END_IDLE_MS 50 /* at the end, connections that have become idle are closed so often */
/* An idle connection is kept so long once no new one is taken: whoever asked for one in the last moment asks
 * again after 1 s (RFC 6298, section 5.7), and only that is refused; until then nobody can know. */
#define LIMIT_LAST_REQUESTS_MS 1300
#define LIMIT_ACCEPT_PAUSE_MS 100  /* after the system had no room for a connection */
#define LIMIT_OTHER_FILES 512      /* descriptors for all that is not a connection of a client */
#define LIMIT_TICK_MS 1000         /* so often connections are looked at that take too long */
#define LIMIT_PROBE_CONNECTIONS 16 /* kept free for probes */
#define LIMIT_REQUEST_ID_BYTES 128
#define LIMIT_PLAIN_BYTES 1024 /* a body up to this is not worth compressing: it fits a packet as it is */

/* GET /live. */
#define LIMIT_LIVE_BOARD_MS 500 /* a board at most so often */
#define LIMIT_LIVE_FRESHNESS_MS 1000
#define LIMIT_LIVE_HEARTBEAT_MS 15000 /* load balancers close what is silent for 60 s */
#define LIMIT_LIVE_WAKES 32           /* readers are woken in so many groups, a millisecond apart */
#define LIMIT_LIVE_TAKE_MS 10000      /* a reader who has not taken what was sent for so long is dropped */
#define LIMIT_LIVE_GONE_MS                                                                                   \
    20000 /* what the kernel took and the reader's host has not acknowledged for so long */
#define LIMIT_LIVE_SEND_BYTES 16384 /* the kernel's buffer, so that a reader who does not read shows */

/* Reading the view. */
#define LIMIT_BOARD_ITEMS 100
#define LIMIT_MAX_LAG_MS 86400000 /* maxLag */
#define LIMIT_RANKED 1000         /* a contributor beyond has no rank */
#define LIMIT_EMBEDDED_REFRESH_MS                                                                            \
    50 /* a board that changed is read again so often, where reading costs nothing */
#define LIMIT_CACHE_JITTER_PERCENT 10 /* taken off a ttl, at most */
#define LIMIT_LOADERS 4
#define LIMIT_LOAD_MS 2000       /* a cache load that takes longer has failed: who asks knows within 3 s */
#define LIMIT_LOADS_WAITING 1024 /* loads queued; one more is refused as overloaded */

#define LIMIT_CONTACT_MS                                                                                     \
    5000 /* to ask a store or source what it is, retries and all: who starts looks for signals between */
#define LIMIT_FIRST_CONTACT_MS                                                                               \
    1000 /* at the start, a store or source that cannot answer is asked so often                             \
          */

/* The service manager is told so often how it goes, at least; and a loop that has not turned for so long is
 * stuck (server/notifier.h), as a shard's is: longer than all the time-outs of what it does between two
 * turns. */
#define LIMIT_NOTIFY_MS 5000
#define LIMIT_LOOP_STUCK_MS 120000
#define LIMIT_LISTING_STUCK_MS 600000 /* a listing has pages, each of LIMIT_LIST_PAGE_MS */

/* Stopping, all of it, after --drain-seconds (15 at most). */
#define LIMIT_STOP_MS 5000
#define LIMIT_CANCEL_MS 1000      /* of which kept for ending what would not end by itself */
#define LIMIT_CLOSE_MS 3000       /* for requests in flight: longer than a load may take */
#define LIMIT_STOP_STUCK_MS 12000 /* who has not stopped then hangs, and is ended */

#endif
