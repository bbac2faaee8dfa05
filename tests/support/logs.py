"""The output of a process that is still writing it."""

import os
import tempfile


class Log:
    """A file that a process writes. They share its offset, so nothing here may move it."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()

    def fileno(self):
        return self.file.fileno()

    def text(self):
        size = os.fstat(self.fileno()).st_size
        return os.pread(self.fileno(), size, 0).decode(errors="replace")
