"""winner-view audit derives the scores from the contributions and compares them, on either store: it reports exactly
the wrong ones."""

import datetime
import json
import re
import sqlite3
import subprocess
import threading

import program
import pytest
import small_shop
import terminal
import wait
import workload

ANN, BO = "w/merchant/1/Ann", "w/photographer/2/Bo"
PEOPLE = ("creator", "photographer")
PAGES_OF_ROWS = 40  # of 90 kB each: DynamoDB's pages end at 1 MB


def audit(pair, *options):
    return program.run("audit", *pair.options, *options, environment=pair.environment)


def audited(pair):
    """The audit's result as JSON, after a check of its exit status."""
    done = audit(pair, "--format", "json")
    assert done.returncode in (0, 3), done.stderr
    found = json.loads(done.stdout)
    assert (done.returncode == 3) == bool(found["differences"])
    return found


def differences(pair):
    return [tuple(one[k] for k in ("role", "userId", "score", "derived")) for one in audited(pair)["differences"]]


def unsold():
    """One unsold product: a file source needs at least one line."""
    return small_shop.puts(small_shop.product("unsold", merchant=ANN))


def count_name(role):
    return "sales" if role.partition("#")[0] == "shop" else "score"


class Editor:
    """Changes rows behind the program's back."""

    def __init__(self, pair):
        self.pair = pair
        self.dynamodb = pair.aws.dynamodb if pair.has_watermarks else None

    def run_sql(self, statement, *values):
        connection = sqlite3.connect(self.pair.database)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def put_score(self, user_id, role, score):
        if self.dynamodb:
            row = {"userId": {"S": user_id}, "role": {"S": role}, count_name(role): {"N": str(score)}}
            self.dynamodb.put_item(TableName=f"{self.pair.name}-Scores", Item=row)
        else:
            self.run_sql(
                "INSERT OR REPLACE INTO scores (userId, role, score, updated) VALUES (?, ?, ?, 0)", user_id, role, score
            )

    def delete_score(self, user_id, role):
        if self.dynamodb:
            key = {"userId": {"S": user_id}, "role": {"S": role}}
            self.dynamodb.delete_item(TableName=f"{self.pair.name}-Scores", Key=key)
        else:
            self.run_sql("DELETE FROM scores WHERE userId = ? AND role = ?", user_id, role)

    def put_contribution(self, product, creator, score, padding):
        names = ("productId", "creator", "lastEventId", "createdBy")
        values = (product, creator, "shardId-000000000000:1", "x" * padding)
        if self.dynamodb:
            row = {name: {"S": value} for name, value in zip(names, values)}
            row["creatorScore"] = {"N": str(score)}
            self.dynamodb.put_item(TableName=f"{self.pair.name}-Contributions", Item=row)
        else:
            self.run_sql(
                "INSERT INTO contributions (productId, creator, lastEventId, createdBy, creatorScore,"
                " photographerScore, created, updated) VALUES (?, ?, ?, ?, ?, 0, 0, 0)",
                *values,
                score,
            )


EVERYTHING = ("--periods", "hour,day,week,month", "--best-sellers", "on")


def sales_of_one_moment():
    """A minute ago: it decides the periods (an event that arrives within an hour belongs to when it was made)."""
    events = [
        *small_shop.product("lamp", ANN, BO, 3),
        *small_shop.product("mug", ANN, None, 2),
        *small_shop.product("cup", BO, None, 1),
    ]
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    return small_shop.puts([{**one, "timeOrigin": moment.isoformat()} for one in events])


class Sold:
    """A store that keeps all that a view can keep. `scores`: {(userId, role): count}; `periods`: {kind: name}."""

    def __init__(self, pair):
        self.pair = pair
        self.scores = {(row["userId"], row["role"]): row.get("score", row.get("sales")) for row in pair.scores()}
        names = [role.split("#") for _, role in self.scores if role.startswith("shop#")]
        self.periods = {kind: name for _, kind, name in names}
        self.shop = min(user for user, role in self.scores if role == "shop")

    def role(self, text):
        """"creator day" is "creator#day#2026-11-29"."""
        role, _, kind = text.partition(" ")
        return f"{role}#{kind}#{self.periods[kind]}" if kind else role


@pytest.fixture
def sold(pair, start_on):
    pair.put(sales_of_one_moment())
    daemon = start_on(pair, *EVERYTHING)
    daemon.wait_until_applied()
    assert daemon.terminate()[0] == 0
    return Sold(pair)


# Whose row is broken, in what, and what no longer agrees with what: of a period the sum ("") of its role with the sales, a
# person's day with its hours, a person's week and month with their days.
BROKEN_ROWS = [
    (ANN, "creator", [("creator", ANN)]),
    (BO, "photographer", [("photographer", BO)]),
    ("mug", "product", [("product", "mug")]),
    ("shop", "shop", [("shop", "SHOP")]),
    (ANN, "creator hour", [("creator hour", ""), ("creator day", ANN)]),
    (ANN, "creator day", [("creator day", ""), *((f"creator {kind}", ANN) for kind in ("day", "week", "month"))]),
    (ANN, "creator week", [("creator week", ""), ("creator week", ANN)]),
    (ANN, "creator month", [("creator month", ""), ("creator month", ANN)]),
    (BO, "photographer month", [("photographer month", ""), ("photographer month", BO)]),
    ("mug", "product month", [("product month", ""), ("product month", "mug")]),
    ("shop", "shop month", [("creator month", ""), ("product month", ""), ("shop month", "shop")]),
]


def test_a_broken_row_of_each_kind_is_found(sold):
    assert differences(sold.pair) == []
    editor = Editor(sold.pair)
    for who, what, expected in BROKEN_ROWS:
        key = (sold.shop if who == "shop" else who, sold.role(what))
        editor.put_score(*key, sold.scores[key] + 10)
        found = {(role, user_id) for role, user_id, *_ in differences(sold.pair)}
        assert found == {(sold.role(role), sold.shop if user_id == "shop" else user_id) for role, user_id in expected}, what
        editor.put_score(*key, sold.scores[key])
    assert differences(sold.pair) == []


def test_a_missing_row_of_a_period_is_found_and_one_that_has_expired_is_passed_over(sold):
    editor = Editor(sold.pair)
    editor.put_score(ANN, "creator#day#2019-02-28", 7)
    found = audited(sold.pair)
    assert found["differences"] == [] and found["expired"] == 1
    assert "not checked: 1 scores of periods that have expired" in audit(sold.pair).stdout
    editor.delete_score(ANN, sold.role("creator week"))
    assert (sold.role("creator week"), ANN, None, 5) in differences(sold.pair)


def test_a_row_of_a_period_that_the_view_does_not_keep_is_found(made):
    editor = Editor(made)
    editor.put_score(ANN, "creator#hour#2026-11-29T14", 1)
    editor.put_score("lamp", "product", 1)
    assert {(role, user_id) for role, user_id, *_ in differences(made)} == {
        ("creator#hour#2026-11-29T14", ANN),
        ("product", "lamp"),
    }


@pytest.fixture
def made(pair, start_on):
    """A pair whose store exists, is not being written and has no score."""
    pair.put(unsold())
    daemon = start_on(pair)
    daemon.wait_until_applied()
    assert daemon.terminate()[0] == 0
    return pair


@pytest.mark.all
def test_audit_finds_no_difference_after_the_main_job_and_finds_each_changed_row(main_job, start_on):
    pair, _, expected = main_job
    daemon = start_on(pair)
    daemon.wait_until_applied()
    found = audited(pair)  # while the service runs
    assert found["differences"] == [] and found["moving"] == 0 and found["settled"] == 0
    assert found["leases"]["all"] == found["leases"]["held"] == len(pair.shards)
    assert found["scores"] == len(pair.scores())
    scores = {(row["userId"], row["role"]): row["score"] for row in pair.scores() if row["role"] in PEOPLE}
    assert found["products"] == len(pair.contributions())
    assert ("UNKNOWN", "creator") in scores
    assert daemon.terminate()[0] == 0

    editor = Editor(pair)
    people = sorted(key for key in scores if key[0] != "UNKNOWN")
    wrong, missing = people[0], people[-1]
    editor.put_score(*wrong, scores[wrong] + 1)
    editor.delete_score(*missing)
    editor.put_score("nobody", "creator", 7)
    editor.put_score("UNKNOWN", "creator", scores["UNKNOWN", "creator"] - 1)
    found = sorted(differences(pair), key=str)
    assert found == sorted(
        [
            (wrong[1], wrong[0], scores[wrong] + 1, scores[wrong]),
            (missing[1], missing[0], None, scores[missing]),
            ("creator", "nobody", 7, None),
            ("creator", "UNKNOWN", scores["UNKNOWN", "creator"] - 1, scores["UNKNOWN", "creator"]),
        ],
        key=str,
    )
    done = audit(pair)
    assert done.returncode == 3
    assert re.search("\nverdict: not every score is .*, 4 differences\n$", done.stdout)
    assert wrong[0] in done.stdout and "nobody" in done.stdout


def test_a_store_without_scores_has_no_difference(made):
    done = audit(made)
    assert done.returncode == 0, done.stderr
    verdict = "verdict: every score is what its contributions say: 0 scores, 1 product, "
    assert done.stdout.splitlines()[-1].startswith(verdict) and done.stdout.endswith(", read 1 time, 0 differences\n")
    assert not done.stderr


@pytest.mark.parametrize("command", ["audit", "create-tables"])
def test_what_a_view_keeps_is_not_the_commands_to_wish(embedded, start_on, command):
    """The environment may be another service's: what the help of a command does not name changes nothing."""
    embedded.put(unsold())
    start_on(embedded, "--periods", "day")
    environment = {"WINNER_VIEW_PERIODS": "none", "WINNER_VIEW_BEST_SELLERS": "on"}
    done = program.run(command, "--store", f"sqlite:{embedded.database}", environment=environment)
    assert done.returncode == 0, done.stderr


def test_at_a_terminal_an_audit_says_how_far_it_is_until_the_verdict(made):
    """A status line that is not written before the next one is skipped: the terminal may see none of a short audit."""
    argv = [program.binary(), "audit", *made.options]

    def audit_with_status():
        with terminal.Terminal(argv, {**program.sanitizer_environment(), **made.environment}) as shown:
            assert shown.read_to_the_end() == 0
        assert shown.screen()[-2].startswith("verdict: every score") and shown.screen()[-1] == ""
        assert not any("audit:" in line for line in shown.screen())
        return re.search(r"audit: (reading|\d+ rows read, \d+ rows/s)\r\x1b\[K", shown.text())

    wait.until(audit_with_status, "an audit with a status line")


def test_audit_reads_every_page_of_the_tables(made):
    editor = Editor(made)
    for n in range(PAGES_OF_ROWS):
        editor.put_contribution(f"p{n}", ANN if n % 4 else BO, n, padding=90_000)
    total = sum(range(PAGES_OF_ROWS))
    of_bo = sum(range(0, PAGES_OF_ROWS, 4))
    editor.put_score(ANN, "creator", total - of_bo)
    editor.put_score(BO, "creator", of_bo - 1)
    editor.put_score("SHOP/7", "shop", total)
    found = audited(made)
    assert found["products"] == PAGES_OF_ROWS + 1 and found["scores"] == 3
    assert found["differences"] == [{"role": "creator", "userId": BO, "score": of_bo - 1, "derived": of_bo}]


@pytest.mark.all
def test_audit_finds_no_difference_while_a_service_writes(pair, start_on):
    """At any moment a score may be written and its product not yet."""
    pair.put(unsold())
    daemon = start_on(pair, "--batch-size", "20", *EVERYTHING)
    puts = workload.generate(seed=8, events=3000)
    writer = threading.Thread(target=lambda: [pair.put(puts[n : n + 100]) for n in range(0, len(puts), 100)])
    writer.start()
    looks = []
    while writer.is_alive() or len(looks) < 3:
        looks.append(audited(pair))
    writer.join()
    assert [look["differences"] for look in looks] == [[]] * len(looks)
    daemon.wait_until_applied()
    found = audited(pair)
    assert found["differences"] == [] and found["moving"] == 0
    assert found["products"] == len(pair.contributions()) > 0


@pytest.mark.all
def test_a_wrong_score_is_found_while_a_service_holds_the_lease(pair, start_on):
    pair.put(unsold())
    daemon = start_on(pair)
    daemon.wait_until_applied()
    Editor(pair).put_score(ANN, "photographer", 3)
    done = audit(pair)
    assert done.returncode == 3 and ANN in done.stdout
    assert "a service may be writing" in done.stdout


def test_audit_of_a_missing_store_fails_and_names_it(aws, tmp_path):
    database = tmp_path / "none.db"
    done = program.run("audit", "--store", f"sqlite:{database}")
    assert done.returncode == 1 and str(database) in done.stderr and not done.stdout
    assert not database.exists()
    done = program.run("audit", "--store", "dynamodb:no-such-stage", environment=aws.environment)
    assert done.returncode == 1 and "no-such-stage-" in done.stderr and not done.stdout


def test_audit_does_not_change_a_foreign_database(tmp_path):
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = other.read_bytes()
    assert program.run("audit", "--store", f"sqlite:{other}").returncode == 1
    assert other.read_bytes() == before


def test_audit_refuses_an_unknown_format():
    done = program.run("audit", "--format", "xml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--format" in line and "xml" in line and "json" in line


def test_audit_fails_if_its_output_cannot_be_written(embedded, start_on):
    embedded.put(unsold())
    assert start_on(embedded).terminate()[0] == 0
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [program.binary(), "audit", *embedded.options], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 1 and b"print" in done.stderr


def test_audit_names_an_item_without_a_score(aws, tables, stream, start):
    assert start(tables, stream).terminate()[0] == 0
    aws.dynamodb.put_item(
        TableName=f"{tables}-Scores", Item={"userId": {"S": "broken"}, "role": {"S": "creator"}}
    )
    done = program.run("audit", "--store", f"dynamodb:{tables}", environment=aws.environment)
    assert done.returncode == 1 and "broken" in done.stderr
