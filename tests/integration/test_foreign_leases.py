"""A Leases table with rows but without the record of a view is another application's: its checkpoints are not ours."""

import cloud
import pytest
import wait
from model import fold
from pairs import KinesisDynamodb, assert_equal_to_model
from small_shop import person, product, puts

LAMPS = puts(product("lamp", person("merchant", "Ann"), None, 6))


def kcl_lease(shard, checkpoint):
    """As the KCL 3 writes it; before 3.5 there is no entityType."""
    return {
        "leaseKey": {"S": shard},
        "leaseOwner": {"S": "ip-10-0-0-7:8f1c"},
        "leaseCounter": {"N": "4711"},
        "checkpoint": {"S": checkpoint},
        "checkpointSubSequenceNumber": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "throughputKBps": {"N": "1"},
    }


def kcl_leases(shop):
    """The checkpoints are those of an application that has read half of it."""
    records = {}
    for record in shop.records():
        records.setdefault(record.shard, []).append(record)
    halves = {shard: own[len(own) // 2].sequence for shard, own in records.items()}
    return [kcl_lease(shard, halves.get(shard, "TRIM_HORIZON")) for shard in shop.shards]


def typed_leases(shop):
    return [{**lease, "entityType": {"S": "LEASE"}} for lease in kcl_leases(shop)]


def coordinator_state(_):
    """Of a KCL that keeps all of its state in one table, before it has leases."""
    return [
        {"leaseKey": {"S": "LEADER"}, "entityType": {"S": "LEADER"}, "leaseOwner": {"S": "ip-10-0-0-7:8f1c"}},
        {"leaseKey": {"S": "WorkerMetricStats"}, "entityType": {"S": "WORKER_METRIC_STATS"}, "wid": {"S": "ip"}},
    ]


def leases_without_record(shop):
    """Ours, of a view whose record was deleted: of which stream they are is not known."""
    return [{**lease, "tenure": {"S": "f" * 32}, "asOf": {"N": "1700000000000"}} for lease in kcl_leases(shop)]


@pytest.fixture
def shop(aws, tables, stream):
    pair = KinesisDynamodb(aws, tables, stream)
    pair.put(LAMPS)
    return pair


@pytest.mark.parametrize("rows", [kcl_leases, typed_leases, coordinator_state, leases_without_record])
def test_a_leases_table_of_another_application_is_refused_and_not_written(aws, shop, make_on, rows):
    table = f"{shop.name}-Leases"
    for row in rows(shop):
        aws.dynamodb.put_item(TableName=table, Item=row)
    before = cloud.rows(aws.dynamodb, table)
    daemon = make_on(shop).start(ready=False)
    assert daemon.process.wait(20) == 2
    log = daemon.log()
    assert f"'{table}'" in log and "winner-view#source" in log and "--leases-table" in log
    assert any(f"'{row['leaseKey']}'" in log for row in before)
    assert cloud.rows(aws.dynamodb, table) == before and shop.contributions() == []


def test_workers_that_begin_a_view_at_once_all_succeed(aws, shop, make_on, proxies):
    """The second process found no record; its scan runs after the first has made leases."""
    first = make_on(shop)
    late = make_on(shop, environment=proxies.environment)
    seen = []

    def delay_scan(request):
        if request.operation == "Scan" and not seen:
            seen.append(request)
            wait.until(shop.leases, "the first has made its leases")

    proxies.dynamodb.on_request = delay_scan
    late.start(ready=False)
    wait.until(lambda: seen, "the second looks for the leases of another application")
    first.start()
    late.wait_until_ready()
    first.wait_until_applied()
    late.wait_until_applied()
    assert_equal_to_model(shop, fold(shop.records()), first.dead_letters() | late.dead_letters())
