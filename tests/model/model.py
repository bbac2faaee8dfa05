"""What the views must hold: an independent model of the rules, written for clarity and not from the C code. The rules
are in views/README.md (events, what they mean, watermarks) and openapi.yaml (names, ranks).

    expected = model.fold(records)      # each shard's records in their order; shards may interleave
    model.differences(expected, contributions, scores, dead_letters)    # [] or one line for each difference

Rows are plain dicts as boto3's resource layer would give them (numbers are int, binary is bytes), so that a
comparison is a comparison of dicts. Nothing here reads a clock or a network.
"""

import base64
import codecs
import collections
import datetime
import functools
import hashlib
import json
import re
import unicodedata

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

INGRESS = "com.nordstrom/retail-stream-ingress/1-0-0"
EGRESS = "com.nordstrom/retail-stream-egress/1-0-0"
CREATE = "com.nordstrom/product/create/1-0-0"
IMAGE = "com.nordstrom/product/image/1-0-0"
PURCHASE = "com.nordstrom/product/purchase/1-0-0"

ENVELOPE_FIELDS = {  # schema: (required, allowed)
    INGRESS: ({"schema", "origin", "timeOrigin", "data"}, {"followsFrom"}),
    EGRESS: (
        {"schema", "origin", "timeOrigin", "data", "eventId", "timeIngest", "timeProcess"},
        {"followsFrom"},
    ),
}
DATA_FIELDS = {
    CREATE: {"schema", "id", "brand", "name", "description", "category"},
    IMAGE: {"schema", "id", "image"},
    PURCHASE: {"schema", "id"},
}
ORIGIN_BYTES, PRODUCT_ID_BYTES = 2048, 1024
TEXT_BYTES, IMAGE_BYTES = 96, 256
UNKNOWN = "UNKNOWN"
CREATOR, PHOTOGRAPHER, PRODUCT, SHOP = "creator", "photographer", "product", "shop"
KINDS = ("hour", "day", "week", "month")

# `subsequence`: a part's place within its aggregated record. `broken`: an aggregated record that cannot be unpacked.
# `arrived_ms`: when it reached the stream; None: the source does not say.
Record = collections.namedtuple(
    "Record", "shard sequence partition_key data subsequence broken arrived_ms", defaults=(0, False, None)
)
# `arrived_ms`: None: unknown. `texts`: attributes that the event may give its product.
Event = collections.namedtuple("Event", "id kind product origin time_ms arrived_ms texts", defaults=(None, {}))
EventId = collections.namedtuple("EventId", "shard sequence subsequence")


class DeadLetter(Exception):
    """The record is malformed. `reason`: one of the reasons of ingest/envelope.h."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Skipped(Exception):
    """A well-formed event that is not for these views."""


# Is it an event? The first reason that applies is the reason of the dead letter.


def decode(data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise DeadLetter("not-utf8") from None
    try:
        value = json.loads(text, parse_constant=not_json_constant, object_pairs_hook=object_of_text)
        check_text(value)
    except (ValueError, RecursionError):
        raise DeadLetter("not-json") from None
    if not isinstance(value, dict):
        raise DeadLetter("not-object")
    return value


def check_text(value):
    """An escaped lone surrogate is not valid text."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def object_of_text(members):
    """Of members with one name the last counts, but the others are text, too."""
    check_text(members)
    return dict(members)


def not_json_constant(name):
    raise ValueError(f"{name} is not JSON")


RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def epoch_ms(text):
    """Milliseconds since the epoch, finer fractions cut off; None if the text is not an RFC 3339 time."""
    match = RFC3339.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    fraction, sign, offset_hour, offset_minute = match.groups()[6:]
    offset = int(offset_hour or 0) * 60 + int(offset_minute or 0)
    if hour > 23 or minute > 59 or second > 60 or int(offset_hour or 0) > 23 or int(offset_minute or 0) > 59:
        return None
    try:
        days = datetime.date(year, month, day).toordinal() - datetime.date(1970, 1, 1).toordinal()
    except ValueError:
        return None
    minutes = days * 1440 + hour * 60 + minute - (-offset if sign == "-" else offset)
    return (minutes * 60 + second) * 1000 + int(((fraction or "") + "000")[:3])


EVENT_ID = re.compile(r"([A-Za-z0-9_.-]{1,128}):(0|[1-9][0-9]{0,79})(?::(0|[1-9][0-9]{0,9}))?", re.ASCII)


def parse_event_id(text):
    match = EVENT_ID.fullmatch(text)
    if not match or int(match[3] or 0) >= 1 << 32:
        raise DeadLetter("malformed-event-id")
    return EventId(match[1], int(match[2]), int(match[3] or 0))


def check_envelope(envelope):
    schema = envelope.get("schema")
    if not isinstance(schema, str) or schema not in ENVELOPE_FIELDS:
        raise DeadLetter("unknown-schema")
    required, optional = ENVELOPE_FIELDS[schema]
    if not required <= envelope.keys() <= required | optional:
        raise DeadLetter("invalid-field")
    for name, value in envelope.items():
        if not isinstance(value, dict if name == "data" else str):
            raise DeadLetter("invalid-field")
    if epoch_ms(envelope["timeOrigin"]) is None:
        raise DeadLetter("invalid-field")
    if schema == EGRESS:
        parse_event_id(envelope["eventId"])


def check_data(data):
    schema = data.get("schema")
    if not isinstance(schema, str):
        raise DeadLetter("invalid-field")
    if schema not in DATA_FIELDS:
        raise Skipped(schema)
    if data.keys() != DATA_FIELDS[schema] or not all(isinstance(value, str) for value in data.values()):
        raise DeadLetter("invalid-field")


def is_key(text, limit):
    return 0 < len(text.encode("utf-8")) <= limit and "\0" not in text


def cut_text(text):
    """A product's text as its row keeps it: what is before U+0000, in at most 96 bytes, the ellipsis included."""
    text = text.partition("\0")[0]
    if len(text.encode()) > TEXT_BYTES:
        text = text.encode()[: TEXT_BYTES - len("…".encode())].decode(errors="ignore") + "…"
    return text


def texts(data):
    """What the event says of its product. An empty text is none; an image that is too long is none."""
    found = {}
    if data["schema"] == CREATE:
        found = {name: cut_text(data[name]) for name in ("name", "brand", "category")}
    if data["schema"] == IMAGE and len(data["image"].encode()) <= IMAGE_BYTES and "\0" not in data["image"]:
        found = {"image": data["image"]}
    return {name: text for name, text in found.items() if text}


def arrival(envelope, record):
    """When the event reached the stream on which it was put first. What is before 1970, or no time, is unknown."""
    times = [epoch_ms(envelope.get("timeIngest", "")), record.arrived_ms]
    return next((time for time in times if time is not None and time >= 0), None)


def place(sequence, subsequence):
    """A position within a shard, as it stands in an event id."""
    return f"{sequence}:{subsequence}" if subsequence else str(sequence)


def parse(record):
    """The event in a record. Raises DeadLetter or Skipped."""
    if record.broken:
        raise DeadLetter("broken-aggregate")
    data = record.data
    if record.partition_key is None:  # a line of a file
        data = data.removeprefix(codecs.BOM_UTF8) if int(record.sequence) == 0 else data
        if not data.strip(b" \t\r"):
            raise Skipped
    envelope = decode(data)
    check_envelope(envelope)
    data = envelope["data"]
    check_data(data)
    if not is_key(envelope["origin"], ORIGIN_BYTES):
        raise DeadLetter("invalid-origin")
    if not is_key(data["id"], PRODUCT_ID_BYTES):
        raise DeadLetter("invalid-product-id")
    if record.partition_key not in (None, data["id"]):  # a line of a file has none
        raise DeadLetter("partition-key-mismatch")
    event_id = envelope.get("eventId", f"{record.shard}:{place(record.sequence, record.subsequence)}")
    time_ms, arrived_ms = epoch_ms(envelope["timeOrigin"]), arrival(envelope, record)
    return Event(event_id, data["schema"], data["id"], envelope["origin"], time_ms, arrived_ms, texts(data))


# Periods: in UTC, named by ISO 8601.

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()


def period_time(event):
    """What decides the periods of an event: its own time, if it arrived within the hour after that; else its arrival."""
    if event.arrived_ms is None or 0 <= event.arrived_ms - event.time_ms <= HOUR_MS:
        return event.time_ms
    return event.arrived_ms


@functools.lru_cache(None)
def periods_of_hour(hour):
    """{kind: (name, when its rows expire, in epoch seconds)} of the hour with this number since the epoch."""
    ordinal = hour // 24 + EPOCH_DAY
    day = datetime.date.fromordinal(ordinal)
    year, week, weekday = day.isocalendar()
    first_of_next = datetime.date.fromordinal(ordinal - day.day + 1 + 31).replace(day=1)
    months = first_of_next.year * 12 + first_of_next.month - 1 + 60
    last_month = datetime.date(months // 12, months % 12 + 1, 1)

    def seconds(ordinal):
        return (ordinal - EPOCH_DAY) * DAY_MS // 1000

    return {
        "hour": (f"{day.isoformat()}T{hour % 24:02}", (hour + 1) * 3600 + 7 * 86400),
        "day": (day.isoformat(), seconds(ordinal + 1 + 400)),
        "week": (f"{year:04}-W{week:02}", seconds(ordinal - weekday + 8 + 60 * 7)),
        "month": (day.isoformat()[:7], seconds(last_month.toordinal())),
    }


def periods(event):
    return periods_of_hour(period_time(event) // HOUR_MS)


def shop_id(shard):
    """The shop has 16 rows, so that no row is every shard's. A shard id without a number: by its bytes."""
    match = re.fullmatch(r"shardId-(\d{12})", shard, re.ASCII)
    return f"SHOP/{(int(match[1]) if match else sum(shard.encode())) % 16}"


# What an event does.


class Score:
    """The score of one contributor on one board. `touches`: (time, origin) of every event that the row's `updated` and
    `updatedBy` may have. `last`: the last position of each shard that earned credit. `expires`: in epoch seconds, of a
    period's."""

    def __init__(self, expires=None):
        self.score = 0
        self.expires = expires
        self.touches = set()
        self.last = {}

    def credit(self, event, record):
        self.score += 1
        self.touches.add((event.time_ms, event.origin))
        self.last[record.shard] = (int(record.sequence), record.subsequence)


class Shape(collections.namedtuple("Shape", "periods best_sellers board_partitions", defaults=((), False, 1))):
    """What a store keeps besides creators and photographers in all, and the shop in all."""

    def has(self, board):
        role, _, period = board.partition("#")
        return (role != PRODUCT or self.best_sellers) and (not period or period.partition("#")[0] in self.periods)

    def board(self, user, board):
        """The attribute `board` of a row, with several partitions."""
        if self.board_partitions == 1 or board.startswith(SHOP):
            return None
        hashed = int.from_bytes(hashlib.sha256(user.encode()).digest()[:8], "big")
        return f"{board}/{hashed % self.board_partitions}"


class Model:
    def __init__(self):
        self.contributions = {}
        self.scores = collections.defaultdict(Score)  # (userId, role): creators and photographers, in all
        self.others = {}  # (userId, board): products, the shop, and all periods; the board is the row's `role`
        self.dead_letters = set()  # (shard, place, reason)
        self.counts = collections.Counter()  # applied, duplicate, stale, skipped, dead_letter

    def apply(self, record):
        try:
            event = parse(record)
        except DeadLetter as bad:
            self.dead_letters.add((record.shard, place(record.sequence, record.subsequence), bad.reason))
            self.counts["dead_letter"] += 1
        except Skipped:
            self.counts["skipped"] += 1
        else:
            self.counts[self.fold(event, record)] += 1

    def fold(self, event, record):
        row = self.contributions.get(event.product)
        if row:
            old, new = parse_event_id(row["lastEventId"]), parse_event_id(event.id)
            if new <= old:
                return "duplicate" if new == old else "stale"
        else:
            row = self.contributions[event.product] = {
                "productId": event.product,
                "creatorScore": 0,
                "photographerScore": 0,
                "created": event.time_ms,
                "createdBy": event.origin,
            }
        APPLY_BY_KIND[event.kind](self, row, event, record)
        row.update(lastEventId=event.id, updated=event.time_ms, updatedBy=event.origin)
        return "applied"

    def create(self, row, event, _):
        if "creator" not in row:
            row.update(creator=event.origin, **event.texts)

    def image(self, row, event, _):
        row.setdefault("creator", UNKNOWN)
        if "photographer" not in row:
            row.update(photographer=event.origin, photographerEventId=event.id, **event.texts)

    def purchase(self, row, event, record):
        row.setdefault("creator", UNKNOWN)
        if row["creator"] == UNKNOWN:
            row["photographer"] = UNKNOWN
        row["creatorScore"] += 1
        earners = [(row["creator"], CREATOR), (event.product, PRODUCT), (shop_id(record.shard), SHOP)]
        if "photographer" in row:
            row["photographerScore"] += 1
            earners.append((row["photographer"], PHOTOGRAPHER))
        for earner in earners:
            self.credit(earner, event, record)

    def credit(self, earner, event, record):
        user, role = earner
        if role in (CREATOR, PHOTOGRAPHER):
            self.scores[earner].credit(event, record)
        else:
            self.others.setdefault(earner, Score()).credit(event, record)
        for kind, (name, expires) in periods(event).items():
            board = f"{role}#{kind}#{name}"
            self.others.setdefault((user, board), Score(expires)).credit(event, record)

    def rows(self, shape, now_s):
        """{(userId, board): Score} of the rows that a store of this shape has. A row that has expired may be gone, or
        miss what came after: it is left out."""
        wanted = {
            key: score
            for key, score in self.others.items()
            if shape.has(key[1]) and not (score.expires and score.expires <= now_s)
        }
        return {**self.scores, **wanted}

    # What the API shows.

    def board(self, role):
        """[(rank, tied, score, {userId, ...})], best first. Contributors with the same rank are one entry."""
        by_score = collections.defaultdict(set)
        for (user, user_role), score in self.scores.items():
            if user_role == role and user != UNKNOWN:
                by_score[score.score].add(user)
        entries, rank = [], 1
        for score in sorted(by_score, reverse=True):
            entries.append((rank, len(by_score[score]) > 1, score, by_score[score]))
            rank += len(by_score[score])
        return entries

    def score(self, user, role):
        """A contributor's score in a role, None if they have none (there is no row before the first
        purchase)."""
        return self.scores[user, role].score if (user, role) in self.scores else None

    def users(self):
        return {user for user, _ in self.scores if user != UNKNOWN}


APPLY_BY_KIND = {CREATE: Model.create, IMAGE: Model.image, PURCHASE: Model.purchase}


def fold(records):
    folded = Model()
    for record in records:
        folded.apply(record)
    return folded


def is_deceptive(c):
    """A control character, or one that reorders the text around it or breaks its line."""
    return unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def cleaned(text):
    return "".join("\ufffd" if is_deceptive(c) else c for c in text)


def is_blank(text):
    """Nothing of it is visible. (The C program has more characters that are not: fillers and selectors.)"""
    return all(unicodedata.category(c) in ("Cc", "Cf", "Zs", "Zl", "Zp") for c in text)


def unique_id_and_name(user):
    parts = user.split("/")
    if len(parts) >= 4:
        return parts[2], parts[3]
    if len(parts) == 1:
        return UNKNOWN, UNKNOWN
    return parts[-1], parts[-1]


def name(user, full=False):
    """The name that answers show, or None. Masked, an origin of fewer than four parts has none."""
    _, last = unique_id_and_name(user)
    may_be_shown = full or user == UNKNOWN or user.count("/") >= 3
    return cleaned(last) if may_be_shown and not is_blank(last) else None


def masked(user):
    unique_id, _ = unique_id_and_name(user)
    shown = f"(**...**{cleaned(unique_id[-7:-4])}****)"
    if name(user) is None:
        return shown
    return f"{name(user)} {shown}" if unique_id[-7:-4] else name(user)


def sealed(key, purpose, data):
    """AES-SIV (RFC 5297) over the data, padded to one of a few lengths."""
    lengths = [64, 128, 256, 512, 1024, 2048 + 64]
    padded = data.ljust(next(length for length in lengths if length >= len(data)), b"\0")
    return base64.urlsafe_b64encode(AESSIV(bytes(key)).encrypt(padded, [purpose])).rstrip(b"=").decode()


def sealed_id(key, user):
    return sealed(key, b"winner-view id", user.encode())


# Comparing a store with the model.


def position(stored):
    """(sequence number, sub-sequence number) of a stored watermark."""
    stored = bytes(stored)
    length = stored[0]
    magnitude, rest = stored[1 : 1 + length], stored[1 + length :]
    if len(magnitude) != length or magnitude[:1] == b"\0" or len(rest) not in (0, 4):
        raise ValueError(f"not a position: {stored.hex()}")
    return int.from_bytes(magnitude, "big"), int.from_bytes(rest, "big")


def watermark_name(shard):
    match = re.fullmatch(r"shardId-0*(\d+)", shard)
    return "at" + (match[1] if match else shard)


def differences_of_rows(what, expected, actual):
    for key in sorted(expected.keys() - actual.keys()):
        yield f"{what} {key}: missing, expected {expected[key]}"
    for key in sorted(actual.keys() - expected.keys()):
        yield f"{what} {key}: extra, {actual[key]}"
    for key in sorted(expected.keys() & actual.keys()):
        names = sorted(expected[key].keys() | actual[key].keys())
        for name in names:
            expected_value, actual_value = expected[key].get(name), actual[key].get(name)
            if expected_value != actual_value:
                yield f"{what} {key}: {name} is {actual_value!r}, expected {expected_value!r}"


def differences_of_watermarks(key, score, row, gone):
    watermarks = {name: value for name, value in row.items() if name.startswith("at")}
    for shard, last in score.last.items():
        if shard in gone and not score.expires:
            continue
        stored = watermarks.pop(watermark_name(shard), None)
        if stored is None:
            yield f"score {key}: no watermark for {shard}"
        elif position(stored) != last:
            yield f"score {key}: watermark of {shard} is {position(stored)}, expected {last}"
    for name in watermarks:
        yield f"score {key}: {name} although no record of that shard earned credit, or it is gone"


def differences_of_scores(expected, actual, watermarks, gone, shape):
    plain = {key: attributes_of(key, score, shape) for key, score in expected.items()}
    fixed = ("score", "sales", "expires", "board")
    yield from differences_of_rows(
        "score", plain, {key: {name: row[name] for name in fixed if name in row} for key, row in actual.items()}
    )
    for key in sorted(expected.keys() & actual.keys()):
        score, row = expected[key], actual[key]
        touch = (row.get("updated"), row.get("updatedBy"))
        if touch not in score.touches:
            yield f"score {key}: updated, updatedBy is {touch}: no event that earned credit"
        if watermarks:
            yield from differences_of_watermarks(key, score, row, gone)
        odd = {n for n in row if not (watermarks and n.startswith("at"))}
        odd -= {"userId", "role", "updated", "updatedBy", *fixed}
        if odd:
            yield f"score {key}: unknown attributes {sorted(odd)}"


def attributes_of(key, score, shape):
    """Those of a row of Scores that have one right value."""
    user, board = key
    row = {"sales" if board.partition("#")[0] == SHOP else "score": score.score}
    more = {"expires": score.expires, "board": shape.board(user, board)}
    return row | {name: value for name, value in more.items() if value is not None}


def differences(
    expected, contributions, scores, dead_letters, watermarks=True, gone=(), shape=Shape(), now_s=0
):
    """One line for each difference between the model and a store's rows (lists of dicts) and dead letters
    ({(shard, place, reason)}). `watermarks`: whether this kind of store keeps them; of shards that are `gone` it
    must have removed them, but not of rows that expire. Rows that have expired by `now_s` are not compared."""
    lines = list(
        differences_of_rows(
            "contribution", expected.contributions, {row["productId"]: row for row in contributions}
        )
    )
    by_key = {(row["userId"], row["role"]): row for row in scores if not row.get("expires", now_s + 1) <= now_s}
    lines += differences_of_scores(expected.rows(shape, now_s), by_key, watermarks, gone, shape)
    lines += [f"dead letter {letter}: missing" for letter in sorted(expected.dead_letters - dead_letters)]
    lines += [f"dead letter {letter}: extra" for letter in sorted(dead_letters - expected.dead_letters)]
    return lines
