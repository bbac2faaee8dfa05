"""Kills a service at a chosen write to DynamoDB."""

import re
import threading
import time


class KillAtWrite:
    """Receives a proxy's calls, makes writes slow, and sends SIGKILL to the service at a chosen one. With `lose` that
    write is lost; without it the write arrives in the store, as do others that were on their way, after the service
    has ended and perhaps while its successor already works."""

    DELAY_S = 0.1  # so that a checkpoint, at most one a second, falls into the work and not behind it
    CHECKPOINT = re.compile(rb'"S": ?"\d{20,}"')

    def __init__(self, through, stage):
        self.stage = stage
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.table = None
        through.on_request = self.on_request

    def arm(self, daemon, table, writes, after_checkpoint, lose):
        """Kill the daemon at this many writes of a table, counted from its first checkpoint or from its start."""
        self.done.clear()
        self.daemon, self.left, self.counting, self.lose = daemon, writes, not after_checkpoint, lose
        self.table = table

    def on_request(self, request):
        if request.operation not in ("UpdateItem", "PutItem") or not self.table:
            return None
        table = request.json()["TableName"].removeprefix(f"{self.stage}-")
        if table == "Leases":
            self.counting = self.counting or bool(self.CHECKPOINT.search(request.body))
            return None
        with self.lock:
            self.left -= self.counting and table == self.table
            is_time = self.left == 0 and not self.done.is_set()
            if is_time:
                self.daemon.process.kill()
                self.done.set()
        if is_time and self.lose:
            return 500, b"{}"
        time.sleep(self.DELAY_S)
        return None

    def runs(self, make, kills, rng, most_writes):
        """Starts a service `kills` times, kills it at a random write each time, and yields after each kill. `make()`
        gives a service that is not started."""
        for kill in range(kills):
            daemon = make()
            table = "Contributions" if kill % 3 == 2 else "Scores"
            self.arm(daemon, table, rng.randint(10, most_writes), after_checkpoint=kill % 2 == 1, lose=kill % 4 < 2)
            daemon.start(ready=False)
            assert self.done.wait(120), daemon.log_tail()
            daemon.kill()
            yield kill
