"""A program on a pseudo-terminal, and what a person sees of it."""

import os
import pty
import select
import signal
import subprocess
import termios
import time

import emulators
import wait


class Screen:
    """What is on a terminal: lines of text, by "\\r", "\\n" and the erasing of the rest of a line. Anything else that
    commands a terminal fails."""

    def __init__(self):
        self.lines, self.column = [""], 0

    def write(self, text):
        for part in text.replace("\x1b[K", "\x00"):
            assert part in "\r\n\x00" or part.isprintable(), repr(part)
            if part == "\n":
                self.lines.append("")
            elif part == "\r":
                self.column = 0
            elif part == "\x00":
                self.lines[-1] = self.lines[-1][: self.column]
            else:
                line = self.lines[-1].ljust(self.column)
                self.lines[-1] = line[: self.column] + part + line[self.column + 1 :]
                self.column += 1


class Terminal:
    """A context manager: runs argv with standard error, and output, on a terminal; ends it by SIGTERM."""

    def __init__(self, argv, environment=None, columns=80):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, columns))
        self.bytes = b""
        full = {**os.environ, "TERM": "xterm", **(environment or {})}
        self.process = subprocess.Popen(
            argv,
            env=full,
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            preexec_fn=emulators.die_with_parent,
        )
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.read_to_the_end()
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.master)
            self.master = None

    def read(self, timeout_s=0):
        """All that is there to read; False at the end."""
        while self.master is not None and select.select([self.master], [], [], timeout_s)[0]:
            try:
                chunk = os.read(self.master, 65536)
            except OSError:  # nobody has the other end open
                return False
            self.bytes += chunk
            timeout_s = 0
        return self.master is not None

    def read_to_the_end(self, timeout_s=wait.WAIT_S):
        deadline = time.monotonic() + timeout_s
        while self.read(1):
            assert time.monotonic() < deadline, self.text()[-3000:]
        return self.process.wait(timeout=timeout_s)

    def text(self):
        self.read()
        return self.bytes.decode(errors="replace")

    def screen(self):
        """The lines that are to be seen, the last of which is where the cursor is."""
        screen = Screen()
        screen.write(self.text())
        return screen.lines
