/* limits: every bound of the program that is not an option, in one place. Bytes, milliseconds, counts. */
#ifndef SERVER_BASE_LIMITS_H
#define SERVER_BASE_LIMITS_H

/* Logging. */
#define LIMIT_LOG_MESSAGE_BYTES 2048
#define LIMIT_LOG_LINE_BYTES 16384

/* Metrics: series in one family; what would come after shares one series that says so. */
#define LIMIT_METRIC_SERIES 1024
#define LIMIT_METRICS_TEXT_BYTES (8u << 20)
#define LIMIT_HEALTH_TROUBLES 256

/* AWS calls. A GetRecords reply holds at most 10 MB of data (14 MB of JSON); BatchGetItem 16 MB. */
#define LIMIT_AWS_REPLY_BYTES (20u << 20)
#define LIMIT_AWS_CONNECT_MS 3000
#define LIMIT_AWS_ATTEMPT_MS 15000
#define LIMIT_AWS_CONCURRENCY 16 /* calls under way at once for one batch of calls */
#define LIMIT_AWS_IDLE_CONNECTIONS 16

/* DynamoDB's own: keys in one BatchGetItem; bytes of a hash key. */
#define LIMIT_DYNAMODB_BATCH_GET 100
#define LIMIT_KEY_BYTES 2048
#define LIMIT_CREATE_TABLE_MS 600000
#define LIMIT_CREATE_TABLE_POLL_MS 500

#define LIMIT_ROUND_PAUSE_MS                                                                                 \
    50                  /* before the writes of a batch that failed are sent again; doubled four times */
#define LIMIT_ROUNDS 50 /* how often, at most; then the shard backs off and begins the batch again */

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
#define LIMIT_BACKOFF_MS 5000  /* the longest pause of a shard whose store or source fails */
#define LIMIT_THROTTLE_MS 1000 /* the longest pause of a shard whose reads are throttled */
#define LIMIT_READ_WAIT_MS                                                                                   \
    1000 /* a read that is not due waits at most so long before the shard looks around */
#define LIMIT_SHARD_STUCK_MS                                                                                 \
    120000                         /* a shard whose loop has not turned for so long is not renewed any more */
#define LIMIT_LIST_SHARDS_MS 30000 /* the stream's shards are listed so often */
#define LIMIT_FOLLOW_MS 1000       /* a process that only serves reads the leases so often */
#define LIMIT_DEAD_LETTER_LINE_BYTES (15u << 20) /* a record of 10 MiB, the largest of Kinesis, in base64 */
#define LIMIT_LOGGED_LETTER_BYTES 6000

/* HTTP: what openapi.yaml promises, and MHD's buffer a connection, which must be larger. */
#define LIMIT_URI_BYTES 8192
#define LIMIT_HEADER_BYTES 16384
#define LIMIT_CONNECTION_BYTES 49152
#define LIMIT_HEADERS_MS 10000
#define LIMIT_KEEP_ALIVE_MS                                                                                  \
    75000 /* longer than a load balancer's 60 s, else it sends into a closing connection */
#define LIMIT_PROBE_CONNECTIONS 16 /* kept free for probes */
#define LIMIT_REQUEST_ID_BYTES 128

/* Reading the view. */
#define LIMIT_BOARD_ITEMS 100
#define LIMIT_RANKED 1000 /* a contributor beyond has no rank */
#define LIMIT_EMBEDDED_REFRESH_MS                                                                            \
    50 /* a board that changed is read again so often, where reading costs nothing */
#define LIMIT_LOADERS 4
#define LIMIT_LOAD_MS 2500       /* a cache load that takes longer has failed */
#define LIMIT_LOADS_WAITING 1024 /* loads queued; one more is refused as overloaded */
#define LIMIT_BODY_BYTES (4u << 20)

#define LIMIT_FIRST_CONTACT_MS 1000 /* at the start, a store or source that cannot answer is asked so often  \
                                     */

/* Stopping, all of it. */
#define LIMIT_STOP_MS 20000
#define LIMIT_CANCEL_MS 3000 /* of which kept for ending what would not end by itself */
#define LIMIT_CLOSE_MS 3000  /* for requests in flight, once no new connection is taken */

#endif
