#!/usr/bin/python3
"""DynamoDB write units and requests an event, on a backlog: batches of 1000, 400 products, 50 merchants, 20
photographers, Zipf 1.1, 3 shards; all tables, their indexes and the leases.

Counted from DynamoDB's own answers as they pass a proxy, and checked against the service's metrics. Exits 1
if an event costs more than LIMIT, or if the two counts disagree.
"""

import collections
import sys

import common
import proxy

EVENTS = 10_000
LIMIT = 0.6
WRITES = {"UpdateItem", "PutItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}


def units(requests):
    """Write units by table, as the replies say."""
    total = collections.Counter()
    for request in requests:
        if request.operation not in WRITES:
            continue
        consumed = request.reply_json().get("ConsumedCapacity") or []
        for one in consumed if isinstance(consumed, list) else [consumed]:
            total[one["TableName"]] += one["CapacityUnits"]
    return total


def measure(running):
    common.fill(running, "units", EVENTS)
    with proxy.Proxy(running.dynamodb_url) as counted:
        environment = {"AWS_ENDPOINT_URL_DYNAMODB": counted.url}
        with common.running_view(
            running, "units", "units", "--batch-size", "1000", environment=environment
        ) as view:
            common.wait_until_applied(view)
            requests = list(counted.requests)
            metrics = {
                "events": view.metric("winner_view_events_total"),
                "units": view.metric("winner_view_dynamodb_units_total", kind="write"),
                "requests": view.metric("winner_view_aws_requests_total", service="dynamodb"),
            }
    return requests, metrics


def report(requests, metrics):
    by_table = units(requests)
    total = sum(by_table.values())
    operations = collections.Counter(request.operation for request in requests)
    print(f"write units an event: {total / EVENTS:.3f} (at most {LIMIT}; the Lambda: 7.3)")
    print(f"requests an event:    {len(requests) / EVENTS:.3f} (the Lambda: 4.8)")
    print(
        "  " + ", ".join(f"{table.partition('-')[2]} {n / EVENTS:.3f}" for table, n in by_table.most_common())
    )
    print("  " + ", ".join(f"{operation} {n}" for operation, n in operations.most_common()))
    print(
        f"  by the service's metrics: {metrics['units'] / EVENTS:.3f} units, "
        f"{metrics['requests'] / EVENTS:.3f} requests"
    )
    ok = 0 < total / EVENTS <= LIMIT
    if metrics["events"] != EVENTS:
        print(f"the service counted {metrics['events']:.0f} events, expected {EVENTS}")
        ok = False
    # a few renewals happen between one look and the other
    if abs(metrics["units"] - total) > 0.01 * total + 10 or abs(metrics["requests"] - len(requests)) > 20:
        print("the metrics disagree with what passed")
        ok = False
    return ok


def main():
    with common.start_emulators() as running:
        return 0 if report(*measure(running)) else 1


if __name__ == "__main__":
    sys.exit(main())
