"""While the view is behind its stream, /healthz, /metrics and the log say how far, how fast and for how long."""

import pairs
import wait
from small_shop import person, product, puts

LAMP = puts(product("lamp", person("merchant", "Ann"), None, 1))
LINES = 200_000  # which take 10 s at least, applied one by one
SHARD = pairs.FILE_SHARD


def test_a_file_that_is_read_says_how_many_bytes_and_seconds_are_left(embedded, start_on):
    embedded.put(LAMP)
    embedded.append((LAMP[-1].data + b"\n") * LINES)
    daemon = start_on(embedded, "--batch-size", "1")

    def behind():
        health = daemon.health()
        return health["secondsLeft"] and health

    health = wait.until(behind, "seconds left", seen=daemon.health)
    (shard,) = health["shards"]
    assert 0 < shard["bytesLeft"] < embedded.journal.stat().st_size
    assert shard["recordsPerSecond"] > 0 and health["secondsLeft"] == shard["secondsLeft"] > 0
    assert shard["asOf"] is None and not health["caughtUp"]
    wait.until(lambda: daemon.metric("winner_view_shard_left_seconds", shard=SHARD) > 0, "the same as a metric")
    assert 0 < daemon.metric("winner_view_shard_left_bytes", shard=SHARD) <= shard["bytesLeft"]


def test_a_view_that_is_caught_up_says_so_in_the_log_once(pair, start_on):
    pair.put(LAMP)
    daemon = start_on(pair)
    daemon.wait_until_applied()
    health = wait.until(lambda: daemon.health()["secondsLeft"] == 0 and daemon.health(), "no seconds left")
    assert {shard["secondsLeft"] for shard in health["shards"]} == {0}
    assert {shard["bytesLeft"] for shard in health["shards"]} == {None}
    wait.until(lambda: '"caught up"' in daemon.log(), "the log says so", seen=daemon.log_tail)
    pair.put(LAMP[-1:])
    daemon.wait_until_applied()
    assert daemon.log().count('"caught up"') == 1


def test_a_process_that_only_serves_knows_who_is_behind_by_the_leases(pair, start_on):
    pair.put(LAMP)
    start_on(pair).wait_until_applied()
    reader = start_on(pair, "--source", "none")
    health = wait.until(lambda: reader.health()["secondsLeft"] == 0 and reader.health(), "caught up", seen=reader.health)
    assert {shard["recordsPerSecond"] for shard in health["shards"]} == {None}
