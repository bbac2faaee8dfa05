"""Events that keep coming while a test does other things: a thread that puts them by the clock."""

import threading
import time

import cloud


class SteadyLoad:
    """Puts `puts` in order at `per_second`, in a round every ROUND_S, until they are all put or it is ended.
    Leaving the block ends it, and fails if a put did."""

    ROUND_S = 0.1

    def __init__(self, kinesis, stream, puts, per_second):
        self.kinesis, self.stream, self.puts, self.per_second = kinesis, stream, puts, per_second
        self.done = 0
        self.ending = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        begin = time.monotonic()
        try:
            while self.done < len(self.puts) and not self.ending.wait(self.ROUND_S):
                due = min(len(self.puts), int((time.monotonic() - begin) * self.per_second))
                cloud.put(self.kinesis, self.stream, self.puts[self.done : due])
                self.done = due
        except Exception as error:
            self.failure = error

    def wait(self, timeout_s=60):
        """Until all is put."""
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), f"{self.done} of {len(self.puts)} put in {timeout_s} s"

    def end(self):
        """No more of them. Returns how many were put."""
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
