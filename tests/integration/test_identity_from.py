"""--identity-from: a view that is rebuilt beside another gives people the same ids and reads the other's cursors."""

import program
import pytest
import wait
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
