/*
 * exactness: the protocol that keeps the scores exact (views/README.md), for spin.
 *
 * Two workers share the lease of one shard and apply its records; a second shard credits the same score. At any
 * step a worker may crash, lose its lease unnoticed (it continues to write), or get no answer to a write that took
 * effect, takes effect later, or never does. The log is any sequence of RECORDS records of two products: a
 * registration, a photograph or a purchase, which may repeat the event before it. Batches are of any size.
 *
 * The claim, checked after every write: no score is ever above what the log earns. Once the shard's end is
 * durable, each score and each contribution is exactly what folding the log once, in order, gives, and late writes
 * do not change that. Every execution ends there; else spin reports an invalid end state.
 *
 * The fence (base/fence.h) and the limits of rounds and time are left out: a worker without its lease may write at
 * any time. So the claim does not rest on clocks; only the removal of watermarks does, which comes after the last
 * write.
 *
 * With PERIODS, what Ann earns counts in a second row, too, that of the day in which the record lies. The first day's row
 * expires at any time; from then on nobody reads it, a worker may write it or not, and it may be deleted, with its watermark.
 *
 * tests/protocol/check verifies it over all states, and shows that each rule below is needed: with one of these
 * defined, spin must find an execution that miscounts.
 *
 *   CONTRIBUTIONS_FIRST      contributions are written before the scores
 *   WATERMARK_REMOVED_EARLY  watermarks are removed while a write for the shard may still arrive
 *   CACHE_KEPT               rows cached in one tenure of the lease are used in the next
 *   CACHED_UNACKNOWLEDGED    rows are cached although the batch was not acknowledged
 *   SCORE_UNCONDITIONAL      a score is added to without looking at its watermark
 *   CONTRIBUTION_UNCONDITIONAL  a contribution is written without looking at the row
 *   CHECKPOINT_EARLY         the checkpoint is written before its batch
 *   RESUME_AFTER             reading resumes after the checkpoint's record, not at it: parts of an aggregated one
 *                            are lost
 *   PERIOD_BY_CLOCK          the day in which a record counts is that on which it is applied
 *   EXPIRED_SERVED           a period's row is read after it has expired
 */

#ifndef RECORDS
#define RECORDS 3     /* positions 1 .. RECORDS; 1 and 2 are parts of one aggregated record */
#endif
#ifndef STEALS
#define STEALS 1      /* leases taken from a worker that is alive and goes on */
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOST
#define LOST 1        /* writes whose answer is lost */
#endif

#define WORKERS 2
#define END 7         /* above every position: SHARD_END */

/* A set of positions or products is a byte, one bit each. */
#define BIT(n)        (1 << (n))
#define LOWEST(m)     ((m) & 2 -> 1 : ((m) & 4 -> 2 : ((m) & 8 -> 3 : ((m) & 16 -> 4 : 5))))
#define HIGHEST(m)    ((m) & 32 -> 5 : ((m) & 16 -> 4 : ((m) & 8 -> 3 : ((m) & 4 -> 2 : 1))))
#define COUNT(m)      (((m) >> 1 & 1) + ((m) >> 2 & 1) + ((m) >> 3 & 1) + ((m) >> 4 & 1) + ((m) >> 5 & 1))
#define ABOVE(m, p)   ((m) & (254 << (p)))

/* The log: the same for all, chosen once. */

#define CREATE 0
#define IMAGE 1
#define PURCHASE 2
#define AGAIN 3               /* in LOG: repeats the event before, at another position */

byte kind[RECORDS + 1];
bit product[RECORDS + 1];
byte id[RECORDS + 1];          /* the event's: a fanned-out stream may carry one twice, at two positions */

/* The store. */

#define NOBODY 0
#define SOMEBODY 1             /* Ann registers, Bo photographs */
#define UNKNOWN 2

/* struct contribution */
typedef contribution {
    byte last;                 /* last_event_id; 0: there is no such row */
    byte creator, photographer;
    byte creator_score, photographer_score;
};

/* Rows of Scores: creator Ann, creator UNKNOWN, photographer Bo, photographer UNKNOWN; creator Ann on two days. */
#ifdef PERIODS
#define SCORES 6
#define CLEAR_DAYS(a) a[4] = 0; a[5] = 0
#else
#define SCORES 4
#define CLEAR_DAYS(a) skip
#endif
#ifdef PERIOD_BY_CLOCK
#define DAY(p) (4 + today)
#else
#define DAY(p) (4 + ((p) > 2))
#endif
#define CREATOR(who) ((who) - 1)
#define PHOTOGRAPHER(who) (1 + (who))

contribution table[2];
byte score[SCORES];
byte watermark[SCORES];        /* attribute at<shard>; 0: none */
bit other_watermark;           /* the second shard's, on Ann's row */

byte checkpoint;               /* the lease: TRIM_HORIZON is 0 */
byte tenure;
bool held;                     /* its owner is alive and has not noticed a loss */
bool ended;                    /* SHARD_END is durable */
byte stopped;                  /* workers that found it so */

/* A write that was sent and will get no answer: it may take effect at any time, or never. */
#define NO_WRITE 0
#define SCORE_WRITE 1
#define CONTRIBUTION_WRITE 2
#define LEASE_WRITE 3

typedef write {
    byte type;
    byte what;                 /* score or product, or the lease's tenure */
    byte value;                /* positions credited, last_event_id folded over, or the checkpoint */
    contribution row;
};
write late;

bit today;                     /* by the workers' clocks */
bool expired;                  /* the first day's row has */

byte steals = STEALS, crashes = CRASHES, lost = LOST;

/* The fold (views/fold.c, fold_event), over the caller's `row`, `credit` and `changed`. */

inline fold(p) {
    if
    :: id[p] <= row[product[p]].last -> skip                       /* FOLD_DUPLICATE, FOLD_STALE */
    :: else ->
        if
        :: kind[p] == PURCHASE || kind[p] == IMAGE ->
            row[product[p]].creator = (row[product[p]].creator == NOBODY -> UNKNOWN : row[product[p]].creator)
        :: else ->
            row[product[p]].creator = (row[product[p]].creator == NOBODY -> SOMEBODY : row[product[p]].creator)
        fi;
        if
        :: kind[p] == IMAGE && row[product[p]].photographer == NOBODY -> row[product[p]].photographer = SOMEBODY
        :: kind[p] == PURCHASE ->
            if
            :: row[product[p]].creator == UNKNOWN -> row[product[p]].photographer = UNKNOWN
            :: else
            fi;
            row[product[p]].creator_score++;
            credit[CREATOR(row[product[p]].creator)] = credit[CREATOR(row[product[p]].creator)] | BIT(p);
#ifdef PERIODS
            if
            :: row[product[p]].creator == SOMEBODY -> credit[DAY(p)] = credit[DAY(p)] | BIT(p)
            :: else
            fi;
#endif
            if
            :: row[product[p]].photographer != NOBODY ->
                row[product[p]].photographer_score++;
                credit[PHOTOGRAPHER(row[product[p]].photographer)] =
                    credit[PHOTOGRAPHER(row[product[p]].photographer)] | BIT(p)
            :: else
            fi
        :: else
        fi;
        row[product[p]].last = id[p];
        changed = changed | BIT(product[p])
    fi
}

inline copy_row(source, target) {
    target.last = source.last;
    target.creator = source.creator;
    target.photographer = source.photographer;
    target.creator_score = source.creator_score;
    target.photographer_score = source.photographer_score
}

inline clear_row(gone) {
    gone.last = 0;
    gone.creator = NOBODY;
    gone.photographer = NOBODY;
    gone.creator_score = 0;
    gone.photographer_score = 0
}

/* What must hold. */

contribution expected_table[2];
byte expected[SCORES];

#define SAME(x) (table[x].last == expected_table[x].last && \
    table[x].creator == expected_table[x].creator && \
    table[x].photographer == expected_table[x].photographer && \
    table[x].creator_score == expected_table[x].creator_score && \
    table[x].photographer_score == expected_table[x].photographer_score)

#ifndef PERIODS
#define DAYS_AT_MOST true
#define DAYS_EQUAL true
#elif defined(PERIOD_BY_CLOCK)
#define DAYS_AT_MOST (score[4] + score[5] <= expected[0])
#define DAYS_EQUAL (score[4] + score[5] == expected[0])
#elif defined(EXPIRED_SERVED)
#define DAYS_AT_MOST (score[4] <= expected[4] && score[5] <= expected[5])
#define DAYS_EQUAL (score[4] == expected[4] && score[5] == expected[5])
#else
#define DAYS_AT_MOST ((expired || score[4] <= expected[4]) && score[5] <= expected[5])
#define DAYS_EQUAL ((expired || score[4] == expected[4]) && score[5] == expected[5])
#endif

inline check() {
    assert(DAYS_AT_MOST);
    assert(!ended || DAYS_EQUAL);
    assert(score[0] <= expected[0] + other_watermark && score[1] <= expected[1] && score[2] <= expected[2] &&
        score[3] <= expected[3]);
    assert(!ended || (score[0] == expected[0] + other_watermark && score[1] == expected[1] &&
        score[2] == expected[2] && score[3] == expected[3] && SAME(0) && SAME(1)))
}

/* Single writes, as the store carries them out. All that is assumed is that each is atomic. */

#ifdef SCORE_UNCONDITIONAL
#define SCORE_CONDITION(i, m) true
#else
#define SCORE_CONDITION(i, m) (watermark[i] < LOWEST(m))            /* attribute_not_exists(#w) OR #w < :first */
#endif
#ifdef CONTRIBUTION_UNCONDITIONAL
#define CONTRIBUTION_CONDITION(x, last_id) true
#else
#define CONTRIBUTION_CONDITION(x, last_id) (table[x].last == (last_id)) /* #last = :old, or attribute_not_exists */
#endif

inline add_score(i, m) {                                            /* score_body */
    score[i] = score[i] + COUNT(m);
    watermark[i] = HIGHEST(m);
    check()
}

inline put_contribution(x, new) {                                   /* contribution_body */
    copy_row(new, table[x]);
    check()
}

inline put_checkpoint(p) {                                          /* store_update_lease */
    checkpoint = p;
    ended = ended || p == END;
    check()
}

/* A worker: ingest/shard.c and views/apply.c. */

/* The write takes effect and its answer is lost, or it is still under way: the sender sees no difference. */
inline lose_score(i, m) {
    lost--;
    if
    :: SCORE_CONDITION(i, m) -> add_score(i, m)
    :: late.type == NO_WRITE -> late.type = SCORE_WRITE; late.what = i; late.value = m
    fi
}

inline lose_contribution(x, last_id, mine) {
    lost--;
    if
    :: CONTRIBUTION_CONDITION(x, last_id) -> put_contribution(x, mine)
    :: late.type == NO_WRITE ->
        late.type = CONTRIBUTION_WRITE; late.what = x; late.value = last_id; copy_row(mine, late.row)
    fi
}

/* Between two writes a worker changes nothing, so it is enough that it dies right after one. */
inline may_crash() {
    if
    :: crashes -> crashes--; goto crash
    :: true
    fi
}

/* write_scores: a failed condition returns the row's watermark, and the positions that it covers are dropped
 * (drop_counted). Without an answer the write is sent again, or the batch is given up. */
inline write_score(i) {
    atomic {
        credit[i] ->
        if
        :: SCORE_CONDITION(i, credit[i]) -> add_score(i, credit[i]); credit[i] = 0; may_crash()
        :: !SCORE_CONDITION(i, credit[i]) ->
            assert(ABOVE(credit[i], watermark[i]) != credit[i]);    /* dropping nothing is an error there */
            credit[i] = ABOVE(credit[i], watermark[i])
        :: lost -> lose_score(i, credit[i]); if :: goto again :: true :: crashes -> crashes--; goto crash fi
        fi
    }
}

/* write_contributions: a conflict is reported after the others are written. */
inline write_contribution(x) {
    atomic {
        changed & BIT(x) ->
        if
        :: CONTRIBUTION_CONDITION(x, old[x]) -> put_contribution(x, row[x]); changed = changed & ~BIT(x); may_crash()
        :: !CONTRIBUTION_CONDITION(x, old[x]) -> conflict = true; changed = changed & ~BIT(x)
        :: lost ->
            lose_contribution(x, old[x], row[x]); if :: goto again :: true :: crashes -> crashes--; goto crash fi
        fi
    }
}

inline write_scores() {
    do
    :: write_score(0)
    :: write_score(1)
    :: write_score(2)
    :: write_score(3)
#ifdef PERIODS
    :: write_score(4)
    :: write_score(5)
    :: atomic { credit[4] && expired -> credit[4] = 0 }
    :: !credit[0] && !credit[1] && !credit[2] && !credit[3] && !credit[4] && !credit[5] -> break
#else
    :: !credit[0] && !credit[1] && !credit[2] && !credit[3] -> break
#endif
    od
}

inline write_contributions() {
    do
    :: write_contribution(0)
    :: write_contribution(1)
    :: !changed -> break
    od
}

/* apply_batch begins a batch: cached rows are taken out of the cache, the others will be read. */
inline begin_batch() {
    touched = 0;
    credit[0] = 0; credit[1] = 0; credit[2] = 0; credit[3] = 0;
    CLEAR_DAYS(credit);
    changed = 0;
    conflict = false;
    i = next;
    do
    :: i <= to -> touched = touched | BIT(product[i]); i++
    :: else -> break
    od;
    i = 0;
    missing = touched & ~cached;
    cached = cached & ~touched
}

inline drop_rows(which) {
    if
    :: (which) & 1 -> clear_row(row[0])
    :: else
    fi;
    if
    :: (which) & 2 -> clear_row(row[1])
    :: else
    fi
}

proctype worker(bit second) {
    contribution row[2];       /* struct row: in the cache, or taken out of it for the batch under way */
    byte old[2];               /* old_last_event_id */
    byte cached, touched, missing, changed;
    byte credit[SCORES];       /* struct credit: positions */
    byte next, to, mine, i;
    bool conflict;

idle:                          /* ingest/leases/coordinator.c, held_lease.c: taking a lease */
    atomic {
        if
        :: ended -> goto stop
        :: !ended && !held && (tenure || !second) -> skip           /* the workers are alike, so the first begins */
        :: !ended && held && steals && mine != tenure -> steals--
        fi;
        held = true;
        tenure++;
        mine = tenure;
        next = checkpoint + 1;                                      /* AT the checkpoint; what is at or below is dropped */
#ifdef RESUME_AFTER
        next = (checkpoint == 1 -> 3 : next);
#endif
#ifndef CACHE_KEPT
        drop_rows(cached);                                          /* apply_new: a cache for each tenure */
        cached = 0
#endif
    }

batch:
    atomic {
        if
        :: next > RECORDS -> goto end_of_shard
        :: next <= RECORDS -> to = next
        :: next + 1 <= RECORDS -> to = next + 1
        :: next + 2 <= RECORDS -> to = next + 2
        fi;
        begin_batch()
    }
#ifdef CHECKPOINT_EARLY
    atomic {
        if
        :: mine == tenure -> put_checkpoint(to)
        :: else -> goto lease_lost
        fi
    }
#endif

read:                          /* 1: read_rows, each row at its own time */
    if
    :: atomic { missing & 1 -> copy_row(table[0], row[0]); missing = missing & ~1 }
    :: !(missing & 1)
    fi;
    if
    :: atomic { missing & 2 -> copy_row(table[1], row[1]); missing = missing & ~2 }
    :: !(missing & 2)
    fi;

    atomic {                   /* 2: fold_record */
        old[0] = row[0].last;
        old[1] = row[1].last;
        i = next;
        do
        :: i <= to -> fold(i); i++
        :: else -> break
        od;
        i = 0
    }

#ifdef CONTRIBUTIONS_FIRST
    write_contributions();
    write_scores();
#else
    write_scores();            /* 3 */
    write_contributions();     /* 4 */
#endif

    atomic {
        old[0] = 0;
        old[1] = 0;
        if
        :: conflict -> goto again                                   /* STATUS_CONFLICT: another worker was first */
        :: else -> cached = cached | touched                        /* keep_rows: all of it is acknowledged */
        fi;
        touched = 0;
        next = to + 1;
        if
        :: goto batch                                               /* no checkpoint yet */
        :: next <= RECORDS                                          /* 5 */
        fi
    }
    atomic {                   /* held_lease.c: on condition that the lease is still of this tenure */
        if
        :: mine == tenure -> put_checkpoint(next - 1); may_crash(); goto batch
        :: mine != tenure -> goto lease_lost
        :: lost && late.type == NO_WRITE ->
            lost--; late.type = LEASE_WRITE; late.what = mine; late.value = next - 1; goto lease_lost
        fi
    }

again:                         /* no answer, or a conflict: every row of the batch is read again */
    atomic {
#ifdef CACHED_UNACKNOWLEDGED
        cached = cached | touched;
#else
        drop_rows(touched);
#endif
        begin_batch();
        goto read
    }

crash:
    atomic {
        drop_rows(3);
        cached = 0;
        goto lease_lost
    }

lease_lost:
    atomic {
        held = held && mine != tenure;
        drop_rows(touched);
        touched = 0; missing = 0; changed = 0; conflict = false;
        credit[0] = 0; credit[1] = 0; credit[2] = 0; credit[3] = 0;
        CLEAR_DAYS(credit);
        old[0] = 0; old[1] = 0;
        next = 0; to = 0;
        goto idle
    }

end_of_shard:                  /* everything is acknowledged: SHARD_END, which is a checkpoint */
    atomic {
        if
        :: mine == tenure -> put_checkpoint(END); goto lease_lost
        :: mine != tenure -> goto lease_lost
        :: lost && late.type == NO_WRITE ->
            lost--; late.type = LEASE_WRITE; late.what = mine; late.value = END; goto lease_lost
        fi
    }

stop:
    stopped++
}

/* The network and the other actors. */

/* A write that was sent takes effect, or is lost. */
active proctype network() {
    do
    :: atomic {
        late.type == SCORE_WRITE ->
        if
        :: SCORE_CONDITION(late.what, late.value) -> add_score(late.what, late.value)
        :: true
        fi;
        late.type = NO_WRITE; late.what = 0; late.value = 0
    }
    :: atomic {
        late.type == CONTRIBUTION_WRITE ->
        if
        :: CONTRIBUTION_CONDITION(late.what, late.value) -> put_contribution(late.what, late.row)
        :: true
        fi;
        clear_row(late.row);
        late.type = NO_WRITE; late.what = 0; late.value = 0
    }
    :: atomic {
        late.type == LEASE_WRITE ->
        if
        :: late.what == tenure -> put_checkpoint(late.value); held = held && !ended
        :: true
        fi;
        late.type = NO_WRITE; late.what = 0; late.value = 0
    }
    :: atomic { late.type == NO_WRITE && stopped == WORKERS -> break }
    od
}

/* A second shard: a purchase of a third product of Ann's. */
#ifdef SECOND_SHARD
active proctype other_shard() {
    atomic { score[0]++; other_watermark = 1; check() }
}
#endif

/* ingest/leases/lease_cleanup.c: a day after the shard's end no write for it is under way, and no worker sends one. */
active proctype cleaner() {
    atomic {
#ifdef WATERMARK_REMOVED_EARLY
        ended ->
#else
        ended && stopped == WORKERS && late.type == NO_WRITE ->
#endif
        watermark[0] = 0; watermark[1] = 0; watermark[2] = 0; watermark[3] = 0
    }
}

#ifdef PERIODS
#ifdef PERIOD_BY_CLOCK
active proctype midnight() {
    today = 1
}
#else
/* DynamoDB's TTL, and late writes after it. */
active proctype expiry() {
    expired = true;
    atomic { score[4] = 0; watermark[4] = 0; check() }
}
#endif
#endif

init {
    contribution row[2];
    byte credit[SCORES];       /* positions that earn it, until they are counted */
    byte p, changed;
    atomic {
        p = 1;
        do
        :: p <= RECORDS ->
#ifdef LOG
            kind[p] = LOG >> 2 * p & 3;
            id[p] = p;
            if
            :: kind[p] == AGAIN -> kind[p] = kind[p - 1]; id[p] = id[p - 1]
            :: else
            fi;
#else
            if
            :: kind[p] = CREATE
            :: kind[p] = IMAGE
            :: kind[p] = PURCHASE
            fi;
            if
            :: true
            :: p > 1 -> product[p] = 1
            fi;
            id[p] = p;
            if
            :: true
            :: p > 1 && product[p] == product[p - 1] && kind[p] == kind[p - 1] -> id[p] = id[p - 1]
            fi;
#endif
            fold(p);
            p++
        :: else -> break
        od;
        copy_row(row[0], expected_table[0]);
        copy_row(row[1], expected_table[1]);
        drop_rows(3);
        p = 0;
        do
        :: p < SCORES -> expected[p] = COUNT(credit[p]); credit[p] = 0; p++
        :: else -> break
        od;
        p = 0;
        changed = 0;
        run worker(0);
        run worker(1)
    }
}
