"""Products over HTTP, on both stores: their texts, lists by merchant, photographer and ids, and their board; and the reader
of the tables that the program replaces."""

import urllib.parse

import cloud
import expected_answers
import model
import program
import pytest
import wait
import workload
from pairs import KinesisDynamodb
from small_shop import event, person, product, puts

ANN, BO = person("merchant", "Ann"), person("photographer", "Bo")
KEEPS = ("--best-sellers", "on", "--periods", "day")
PROMPT = ("--cache-ttl-ms", "1", "--cache-stale-ms", "0", "--index-allowance-ms", "0")


def created(product_id, merchant, **texts):
    one = event(model.CREATE, product_id, merchant)
    one["data"].update(texts)
    return one


def photographed(product_id, image):
    one = event(model.IMAGE, product_id, BO)
    one["data"]["image"] = image
    return one


def bought(product_id, times=1):
    return [event(model.PURCHASE, product_id, person("customer", "Cy"))] * times


def serve(pair, start_on, events, *options):
    pair.put(puts(events))
    daemon = start_on(pair, *PROMPT, *options)
    daemon.wait_until_applied()
    return daemon


def ids_of(answer):
    assert answer.status == 200, answer.body
    return [item and item["productId"] for item in answer.json()["items"]]


def quoted_list(ids):
    return ",".join(urllib.parse.quote(one, safe="") for one in ids)


def test_a_product_has_the_texts_of_its_registration_and_its_photograph(pair, start_on):
    daemon = serve(pair, start_on, [
        created("p", ANN, name="Desk lamp \u202e", brand=" ", category="é" * 60),
        created("p", person("merchant", "Dee"), name="Another", brand="Other", category="Other"),
        photographed("p", "https://x.example/p.jpg"),
        created("q", ANN, name="Chair", brand="Oak", category="home"),
        photographed("q", "http://x.example/q.jpg"),
        *bought("r"),
    ])  # fmt: skip
    found = {one: daemon.get(f"/contributions/{one}").json() for one in "pqr"}
    shown = {one: [row[name] for name in ("name", "brand", "category", "image")] for one, row in found.items()}
    assert shown["p"] == ["Desk lamp \ufffd", None, "é" * 46 + "…", "https://x.example/p.jpg"]
    assert shown["q"] == ["Chair", "Oak", "home", None]
    assert shown["r"] == [None] * 4 and not found["r"]["attributed"]
    assert ids_of(daemon.get("/contributions?productIds=r,p,q")) == ["r", "p", "q"]


def test_products_are_listed_by_merchant_and_photographer_as_the_model_has_them(pair, start_on):
    pair.put(workload.generate(seed=91, events=600))
    daemon = start_on(pair, *PROMPT)
    daemon.wait_until_applied()
    expected = model.fold(pair.records())
    people = {
        "merchant": lambda row: row["creator"],
        "photographer": lambda row: row.get("photographer"),
    }
    key, checked = pair.identity_key(), 0
    for role, of in people.items():
        users = {of(row) for row in expected.contributions.values()} - {None, model.UNKNOWN}
        for user in sorted(users)[:12]:
            owned = sorted(id for id, row in expected.contributions.items() if of(row) == user)
            found, target = [], f"/contributions?{role}={model.sealed_id(key, user)}&limit=7"
            while target:
                answer = daemon.get(target)
                found += ids_of(answer)
                cursor = answer.json()["next"]
                target = cursor and f"/contributions?{role}={model.sealed_id(key, user)}&limit=3&cursor={cursor}"
            assert found == sorted(owned, key=lambda id: id.encode()), user
            checked += len(found)
    assert checked > 50
    chosen = sorted(expected.contributions)[:99]
    listing = daemon.get(f"/contributions?productIds={quoted_list([*chosen, 'none'])}")
    assert ids_of(listing) == [*chosen, None]
    for item in listing.json()["items"][:-1]:
        expected_answers.same_contribution(item, expected.contributions[item["productId"]], False)


def test_a_board_of_products_has_their_names(pair, start_on):
    daemon = serve(pair, start_on, [
        created("lamp", ANN, name="Desk lamp"), *bought("lamp", 3), created("chair", ANN, name="Chair"), *bought("chair"),
        *bought("unregistered", 2),
    ], *KEEPS)  # fmt: skip
    wait.until(lambda: len(ids_of(daemon.get("/scores/product"))) == 3, "three products on the board")
    items = daemon.get("/scores/product").json()["items"]
    assert [(one["rank"], one["productId"], one["name"], one["score"]) for one in items] == [
        (1, "lamp", "Desk lamp", 3), (2, "unregistered", None, 2), (3, "chair", "Chair", 1),
    ]  # fmt: skip
    one = daemon.get("/scores/product/chair").json()
    assert (one["productId"], one["name"], one["rank"]) == ("chair", "Chair", 3)
    around = daemon.get("/scores/product?around=unregistered&limit=1").json()
    assert [item["productId"] for item in around["items"]] == ["unregistered"]
    assert around["previous"] and around["next"]
    assert daemon.get("/scores/product/lamp/history").status == 200


def test_without_best_sellers_products_have_no_board_and_the_answer_names_the_option(pair, start_on):
    daemon = serve(pair, start_on, product("lamp", ANN, None, 1), "--periods", "day")
    for target in ("/scores/product", "/scores/product/lamp", "/scores/product/lamp/history"):
        answer = daemon.get(target)
        assert answer.status == 404 and "--best-sellers" in answer.json()["detail"], target


# An index that is not there.


@pytest.mark.new_emulators
def test_what_needs_a_missing_index_is_a_503_and_the_rest_is_served(aws, stage, stream, start):
    cloud.make_bare_tables(aws.dynamodb, stage)
    pair = KinesisDynamodb(aws, stage, stream)
    pair.put(puts(product("lamp", ANN, BO, 1)))
    daemon = start(stage, stream, *PROMPT)
    daemon.wait_until_applied()
    ann = model.sealed_id(pair.identity_key(), ANN)
    for target in ("/scores/merchant", f"/contributions?merchant={ann}"):
        answer = daemon.get(target)
        assert (answer.status, answer.json()["code"]) == (503, "store-unavailable")
        assert "index" in answer.json()["detail"]
    for target in ("/contributions", "/contributions/lamp", "/contributions?productIds=lamp", f"/scores/{ann}"):
        assert daemon.get(target).status == 200, target
    assert daemon.get("/readyz").json()["status"] == "ready"
    program.create_tables(f"dynamodb:{stage}", aws.environment)
    wait.until(lambda: daemon.get(f"/contributions?merchant={ann}").status == 200, "the index is used")
    assert ids_of(daemon.get(f"/contributions?merchant={ann}")) == ["lamp"]


# The scores API that reads the same tables (hello-retail's, "winner-view" API): it takes `role` and `limit` from the request.


def old_reader(aws, stage, role, limit):
    found = aws.dynamodb.query(
        TableName=f"{stage}-Scores",
        IndexName="ScoresByRole",
        KeyConditionExpression="#r = :r",
        ExpressionAttributeNames={"#r": "role"},
        ExpressionAttributeValues={":r": {"S": role}},
        ScanIndexForward=False,
        Limit=limit,
    )
    return [(item["userId"]["S"], int(item["score"]["N"])) for item in found["Items"]]


@pytest.mark.parametrize("options", [(), ("--periods", "hour,day,week,month", "--best-sellers", "on")])
def test_the_old_reader_sees_the_scores_of_people_and_nothing_else(aws, tables, stream, start, options):
    pair = KinesisDynamodb(aws, tables, stream)
    pair.put(workload.generate(seed=92, events=800))
    start(tables, stream, *options).wait_until_applied()
    expected = model.fold(pair.records())
    for role in (model.CREATOR, model.PHOTOGRAPHER):
        scores = sorted((row.score for (_, of), row in expected.scores.items() if of == role), reverse=True)
        for limit in (1, 5, 1000):
            found = old_reader(aws, tables, role, limit)
            assert [score for _, score in found] == scores[:limit]
            assert all(expected.scores[user, role].score == score for user, score in found)
    others = {row["role"].partition("#")[0] for row in cloud.scores(aws.dynamodb, tables)} - {model.CREATOR, model.PHOTOGRAPHER}
    assert others == ({"shop", "product"} if options else {"shop"})
