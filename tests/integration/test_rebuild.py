"""A view is rebuilt beside the live one: with --identity-from it gives people the same ids and reads the live one's cursors,
so that readers can be switched to it, and back, and notice nothing."""

import itertools
import threading

import http_client
import program
import pytest
import reverse_proxies
import wait
from model import epoch_ms
from pairs import FileSqlite, KinesisDynamodb
from small_shop import person, product, puts

SHOP = puts(
    product("lamp", person("merchant", "Ann"), person("photographer", "Bo"), 3)
    + product("mug", person("merchant", "Cy"), None, 1)
)


@pytest.fixture
def beside(pair, aws, tmp_path):
    """Another empty store for the same source."""
    if isinstance(pair, FileSqlite):
        (tmp_path / "beside").mkdir()
        return FileSqlite(tmp_path / "beside", pair.journal)
    stage = f"{pair.name}-beside"
    program.create_tables(f"dynamodb:{stage}", aws.environment)
    return KinesisDynamodb(aws, stage, pair.stream)


def first_page(daemon):
    daemon.wait_until_boards_are_true()
    return daemon.get("/scores/merchant?limit=1").json()


def test_ids_and_cursors_are_those_of_the_other_view(pair, beside, start_on):
    pair.put(SHOP)
    old = start_on(pair)
    page = first_page(old)
    new = start_on(beside, "--identity-from", pair.options[1])
    assert beside.identity_key() == pair.identity_key()
    first_page(new)
    for daemon in (old, new):
        following = daemon.get(f"/scores/merchant?limit=1&cursor={page['next']}").json()
        assert [item["name"] for item in following["items"]] == ["Cy"]
        assert daemon.get(f"/scores/merchant/{page['items'][0]['id']}").json()["name"] == "Ann"


def test_a_view_with_ids_of_its_own_keeps_them_and_says_so(pair, beside, start_on):
    pair.put(SHOP)
    start_on(pair).wait_until_applied()
    start_on(beside).terminate()
    before = beside.identity_key()
    daemon = start_on(beside, "--identity-from", pair.options[1])
    assert beside.identity_key() == before != pair.identity_key()
    assert f"--identity-from {pair.options[1]} has no effect" in daemon.log()


def test_a_view_that_was_begun_does_not_need_the_other_any_more(pair, beside, start_on):
    pair.put(SHOP)
    start_on(pair).wait_until_applied()
    start_on(beside, "--identity-from", pair.options[1]).terminate()
    daemon = start_on(beside, "--identity-from", pair.options[1] + "-gone")
    assert "--identity-from" not in daemon.log() and beside.identity_key() == pair.identity_key()


def test_a_new_view_is_not_begun_without_the_key_that_it_is_to_take_over(pair, beside, make_on):
    pair.put(SHOP)
    other = pair.options[1] + "-gone"
    daemon = make_on(beside, "--identity-from", other).start(ready=False)
    wait.until(lambda: not daemon.is_running(), "it ended", seen=daemon.log_tail)
    assert daemon.process.returncode == 2 and f"--identity-from {other}" in daemon.log()
    assert not beside.leases()


POLL_MS = 2000  # far above what a busy machine, or a read that is throttled, adds
DATE_MS = 1000  # of a reply; until one comes just after its second begins, the service's clock is known to a second
CAUGHT_UP_MS = 10_000
MERCHANTS = [person("merchant", f"Merchant{n}") for n in range(9)]
SWITCHES = 5
OPTIONS = ("--poll-interval-ms", f"{POLL_MS}", "--cache-ttl-ms", "50", "--cache-stale-ms", "0")


class Pager:
    """A client that pages through the board of merchants again and again, and asserts that it is one board. It keeps the
    as-of time of each answer in `as_of_ms`."""

    def __init__(self, port):
        self.port, self.as_of_ms, self.ids, self.failure = port, [], {}, None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join()
        if kind is None and self.failure:
            raise self.failure

    def run(self):
        try:
            while not self.stopping.is_set():
                self.read_board()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def read_board(self):
        names, cursor = set(), ""
        while cursor is not None and not self.stopping.is_set():
            answer = http_client.request(self.port, f"/scores/merchant?limit=4{cursor and f'&cursor={cursor}'}")
            assert answer.status == 200, (answer.status, answer.body)
            page = answer.json()
            self.as_of_ms.append(epoch_ms(page["asOf"]))
            for item in page["items"]:
                assert self.ids.setdefault(item["name"], item["id"]) == item["id"], "an id has changed"
                names.add(item["name"])
            cursor = page["next"]
        assert self.stopping.is_set() or len(names) == len(MERCHANTS)


def answers_of(daemon):
    return daemon.metric("winner_view_http_requests_total", route="/scores/merchant")


@pytest.mark.all
def test_readers_notice_nothing_of_a_switch_to_the_new_view_and_back(pair, beside, start_on, tmp_path):
    """While events arrive. asOf goes back by less than a poll, as exactly as each process knows the service's clock: on a
    machine that is busy with other things, at least once in some switches that are a poll apart; and never by more than
    what counts as caught up."""
    for n, merchant in enumerate(MERCHANTS):
        pair.put(puts(product(f"p{n}", merchant, None, 20 - 2 * n)))
    old = start_on(pair, *OPTIONS)
    old.wait_until_boards_are_true()
    new = start_on(beside, *OPTIONS, "--identity-from", pair.options[1])
    new.wait_until_boards_are_true()
    back_ms = []
    with reverse_proxies.Nginx(tmp_path, old.port) as proxy, Pager(proxy.port) as pager:
        wait.until(lambda: len(pager.as_of_ms) > 20 or pager.failure, "pages of the old view")
        for daemon, _ in zip(itertools.cycle((new, old)), range(SWITCHES)):
            pair.put(puts([*product("p0", purchases=1), *product("p1", purchases=1)]))
            begin, answered = len(pager.as_of_ms) - 1, answers_of(daemon)
            proxy.switch(daemon.port)
            wait.until(lambda: answers_of(daemon) > answered + 10 or pager.failure, "its pages")
            wait.until(lambda at=pager.as_of_ms[-1]: pager.as_of_ms[-1] > at or pager.failure, "its next poll")
            as_of_ms = pager.as_of_ms[begin:]
            back_ms.append(max([0, *(before - after for before, after in zip(as_of_ms, as_of_ms[1:]))]))
    assert min(back_ms) <= POLL_MS + DATE_MS and max(back_ms) <= CAUGHT_UP_MS, back_ms
    assert program.run("audit", *beside.options[:2], environment=pair.environment).returncode == 0
    for daemon in (old, new):
        daemon.wait_until_boards_are_true()
    boards = [daemon.get("/scores/merchant?limit=100").json()["items"] for daemon in (old, new)]
    assert boards[0] == boards[1]
