"""Readers of /live for the benchmarks."""

import contextlib
import selectors
import socket
import threading


class LiveReaders:
    """`n` connections, read in a thread of its own: `bytes` and `events` of all, those `cut` off, all that the `first` got."""

    def __init__(self, port, query, n):
        self.port, self.query, self.n = port, query, n
        self.events, self.bytes, self.first, self.cut = 0, 0, b"", 0

    def run(self):
        while self.running:
            for key, _ in self.selector.select(0.1):
                data = key.fileobj.recv(1 << 16)
                self.events += data.count(b"\nid: ")
                self.bytes += len(data)
                if key.data == 0:
                    self.first += data
                if not data:
                    self.cut += 1
                    self.selector.unregister(key.fileobj)

    @contextlib.contextmanager
    def reading(self):
        self.selector, self.running = selectors.DefaultSelector(), True
        with contextlib.ExitStack() as stack:
            for i in range(self.n):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                connection.sendall(f"GET /live{self.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                self.selector.register(connection, selectors.EVENT_READ, i)
            thread = threading.Thread(target=self.run)
            thread.start()
            try:
                yield
            finally:
                self.running = False
                thread.join()
