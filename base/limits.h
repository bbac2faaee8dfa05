/* limits: every bound of the program that is not an option. Units are in the names: bytes, milliseconds; else
 * counts. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Logging. */
#define LIMIT_LOG_MESSAGE_BYTES 2048
#define LIMIT_LOG_LINE_BYTES 16384
#define LIMIT_LOG_QUEUE_BYTES (512u << 10) /* of lines that wait to be written, and as much on its way */
#define LIMIT_LOG_DELIVER_MS 2000          /* for lines that must not be lost; then their writer waits */
#define LIMIT_LOG_FLUSH_MS 1000            /* at the end of the process, to write what is queued */
#define LIMIT_LOG_STATUS_BYTES 256
#define LIMIT_LOGGED_TARGET_BYTES 2048
#define LIMIT_ACCESS_LOG_LINES 100 /* failed requests logged per second, unless all are */

/* Metrics: series in one family. All above share one series, whose labels say "overflow". */
#define LIMIT_METRIC_SERIES 1024
#define LIMIT_METRIC_RELEASED_MS 600000 /* a released series is still written for so long: some scrapes */
#define LIMIT_METRICS_TEXT_BYTES (8u << 20)
#define LIMIT_HEALTH_TROUBLES 256
#define LIMIT_TROUBLE_CHANGE_MS 10000  /* shortest time between two log lines about a trouble that changes */
#define LIMIT_TROUBLE_REMIND_MS 300000 /* time between two log lines about a trouble that lasts */

/* A thread's stack. The deepest JSON that jansson reads takes 615 KiB. Where the system backs
 * memory by huge pages (2 MiB), a larger stack can cost one. */
#define LIMIT_STACK_BYTES (1u << 20)

/* AWS calls. A GetRecords reply holds at most 10 MB of data (14 MB of JSON); BatchGetItem 16 MB. */
#define LIMIT_AWS_REPLY_BYTES (20u << 20)
#define LIMIT_AWS_BODY_BYTES (20u << 20) /* of a request; ours have some KB */
#define LIMIT_AWS_CONNECT_MS 3000
#define LIMIT_AWS_ATTEMPT_MS 15000
#define LIMIT_AWS_SLOW_BYTES 1000 /* a second: an attempt below is too slow, if it has a bound for that */
#define LIMIT_AWS_CONCURRENCY 16  /* attempts under way at once in one run of calls */
#define LIMIT_AWS_IDLE_CONNECTIONS 16
#define LIMIT_AWS_STREAM_BYTES (64u << 10) /* of a stream, received and not taken yet */
/* A message of a stream, and its headers: of 24 MB and 128 KiB that the format allows, as much as a reply. */
#define LIMIT_EVENTSTREAM_BYTES LIMIT_AWS_REPLY_BYTES
#define LIMIT_EVENTSTREAM_HEADER_BYTES (128u << 10)
#define LIMIT_CA_BUNDLE_BYTES (16 << 20) /* the system's has 220 KB */

/* AWS credentials: the numbers of the SDKs (botocore's credentials.py and utils.py) where they have any. */
#define LIMIT_FETCH_BYTES (256u << 10)
/* A refresh starts between these two times before the expiry, at random: not all processes at once. */
#define LIMIT_CREDENTIALS_EARLY_MS 900000
#define LIMIT_CREDENTIALS_LATE_MS 600000
#define LIMIT_CREDENTIALS_BACKOFF_MS 60000   /* longest pause after a failed refresh, ... */
#define LIMIT_CREDENTIALS_OUTAGE_MS 10000    /* ... and when no valid ones are left */
#define LIMIT_CREDENTIALS_REFUSED_MS 5000    /* least time from a fetch to the next if AWS refuses, ... */
#define LIMIT_CREDENTIALS_SAME_MS 60000      /* ... to the next if the source still has the same, ... */
#define LIMIT_CREDENTIALS_OUTLIVED_MS 300000 /* ... or had expired already (up to twice that) */
#define LIMIT_CREDENTIALS_LOG_MS 300000      /* time between two log lines about refreshes that fail */
#define LIMIT_STS_TRY_MS 10000
#define LIMIT_METADATA_CONNECT_MS 1000
#define LIMIT_METADATA_TRY_MS 2000
#define LIMIT_METADATA_TRIES 3
#define LIMIT_METADATA_PAUSE_MS 1000
#define LIMIT_TOKEN_FILE_BYTES 65536
#define LIMIT_PROCESS_MS 60000 /* for a credential_process to end, as in the SDK for Go */
#define LIMIT_PROCESS_BYTES 65536
#define LIMIT_PROCESS_STDERR_BYTES 400 /* of its standard error, kept for the message */
#define LIMIT_PROCESS_ARGUMENTS 64
#define LIMIT_PROCESS_DEATH_MS 1000 /* from SIGKILL to its end */
#define LIMIT_PROCESS_LEFT 3        /* so many that could not be killed: no other is started */
#define LIMIT_SOURCE_PROFILES 16    /* profiles in a chain of roles */

/* DynamoDB's own: keys in one BatchGetItem; bytes of a hash key. */
#define LIMIT_DYNAMODB_BATCH_GET 100
/* The most units that one call can consume: it reads 16 MB, or writes 400 KB into 20 indexes. */
#define LIMIT_DYNAMODB_UNITS 10000
#define LIMIT_KEY_BYTES 2048
/* A product id is the sort key of an index, which has 1,024 bytes at most (DynamoDB Developer Guide,
 * "Quotas"). DynamoDB Local does not refuse a longer one. */
#define LIMIT_PRODUCT_ID_BYTES 1024
/* Texts of a product's row, so that a usual one stays below 1 KB, which is 1 unit a write. */
#define LIMIT_PRODUCT_TEXT_BYTES 96 /* a longer one is cut */
#define LIMIT_IMAGE_BYTES 256       /* a longer one is left out */
#define LIMIT_CREATE_TABLE_MS 600000
#define LIMIT_CREATE_TABLE_POLL_MS 500
#define LIMIT_CREATE_INDEX_MS 86400000 /* it is filled from the rows that are there */
#define LIMIT_CREATE_REPORT_MS 10000   /* between two lines about the same wait */

#define LIMIT_BOARD_PARTITIONS 64     /* of the index of boards */
#define LIMIT_SLICE_ROWS 256          /* of a batch, whose requests and replies are in memory at once */
#define LIMIT_STORE_PATIENCE_MS 30000 /* without any answer a shard's reads and writes end then */
#define LIMIT_ROUND_PAUSE_MS 50       /* before failed writes of a batch are sent again; doubled four times */
#define LIMIT_ROUNDS 50     /* of such writes; then the shard backs off and begins the batch again */
#define LIMIT_SCAN_ROUNDS 8 /* repetitions of one page of a scan */

/* SQLite: for how long a connection waits for another's lock; page caches. */
#define LIMIT_SQLITE_BUSY_MS 2000
#define LIMIT_SQLITE_PAGE_BYTES 4096
#define LIMIT_SQLITE_WRITER_CACHE_KIB 16384
#define LIMIT_SQLITE_READER_CACHE_KIB 1024
#define LIMIT_SQLITE_EXPIRED_ROWS 256 /* that a batch deletes, besides as many as it writes */

/* SQLite's write-ahead log (views/sqlite/wal_checkpoint.c): pages in it before they are moved into the
 * database; bytes of its file after that; further pages before the next attempt, if a reader keeps
 * some in it. */
#define LIMIT_SQLITE_WAL_PAGES 8192
#define LIMIT_SQLITE_WAL_BYTES (LIMIT_SQLITE_WAL_PAGES * LIMIT_SQLITE_PAGE_BYTES)
#define LIMIT_SQLITE_WAL_STEP_PAGES 512
#define LIMIT_SQLITE_WAL_PASSES 4                  /* of a move, while writers go on */
#define LIMIT_SQLITE_WAL_TROUBLE_BYTES (128 << 20) /* a larger log is a trouble ... */
#define LIMIT_SQLITE_HELD_MS 5000                  /* ... if for so long no move got further */
#define LIMIT_SQLITE_LOOK_MS 1000                  /* time between two readings of its size */
#define LIMIT_SQLITE_STUCK_MS 600000               /* to move it: it may have gigabytes */
#define LIMIT_SQLITE_END_MS 1000 /* at the stop, to wait for readers that keep pages in it */

/* Ids: a shard id (Kinesis: 1 to 128 of [a-zA-Z0-9_.-]); digits of a sequence number (about 56 today). */
#define LIMIT_SHARD_ID_BYTES 128
#define LIMIT_SEQUENCE_DIGITS 80

/* Ingest. */
#define LIMIT_SHARDS 10000
#define LIMIT_BATCH_RECORDS 1000000
#define LIMIT_ITEM_RECORDS 2000      /* decoded at once ... */
#define LIMIT_ITEM_BYTES (1u << 20)  /* ... and their memory */
#define LIMIT_CHUNK_BYTES (1 << 20)  /* of a file, read at once; not less than LIMIT_BEHIND_BYTES */
#define LIMIT_BEHIND_BYTES 4096      /* before a place in a file, compared to recognise the file */
#define LIMIT_LINE_BYTES (10u << 20) /* as a Kinesis record; a longer line is a dead letter ... */
#define LIMIT_CUT_LINE_BYTES 4096u   /* ... of which this much is kept */
#define LIMIT_APPLY_ROUNDS 8         /* reads of one batch before its shard backs off */
#define LIMIT_CONTRIBUTION_CACHE_BYTES (64u << 20) /* with the next; both over all shards of a worker */
#define LIMIT_BATCHES_BYTES (64u << 20)            /* one batch of each, and what applying it takes */
#define LIMIT_RETURNED_BYTES (4u << 20) /* a batch that frees so much gives it back to the system */
#define LIMIT_TRANSACTION_MS 500        /* of one batch in SQLite: others wait for its end */
#define LIMIT_TRANSACTION_LEAST_ROWS 1000
#define LIMIT_TRANSACTION_ROWS 100000 /* most that one changes; fewer while they take longer */
#define LIMIT_CHECKPOINT_MS 1000      /* shortest time between two checkpoints */
#define LIMIT_BACKOFF_MS 5000         /* longest pause of a shard whose store or source fails */
#define LIMIT_BACKLOG_WINDOW_MS 500   /* for which a batch waits for more of a shard that has a backlog */
#define LIMIT_WINDOW_MS 2000      /* widest window of a batch whose store throttles (ingest/batch_window.h) */
#define LIMIT_WINDOW_CALM_MS 5000 /* it narrows after this long without a throttle */
#define LIMIT_PARKED_BYTES (256 << 10) /* a shard whose store refuses for ... */
#define LIMIT_REWIND_MS 1000         /* ... so long drops what it has read ahead, and keeps no larger batch */
#define LIMIT_TROUBLE_LINE_MS 1000   /* shortest time between two log lines about failures of one shard */
#define LIMIT_THROTTLE_MS 1000       /* longest pause of a shard whose reads are throttled */
#define LIMIT_READ_WAIT_MS 1000      /* longest sleep of a shard before a read that is not due */
#define LIMIT_SHARD_STUCK_MS 120000  /* a shard whose loop has not turned for this long loses its lease */
#define LIMIT_LIST_SHARDS_MS 30000   /* time between two listings of the stream's shards */
#define LIMIT_LIST_PAGE_MS 30000     /* for one page of a listing, retries included: LIMIT_SHARDS have ten */
#define LIMIT_LEASE_CALL_MS 2500     /* for one call about leases, retries included */
#define LIMIT_FOLLOW_MS 1000         /* time between two reads of the leases in a process that only serves */
#define LIMIT_PROGRESS_LINE_MS 10000 /* time between two log lines about a view that is behind */
#define LIMIT_STATUS_LINE_MS 500     /* between two changes of a terminal's line about it */

/* Cleaning up after shards that are long gone. A partition of a table takes 3,000 read units and 1,000 write
 * units a second (DynamoDB Developer Guide, "Designing partition keys"): a fifth of that. */
#define LIMIT_CLEANUP_INTERVAL_MS 86400000 /* between two scans, and from a shard's end to the first */
#define LIMIT_CLEANUP_READ_UNITS 600
#define LIMIT_CLEANUP_WRITE_UNITS 200
#define LIMIT_CLEANUP_ROWS 1000             /* read at once */
#define LIMIT_CLEANUP_WRITES 20             /* written at once */
#define LIMIT_CLEANUP_NAMES 500             /* watermarks that one write removes ... */
#define LIMIT_CLEANUP_EXPRESSION_BYTES 4096 /* ... by an expression of this size: DynamoDB's limit */
#define LIMIT_CLEANUP_RETRY_MS 10000        /* between two attempts of a call */
#define LIMIT_CLEANUP_ROUNDS 60             /* attempts of a call after the first */
#define LIMIT_CLEANUP_REST_MS 600000        /* after a failure, or if another worker was first */

/* Calls about leases at once: writes of held leases (1,000 leases, each written every 3.3 s in 100 ms, are 30
 * at once); takes and new leases. And for how long a thread waits for its next call. */
#define LIMIT_LEASE_WRITES 64
#define LIMIT_LEASE_TAKES 32
#define LIMIT_LEASE_WRITER_IDLE_MS 10000

/* What the system must have for each shard (server/capacity.h), and for all else:
 *   - descriptors: four eventfds, the connection to the stream; with DynamoDB also a run of calls, and a
 *     pair of sockets of libcurl;
 *   - threads: two, and one of libcurl while it asks a name server;
 *   - memory mappings: two for each stack, and those of large blocks. */
#define LIMIT_SHARD_FILES 10
#define LIMIT_SHARD_STORE_FILES (LIMIT_AWS_CONCURRENCY + 2)
#define LIMIT_SHARD_THREADS 3
#define LIMIT_SHARD_MAPPINGS 12
#define LIMIT_OTHER_THREADS 256 /* at most half of those that are free */
#define LIMIT_OTHER_MAPPINGS 4096

/* Parts of an aggregated record: more than the events that fit into a record of 10 MiB; and the memory for
 * each when it is unpacked, besides its data. */
#define LIMIT_AGGREGATED_PARTS 65536
#define LIMIT_AGGREGATED_PART_BYTES 256

/* For one GetRecords, connecting included: less than the 5 minutes of an iterator. For how long it may bring
 * less than LIMIT_AWS_SLOW_BYTES a second. */
#define LIMIT_READ_MS 240000
#define LIMIT_READ_SLOW_S 5
#define LIMIT_SILENT_MS 1000 /* a reply that brings nothing for so long holds up no other */

/* Push. The first two are the service's own (Kinesis API, SubscribeToShard): a call a second for each shard;
 * 5 s after a success the next call takes the subscription over. */
#define LIMIT_SUBSCRIBE_PAUSE_MS 1000
#define LIMIT_TAKE_OVER_MS 5000
#define LIMIT_SUBSCRIBE_MS 15000         /* for the answer to begin: a heartbeat may be its first byte */
#define LIMIT_SUBSCRIBE_REFUSED_MS 30000 /* refusals that pass by themselves are no trouble for so long */
#define LIMIT_PUSH_SILENT_MS 35000       /* a subscription without an event, heartbeats included, is dead */
#define LIMIT_PUSH_STALL_MS 300000       /* a continuation number is used for so long */
#define LIMIT_PUSH_BARREN 3              /* subscriptions in a row that end without an event are a trouble */
#define LIMIT_PUSH_FREE_BYTES 4096       /* a smaller message does not wait for the budget: a heartbeat */
#define LIMIT_PUSH_GAP_MS 250            /* between two reads of a stream that is always ready to read */
#define LIMIT_PUSH_READY_MS 10000        /* for which it was, before a heartbeat counts; ... */
#define LIMIT_PUSH_QUIET_MS 500          /* ... and for which it was silent: what had queued has arrived */
#define LIMIT_PUSH_ALLOWANCE_MS 2000     /* for which a heartbeat may have been under way */
#define LIMIT_PUSHED_CAUGHT_UP_MS 30000  /* --caught-up-ms: heartbeats are seconds apart */
#define LIMIT_CONSUMER_TRIES 10          /* to find it ACTIVE, as the KCL, ... */
#define LIMIT_CONSUMER_PAUSE_MS 1000     /* ... and time between two */
#define LIMIT_CONSUMER_LOOK_MS 100       /* time between two looks at what another thread's try brought */

/* Bytes of records in memory over all shards (base/memory_budget.h): more than the largest reply takes. That
 * is 10 MB of data, which arrive as 14 MB of JSON: a text in a buffer that doubles, and the parsed values. */
#define LIMIT_INFLIGHT_BYTES (48u << 20)
#define LIMIT_KEPT_BLOCK_BYTES (128 << 10) /* larger ones go back to the system when freed */
#define LIMIT_ARENAS 4                     /* of the allocator, or one for each processor if those are more */

/* Dead letters. */
#define LIMIT_DEAD_LETTER_LINE_BYTES (15u << 20) /* a record of 10 MiB, the largest of Kinesis, in base64 */
#define LIMIT_LOGGED_LETTER_BYTES 6000
#define LIMIT_SQS_MESSAGE_BYTES 262144  /* 1 MiB since 2025, but not everywhere (SQS API, SendMessage) */
#define LIMIT_DEAD_LETTER_SEND_MS 30000 /* to send a batch's letters; then its shard backs off */
/* Pauses before a target that refuses is used again: the first; doubled each time up to the second. */
#define LIMIT_DEAD_LETTER_REFUSED_FIRST_MS 1000
#define LIMIT_DEAD_LETTER_REFUSED_MS 60000

/* What an audit keeps in memory of the contributors; the rest lies in temporary files. */
#define LIMIT_AUDIT_BYTES (24u << 20)
/* An audit reads its differences again this often, with pauses that begin with this one and double: in half a
 * minute a batch gets from its scores to its contributions. */
#define LIMIT_AUDIT_ROUNDS 6
#define LIMIT_AUDIT_EXPIRY_MS 86400000 /* rows that expire so soon are not compared */
#define LIMIT_AUDIT_PAUSE_MS 1000

/* HTTP: what openapi.yaml promises. */
#define LIMIT_URI_BYTES 8192
#define LIMIT_HEADER_BYTES 16384 /* with the request line, without its target */
#define LIMIT_HEADER_LINES 100
#define LIMIT_PARAMETERS 32            /* of a query */
#define LIMIT_REQUEST_BODY_BYTES 65536 /* a body is ignored; a larger one is refused */
/* libmicrohttpd's memory for a connection: a request within those limits, and what else it keeps there. Not
 * more: it zeroes all of it after every request, and maps more than 32 KiB in whole pages. Where a request
 * reaches all limits at once and the client sends kilobytes more before it is answered, there is no room:
 * libmicrohttpd itself refuses or closes. */
#define LIMIT_MHD_FIELD_BYTES 64    /* its struct for a header: 56 bytes, rounded up to 16 */
#define LIMIT_MHD_OWN_BYTES 144     /* for the header that framing_begin adds */
#define LIMIT_MHD_AHEAD_BYTES 960   /* of what follows the headers, read with them */
#define LIMIT_ANSWER_HEAD_BYTES 688 /* of the answer to such a request */
#define LIMIT_CONNECTION_BYTES                                                                               \
    (LIMIT_URI_BYTES + LIMIT_HEADER_BYTES + LIMIT_MHD_FIELD_BYTES * LIMIT_HEADER_LINES +                     \
     LIMIT_MHD_OWN_BYTES + LIMIT_MHD_AHEAD_BYTES + LIMIT_ANSWER_HEAD_BYTES)
#define LIMIT_HEADERS_MS 10000
#define LIMIT_KEEP_ALIVE_MS 75000 /* longer than the 60 s of load balancers, which must close first */
#define LIMIT_HEALTHCHECK_MS 2000
#define LIMIT_OVERLOADED_MS 2000 /* for the request on a connection beyond --connections, and its answer */
#define LIMIT_ANSWER_MS 30000    /* from the first line of a request until its answer is read */
#define LIMIT_HANDSHAKE_MS 200   /* at the stop, for connections half made and requests under way to arrive */
#define LIMIT_END_IDLE_MS 50     /* at the stop, time between two closings of idle connections */
/* At the stop, idle connections stay open for this long after the last connection was accepted: a client
 * whose handshake was lost sends it again after 1 s (RFC 6298, section 5.7), and only then is refused. */
#define LIMIT_LAST_REQUESTS_MS 1300
#define LIMIT_ACCEPT_PAUSE_MS 100 /* after the system had no room for a connection */
#define LIMIT_RELIEVE_PAUSE_MS 5  /* between two closings while clients wait to be accepted */
#define LIMIT_OTHER_FILES 512 /* descriptors for all but connections of clients, and shards but the first */
#define LIMIT_TICK_MS 1000    /* time between two searches for connections that take too long */
#define LIMIT_PROBE_CONNECTIONS 256  /* beyond --connections, for probes; silent newcomers take them too */
#define LIMIT_CLOSING_CONNECTIONS 16 /* beyond these: closed for others, but not yet by their thread */
/* A connection is not closed for others before it is idle, or its request incomplete, for so long; but where
 * no other can be closed, a newcomer that is silent for LIMIT_SILENT_NEWCOMER_MS is. One on a place for
 * probes has less: the time in which LIMIT_PROBE_CONNECTIONS others are accepted. */
#define LIMIT_UNDISTURBED_MS 1000
#define LIMIT_SILENT_NEWCOMER_MS 100
#define LIMIT_REQUEST_ID_BYTES 128
#define LIMIT_PLAIN_BYTES 1024 /* smaller bodies are not compressed: they fit into a packet */

/* GET /live. */
#define LIMIT_LIVE_BOARD_MS 500     /* shortest time between two changes of a board, ... */
#define LIMIT_LIVE_WHOLE_MS 2000    /* ... and between two whole boards */
#define LIMIT_LIVE_CHANGE_BYTES 560 /* of a board's changes in a second: more of them wait, up to that */
#define LIMIT_LIVE_HISTORY 256      /* events that a reader may be behind or have missed, ... */
#define LIMIT_LIVE_HISTORY_BYTES (256u << 10) /* ... and their bytes; then it gets whole boards */
#define LIMIT_LIVE_START_BYTES (1u << 20)     /* of both whole boards as events */
#define LIMIT_LIVE_TICK_MS 250                /* between steps */
#define LIMIT_LIVE_TICK_LATE_MS 50
#define LIMIT_LIVE_FRESHNESS_MS 1000
#define LIMIT_LIVE_SALE_MS 250
#define LIMIT_LIVE_PROGRESS_MS 1000
#define LIMIT_LIVE_HEARTBEAT_MS 15000 /* load balancers close what is silent for 60 s */
#define LIMIT_LIVE_WAKES 32           /* groups in which readers are woken, a millisecond apart */
#define LIMIT_LIVE_TAKE_MS 10000      /* a reader that has read nothing for this long is dropped ... */
#define LIMIT_LIVE_GONE_MS 20000      /* ... as is one whose host has acknowledged nothing for this long */
#define LIMIT_LIVE_SEND_BYTES 16384   /* the kernel's buffer: small, to notice who does not read */

/* An event that arrives so long after its own time still counts in the period of that time (views/fold.h). */
#define LIMIT_LATE_ARRIVAL_MS 3600000

/* Reading the view. */
#define LIMIT_BOARD_ITEMS 100
#define LIMIT_MAX_LAG_MS 86400000 /* maxLag */
#define LIMIT_RANKED 1000         /* ranks are counted up to this one; beyond, they are from a rank table */
/* Tables of ranks (views/rank_tables.h). */
#define LIMIT_RANK_WANTED_MS 300000 /* after a request, a table is made again for so long */
#define LIMIT_RANK_CHECK_MS 5000    /* between two checks whether a board moved */
#define LIMIT_RANK_SETTLE_MS                                                                                 \
    30000 /* in which a batch whose sales are counted is written whole, or given up */
#define LIMIT_RANK_SCORES (1 << 18)      /* different scores: 34 billion sales make as many */
#define LIMIT_RANK_PAGE_ROWS 2000        /* read at once */
#define LIMIT_RANK_ROWS_A_SECOND 200000  /* of a store that counts rows, not units */
#define LIMIT_EMBEDDED_REFRESH_MS 50     /* between two reads of a changed board, where reads cost nothing */
#define LIMIT_CACHE_JITTER_PERCENT 10    /* the most that is taken off a ttl */
#define LIMIT_PRODUCT_NAMES 4096         /* remembered at once */
#define LIMIT_MISSING_INDEX_LOG_MS 60000 /* between two lines about it */
#define LIMIT_LOADERS 4
#define LIMIT_LOAD_MS 2000       /* for a cache load: a request is answered within 3 s */
#define LIMIT_LOADS_WAITING 1024 /* loads in the queue; one more is refused as overloaded */

/* Starting. A call that asks a store or source what it is, retries included: signals are looked at between
 * two. */
#define LIMIT_CONTACT_MS 5000
#define LIMIT_FIRST_CONTACT_MS 1000 /* between two such calls while there is no answer */

/* Longest time between two reports to the service manager; and for how long a loop may not turn before it
 * counts as stuck (server/notifier.h), as a shard's does: longer than all the time-outs between two of its
 * turns. */
#define LIMIT_NOTIFY_MS 5000
#define LIMIT_LOOP_STUCK_MS 120000
#define LIMIT_LISTING_STUCK_MS 600000 /* a listing has pages, each of LIMIT_LIST_PAGE_MS */

/* Stopping, all of it, after --drain-seconds (15 at most). */
#define LIMIT_STOP_MS 5000
#define LIMIT_CANCEL_MS 1000      /* of which this much is for what has to be cancelled */
#define LIMIT_CLOSE_MS 3000       /* for requests in flight: longer than a load may take */
#define LIMIT_STOP_STUCK_MS 12000 /* a process that has not stopped by then hangs, and is killed */

#endif
