"""The log of a process that is still writing it."""

import os


def text(file, last=None):
    """What the log has, or its `last` bytes. The process shares this file's offset, so nothing here may move it."""
    size = os.fstat(file.fileno()).st_size
    begin = max(0, size - last) if last else 0
    return os.pread(file.fileno(), size - begin, begin).decode(errors="replace")
