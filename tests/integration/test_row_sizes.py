"""What a write costs: rows stay below the 1 KB that is one write unit."""

import itertools

import model
import program
import small_shop
from pairs import KinesisDynamodb

UNIT_BYTES = 1024
SHARDS = 25
EVERYTHING = ("--periods", "hour,day,week,month", "--best-sellers", "on", "--board-partitions", "64")
MERCHANT = "hello-retail-web/merchant/amzn1.account.AFRLGGYQ2DMVHK6M3BZ4JZK7XVWA/Anneliese Vogel"
PHOTOGRAPHER = "hello-retail-web/photographer/amzn1.account.AGHOTAAUSAHTHPZZKIJFTQWQ3KGA/Bartholomew Stone"
CUSTOMER = "hello-retail-web/customer/amzn1.account.AEQ6NRC6HPZZKIJFTQWQ3KGAAAAA/Cornelia Berg"
TEXTS = {
    "name": "Herrenhemd Oxford Regular Fit aus Bio-Baumwolle, hellblau gestreift, Größe 41",
    "brand": "Manufaktur für Oberhemden von 1887",
    "category": "Herrenbekleidung > Hemden > Freizeithemden > Langarm",
    "description": "x" * 4000,
}
IMAGE = "https://images.example-shop.com/products/2026/11/herrenhemd-oxford-regular-fit-hellblau-4579874.jpg"


def size(item):
    """DynamoDB Developer Guide, "DynamoDB item sizes and formats"; a number as it is at most."""

    def of(kind, value):
        return {"S": lambda: len(value.encode()), "B": lambda: len(value), "N": lambda: len(value) // 2 + 2}[kind]()

    return sum(len(name.encode()) + of(*next(iter(value.items()))) for name, value in item.items())


def rows(aws, table):
    pages = aws.dynamodb.get_paginator("scan").paginate(TableName=table)
    return list(itertools.chain.from_iterable(page["Items"] for page in pages))


def usual_events():
    register, photograph, buy = (
        small_shop.event(kind, "B07XQXZXJC", origin)
        for kind, origin in ((model.CREATE, MERCHANT), (model.IMAGE, PHOTOGRAPHER), (model.PURCHASE, CUSTOMER))
    )
    register["data"].update(TEXTS)
    photograph["data"]["image"] = IMAGE
    return small_shop.puts([register, photograph, buy])


def test_a_row_of_usual_names_and_a_score_of_25_shards_cost_one_unit(aws, stage, stream, start):
    program.create_tables(f"dynamodb:{stage}", aws.environment, "--board-partitions", "64")
    pair = KinesisDynamodb(aws, stage, stream)
    pair.put(usual_events())
    daemon = start(stage, stream, *EVERYTHING)
    daemon.wait_until_applied()
    (contribution,) = rows(aws, f"{stage}-Contributions")
    assert {"name", "brand", "category", "image"} <= contribution.keys()
    assert size(contribution) < UNIT_BYTES, size(contribution)
    scores = rows(aws, f"{stage}-Scores")
    assert len(scores) == 4 * 5  # two people, the product and the shop, in all and in four periods
    for score in scores:
        (watermark,) = [value for name, value in score.items() if name.startswith("at")]
        score.update({f"at{n}": watermark for n in range(SHARDS)})
    assert max(map(size, scores)) < UNIT_BYTES, max(map(size, scores))
