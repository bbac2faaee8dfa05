"""A service, as tests of its behaviour use it."""

import json
import time

import cloud
import model
import service


class View(service.Service):
    """A service, and what a test asks of it again and again. Its `openapi` is for tests that read responses
    by means of their own."""

    def __init__(self, openapi, dead_letter_file, options, environment):
        super().__init__(options, environment)
        self.openapi = openapi
        self.dead_letter_file = dead_letter_file

    def health(self):
        return self.get("/healthz").json()

    def wait_until_as_of(self, real_ms, timeout_s=120):
        """Until every event that reached the stream before this time is in the views."""

        def is_as_of():
            as_of = self.health()["asOf"]
            return as_of and model.epoch_ms(as_of) >= real_ms

        cloud.until(is_as_of, f"asOf {real_ms}; {self.log()[-3000:]}", timeout_s)

    def wait_until_applied(self, timeout_s=120):
        """Until everything that is in the stream now is in the views."""
        self.wait_until_as_of(int(time.time() * 1000), timeout_s)

    def wait_until_boards_are_true(self):
        """Until everything that is in the stream now is in the views, and boards know up to when they are true: on
        DynamoDB one allowance later. Each look is at another board, so that none is kept from before. Returns it.
        """
        self.wait_until_applied()
        limits = iter(range(20, 101))

        def known():
            board = self.get(f"/scores/merchant?limit={next(limits)}").json()
            return board if board["asOf"] else None

        return cloud.until(known, "boards that know their asOf", every_s=0.25)

    def dead_letters(self):
        if not self.dead_letter_file.exists():
            return set()
        lines = [json.loads(line) for line in self.dead_letter_file.read_text().splitlines()]
        return {
            (line["shard"], model.place(line["sequenceNumber"], line["subSequenceNumber"]), line["reason"])
            for line in lines
        }
