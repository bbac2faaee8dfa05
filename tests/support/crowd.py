"""Many clients at once that are idle or slow, on one thread."""

import resource
import selectors
import socket
import threading

from raw_http import get


def raise_limit(files):
    """Raises the limit of open files of this process. False: the system allows fewer."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True


class Crowd:
    """`idle` clients that had an answer and send nothing more, `slow` ones that send a byte of a request's headers each
    second and connect again when they are closed. A context manager; ready when every idle one had its answer."""

    def __init__(self, port, idle, slow):
        self.address, self.slow_count = ("127.0.0.1", port), slow
        self.ends = threading.Event()
        self.idle = [self.ask() for _ in range(idle)]
        self.slow = [self.begin() for _ in range(slow)]
        self.thread = threading.Thread(target=self.dribble)

    def ask(self):
        client = socket.create_connection(self.address)
        client.sendall(get("/livez"))
        client.recv(65536)
        return client

    def begin(self):
        client = socket.create_connection(self.address)
        client.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        return client

    def dribble(self):
        """A twentieth of the slow clients at a time."""
        turn = 0
        while not self.ends.wait(0.05):
            for i in range(turn % 20, self.slow_count, 20):
                try:
                    self.slow[i].send(b"x")
                except OSError:
                    self.slow[i].close()
                    self.slow[i] = self.begin()
            turn += 1

    def open(self):
        """How many of the idle clients are still connected."""
        with selectors.DefaultSelector() as selector:
            for client in self.idle:
                selector.register(client, selectors.EVENT_READ)
            return len(self.idle) - len(selector.select(0))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        for client in self.idle + self.slow:
            client.close()
