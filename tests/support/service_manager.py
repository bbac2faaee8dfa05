"""A service manager, as systemd is one: it receives the notifications of a service that it started (sd_notify(3))."""

import contextlib
import socket
import time

READ_TIMEOUT_S = 60


class Manager:
    """The socket that NOTIFY_SOCKET names, and the messages received on it."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.received = []

    def environment(self, watchdog_s=None):
        watchdog = {"WATCHDOG_USEC": str(int(watchdog_s * 1_000_000))} if watchdog_s else {}
        return {"NOTIFY_SOCKET": self.path, **watchdog}

    def next(self):
        self.socket.settimeout(READ_TIMEOUT_S)
        self.received.append(dict(line.split("=", 1) for line in self.socket.recv(8192).decode().split("\n")))
        return self.received[-1]

    def wait_for(self, is_it, timeout_s=READ_TIMEOUT_S):
        """The next message for which `is_it` is true."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message = self.next()
            if is_it(message):
                return message
        raise AssertionError(f"received {self.received[-5:]}")

    def rest(self):
        """All messages so far, without waiting for more."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.received.append(dict(line.split("=", 1) for line in self.socket.recv(8192).decode().split("\n")))
        return self.received
