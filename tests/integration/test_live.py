"""GET /live: a stream of the boards as they change."""

import ctypes
import json
import signal
import socket
import struct
import time

import cloud
import live
import model
import pairs
import program
import pytest
import wait
from live import Reader
from small_shop import person, product, puts

ANN, PHIL = person("merchant", "Ann"), person("photographer", "Phil")
LAMP = puts(product("lamp", ANN, PHIL, 3))
PURCHASE = LAMP[-1:]
BOARDS = ("merchant", "photographer")


@pytest.fixture
def shop(pair, start_on):
    """A daemon with the lamp's three purchases, on either store."""
    pair.put(LAMP)
    daemon = start_on(pair)
    daemon.wait_until_applied()
    return daemon


def without_as_of(board):
    return {**board, "asOf": None}


def check_schemas(openapi, events):
    for event in events:
        name = {"freshness": "Freshness", "rows": "BoardRows"}.get(event.kind, "Board")
        schema = {"$ref": f"#/components/schemas/{name}"}
        openapi.validate(event.data, schema, f"/live {event.kind}")


def test_a_reader_gets_both_boards_and_freshness_and_then_what_changes(shop, pair, openapi):
    with Reader(shop) as reader:
        reader.wait_for_all()
        assert reader.retries == ["retry: 2000"]
        assert reader.headers["content-type"] == "text/event-stream"
        assert reader.headers["cache-control"] == "no-store"
        for role in BOARDS:
            reader.wait_for_score(3, role)
            answer = shop.get(f"/scores/{role}")
            assert without_as_of(reader.last(role)) == without_as_of(answer.json())
            compact = json.dumps(answer.json(), separators=(",", ":"), ensure_ascii=False)
            assert len(reader.of(role)[-1].text) == len(compact)
        reader.wait_for(lambda: reader.last("freshness")["caughtUp"], "caught up")
        assert [len(reader.of(role)) for role in BOARDS] == [1, 1]

        pair.put(PURCHASE)
        for role in BOARDS:
            reader.wait_for_score(4, role)
        assert [len(reader.of(role)) for role in BOARDS] == [2, 2]
        reader.wait_for(lambda: len(reader.of("freshness")) >= 4, "asOf advances, no board is sent")
        assert [len(reader.of(role)) for role in BOARDS] == [2, 2]
        made = [model.epoch_ms(event.data["time"]) for event in reader.of("freshness")]
        assert made[-1] - made[0] >= 1000 * (len(made) - 1) - 900  # one may have been delayed
        times = [event.data["asOf"] for event in reader.of("freshness") if event.data["asOf"]]
        assert times == sorted(set(times))
        ids = [event.id for event in reader.events]
        assert ids == sorted(set(ids))
        check_schemas(openapi, reader.events)

        with Reader(shop, {"Last-Event-ID": reader.events[0].last_event_id}) as again:
            again.wait_for_all()
            assert [len(again.of(role)) for role in BOARDS] == [1, 1]
            assert all(again.last(role)["items"][0]["score"] == 4 for role in BOARDS)


def test_a_board_that_changes_constantly_is_sent_at_most_twice_a_second(shop, pair):
    seconds, puts_each = 4, 0.05
    with Reader(shop) as reader:
        reader.wait_for_all()
        begin, bought = time.monotonic(), 0
        while time.monotonic() < begin + seconds:
            pair.put(PURCHASE)
            bought += 1
            time.sleep(puts_each)  # the pause between two purchases, not a wait for a condition
        reader.wait_for_score(3 + bought)
        for role in BOARDS:
            took = time.monotonic() - begin
            assert 3 <= len(reader.of(role)) <= 2 * took + 2


def test_a_stream_for_http_1_0_has_no_chunks(shop):
    old = live.dial(shop.port, version="HTTP/1.0")
    with old, old.makefile("rb") as file:
        status, headers = live.read_head(file)
        assert status == 200 and "transfer-encoding" not in headers
        assert file.readline() == b"retry: 2000\n"
    assert shop.get("/live?limit=3").status == 400
    assert shop.get("/live", method="POST").status == 405


def test_live_readers_beyond_the_limit_get_503_until_one_leaves(embedded, start_on):
    embedded.put(LAMP)
    daemon = start_on(embedded, "--max-live", "2")
    with Reader(daemon).wait_for_all(), Reader(daemon).wait_for_all():
        full = daemon.get("/live")
        assert full.status == 503 and full.json()["code"] == "overloaded"
        assert int(full.headers["retry-after"]) > 0
        assert daemon.get("/live", method="HEAD").status == 503
        assert daemon.metric("winner_view_live_readers") == 2
        assert daemon.get("/scores/merchant").status == 200

    def is_taken_in():
        connection = live.dial(daemon.port)
        with connection, connection.makefile("rb") as file:
            return live.read_head(file)[0] == 200

    wait.until(is_taken_in, "the readers that left are removed")
    wait.until(lambda: daemon.get("/live", method="HEAD").status == 200, "and HEAD has room again")
    wait.until(lambda: daemon.metric("winner_view_live_readers") == 0, "and counted", timeout_s=30)


def test_max_live_must_be_below_connections():
    done = program.run("serve", "--connections", "100")
    assert done.returncode == 2
    assert "--max-live: '256' is not allowed; allowed with --connections 100: a number below that" in (
        done.stderr + done.stdout
    )


def long_named(n, purchases):
    """A product of a merchant with a long name: a board of ten such fills the buffers between the service and a
    reader."""
    return product(f"p{n}", person("merchant", f"{n}" + "n" * 900), None, purchases)


def kept_bytes(connection):
    """The bytes that were sent and not read, after the other side has closed."""
    kept = 0
    while data := connection.recv(1 << 16):
        kept += len(data)
    return kept


def test_a_live_reader_that_does_not_read_is_dropped_and_others_continue(embedded, start_on):
    embedded.put(puts([event for n in range(10) for event in long_named(n, n + 1)]))
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    begin = time.monotonic()
    with Reader(daemon) as reader, live.dial(daemon.port, receive_buffer=2048) as stuck:
        reader.wait_for_all()
        while daemon.metric("winner_view_live_dropped_total") == 0:
            assert time.monotonic() < begin + 60
            embedded.put(puts(long_named(9, 1))[1:])
            time.sleep(0.25)  # the time between purchases, and the time after which a reader is dropped
        assert time.monotonic() - begin >= 9
        wait.until(lambda: daemon.metric("winner_view_live_readers") == 1, "the dropped reader is removed")
        assert len(reader.of("freshness")) > 3
        before = len(reader.events)
        reader.wait_for(lambda: len(reader.events) > before, "the other readers continue")
        stuck.settimeout(20)
        assert kept_bytes(stuck) < 100_000  # little is left in the kernel's buffer, else the drop would take minutes


def drop_all_packets(connection):
    """From now on all packets are lost, as if its host were gone (socket(7), SO_ATTACH_FILTER: keep 0 bytes of
    each)."""
    so_attach_filter, ret = 26, 0x06
    code = ctypes.create_string_buffer(struct.pack("HBBI", ret, 0, 0, 0))
    connection.setsockopt(socket.SOL_SOCKET, so_attach_filter, struct.pack("HP", 1, ctypes.addressof(code)))


@pytest.mark.all
def test_a_live_reader_whose_host_no_longer_answers_is_dropped(embedded, start_on):
    embedded.put(LAMP)
    daemon = start_on(embedded)
    daemon.wait_until_applied()
    with live.dial(daemon.port) as gone, gone.makefile("rb") as file:
        assert live.read_head(file)[0] == 200
        drop_all_packets(gone)
        assert daemon.metric("winner_view_live_readers") == 1
        wait.until(lambda: daemon.metric("winner_view_live_readers") == 0, "the reader is dropped", timeout_s=90)


@pytest.mark.all
def test_a_live_stream_without_events_gets_a_heartbeat(embedded, start_on):
    """Without ingest nothing changes."""
    daemon = start_on(pairs.begin(embedded), "--source", "none")
    with Reader(daemon) as reader:
        reader.wait_for_all()
        silent_since = reader.events[-1].at
        reader.wait_for(lambda: reader.comments, "a heartbeat", timeout_s=45)
        assert time.monotonic() - silent_since >= 12  # 15 s since it was sent, not since it was read
        assert reader.comments == [": heartbeat"] and len(reader.events) == 3


@pytest.mark.own_emulators
def test_while_the_store_hangs_the_live_stream_stays_and_reports_not_caught_up(aws, tables, stream, start):
    cloud.put(aws.kinesis, stream, LAMP)
    daemon = start(tables, stream, "--caught-up-ms", "3000", "--cache-stale-ms", "1000")
    daemon.wait_until_applied()
    with Reader(daemon) as reader:
        reader.wait_for_score(3)
        reader.wait_for(lambda: (reader.last("freshness") or {}).get("caughtUp"), "caught up")
        with aws.emulators.dynamodb.paused():
            cloud.put(aws.kinesis, stream, PURCHASE)
            reader.wait_for(lambda: not reader.last("freshness")["caughtUp"], "not caught up")
            assert reader.end is None
            with Reader(daemon) as later:
                later.wait_for_all()
                assert later.last("merchant")["items"][0]["score"] == 3
                assert not later.last("freshness")["caughtUp"]
        reader.wait_for_score(4)
        reader.wait_for(lambda: reader.last("freshness")["caughtUp"], "caught up again")


def test_sigterm_ends_live_streams_with_their_last_chunk_after_the_drain(pair, make_on):
    pair.put(LAMP)
    daemon = make_on(pair, "--drain-seconds", "5").start()
    readers = [Reader(daemon) for _ in range(20)]
    idle = live.dial(daemon.port, receive_buffer=2048)  # it never reads
    for reader in readers:
        reader.wait_for_score(3)
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    pair.put(PURCHASE)
    for reader in readers:
        reader.wait_for_score(4)  # served while it drains
    assert daemon.process.wait(20) == 0
    assert 5 <= time.monotonic() - begin < 5 + 5 + 5
    program.check_sanitizers(daemon.log())
    for reader in readers:
        wait.until(lambda: reader.end, "the end")
        assert reader.end == "whole"
        reader.__exit__()
    idle.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", daemon.port), timeout=1)
