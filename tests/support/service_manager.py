"""What a service manager hears of a service that it started (sd_notify(3))."""

import contextlib
import socket
import time

READ_TIMEOUT_S = 60


class Manager:
    """The socket that NOTIFY_SOCKET names: what a service manager hears."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def environment(self, watchdog_s=None):
        watchdog = {"WATCHDOG_USEC": str(int(watchdog_s * 1_000_000))} if watchdog_s else {}
        return {"NOTIFY_SOCKET": self.path, **watchdog}

    def next(self):
        self.socket.settimeout(READ_TIMEOUT_S)
        self.heard.append(dict(line.split("=", 1) for line in self.socket.recv(8192).decode().split("\n")))
        return self.heard[-1]

    def wait_for(self, is_it, timeout_s=READ_TIMEOUT_S):
        """The first message from now on of which that is true."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message = self.next()
            if is_it(message):
                return message
        raise AssertionError(f"heard {self.heard[-5:]}")

    def rest(self):
        """What is there already, after the end."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(dict(line.split("=", 1) for line in self.socket.recv(8192).decode().split("\n")))
        return self.heard
