"""Events that are put at a constant rate, in a thread of their own, while a test does other things."""

import threading
import time


class SteadyLoad:
    """Calls `put` with the next of `puts` every `round_s`, so that `per_second` of them are put, until all are put or
    it is ended. Leaving the block ends it, and fails if a put failed."""

    def __init__(self, put, puts, per_second, round_s=0.1):
        self.put, self.puts, self.per_second, self.round_s = put, puts, per_second, round_s
        self.done = 0
        self.ending = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        begin = time.monotonic()
        try:
            while self.done < len(self.puts) and not self.ending.wait(self.round_s):
                due = min(len(self.puts), int((time.monotonic() - begin) * self.per_second))
                self.put(self.puts[self.done : due])
                self.done = due
        except Exception as error:
            self.failure = error

    def wait(self, timeout_s=60):
        """Waits until all is put."""
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), f"{self.done} of {len(self.puts)} put in {timeout_s} s"

    def end(self):
        """Stops it. Returns how many were put."""
        self.ending.set()
        self.thread.join()
        if self.failure:
            raise self.failure
        return self.done

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.ending.set()
        self.thread.join()
        if kind is None and self.failure:
            raise self.failure
