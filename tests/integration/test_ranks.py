"""The rank of anybody, also beyond the 1,000 that are counted in the index: in SQLite, and in DynamoDB with a board of 3
partitions."""

import urllib.parse

import model
import pairs
import program
import pytest
import wait
from small_shop import event, person, product, puts

PEOPLE, LAST = 1060, 40
PARTITIONS = ("--board-partitions", "3")


def merchant(number):
    return person("merchant", f"M{number:04d}")


def scores():
    """{merchant: score}: LAST of them are last, behind more than are counted."""
    return {merchant(number): 1 if number < LAST else 2 for number in range(PEOPLE)}


def expected(found, who):
    """Score, rank, of, percentile."""
    rank = 1 + sum(score > found[who] for score in found.values())
    return found[who], rank, len(found), round(100 * (len(found) - rank) / len(found), 2)


@pytest.fixture(params=["file+sqlite", pytest.param("kinesis+dynamodb", marks=pytest.mark.all)])
def shop(request, start_on, tmp_path):
    """(pair, daemon) of a shop whose merchants have these scores."""
    partitions = ()
    if request.param == "file+sqlite":
        pair = pairs.FileSqlite(tmp_path)
    else:
        aws, stage, stream = (request.getfixturevalue(name) for name in ("aws", "stage", "stream"))
        partitions = PARTITIONS
        program.create_tables(f"dynamodb:{stage}", aws.environment, *partitions)
        pair = pairs.KinesisDynamodb(aws, stage, stream)
    pair.put(puts([one for n, (who, score) in enumerate(scores().items()) for one in product(f"p{n}", who, None, score)]))
    daemon = start_on(pair, "--identities", "full", "--cache-ttl-ms", "0", "--rank-units", "10000", *partitions)
    daemon.wait_until_boards_are_true()
    return pair, daemon


def await_rank(daemon, found, who):
    def rank():
        answer = daemon.get("/scores/merchant/" + urllib.parse.quote(who, safe="")).json()
        return answer["score"], answer["rank"], answer["of"], answer["percentile"]

    wait.until(lambda: rank() == expected(found, who), f"{who}: {expected(found, who)}", seen=rank)


def test_everybody_has_a_rank_that_follows_the_board(shop):
    pair, daemon = shop
    found = scores()
    assert expected(found, merchant(0))[1] > 1000
    for number in (0, LAST, PEOPLE - 1):
        await_rank(daemon, found, merchant(number))
    pair.put(puts([event(model.PURCHASE, "p0", person("customer", "Cy"))] * 3))
    found[merchant(0)] += 3
    for number in (0, 1, LAST):
        await_rank(daemon, found, merchant(number))
