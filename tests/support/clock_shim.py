"""Moves the clocks of a process under test, while it runs, and never the machine's (clock_shim.c).

    clocks = clock_shim.Clocks(folder)
    clocks.step(real_ms=3_600_000)                  # an hour ahead, also before the process starts
    daemon = Daemon(options, {**environment, **clocks.environment})
    clocks.step(real_ms=-3_600_000)                 # from where it is now; boot_ms and raw_ms likewise
    clocks.drift(boot_ppm=80_000)                   # NTP slews CLOCK_BOOTTIME by 8 % from now on
    clocks.suspended(daemon, 30)                    # a machine that was suspended for as long

One object may serve several processes. Needs the target clock_shim beside the binary under test.
"""

import mmap
import pathlib
import struct
import time

import program
import wait

CLOCKS = ("real", "boot", "raw")  # the order in clock_shim.c
FORMAT = "=Q" + "qqq" * len(CLOCKS)


def library():
    return pathlib.Path(program.binary()).resolve().parent / "tests" / "clock_shim.so"


class Clocks:
    def __init__(self, folder):
        assert library().exists(), f"'{library()}' is not built: build the target clock_shim of the same preset"
        path = pathlib.Path(folder) / "clocks"
        path.write_bytes(bytes(struct.calcsize(FORMAT)))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.turn = 0
        self.moved = {clock: (0, 0, 0) for clock in CLOCKS}  # offset_ns, ppm, since_ns
        self.environment = {
            "LD_PRELOAD": str(library()),
            "WINNER_VIEW_CLOCKS": str(path),
            "ASAN_OPTIONS": program.sanitizer_environment()["ASAN_OPTIONS"] + ":verify_asan_link_order=0",
        }

    def offset_ns(self, clock):
        """How far it is ahead now."""
        offset, ppm, since = self.moved[clock]
        return offset + (time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) - since) // 1_000_000 * ppm

    def step(self, real_ms=0, boot_ms=0, raw_ms=0):
        for clock, ms in zip(CLOCKS, (real_ms, boot_ms, raw_ms)):
            offset, ppm, since = self.moved[clock]
            self.moved[clock] = (offset + ms * 1_000_000, ppm, since)
        self.write()

    def drift(self, real_ppm=0, boot_ppm=0, raw_ppm=0):
        """From now on the clocks gain so much, and stay ahead by what they have gained until now."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        for clock, ppm in zip(CLOCKS, (real_ppm, boot_ppm, raw_ppm)):
            self.moved[clock] = (self.offset_ns(clock), ppm, now)
        self.write()

    def right(self):
        """As the machine's."""
        self.moved = {clock: (0, 0, 0) for clock in CLOCKS}
        self.write()

    def suspended(self, daemon, seconds):
        """Freezes the process; its CLOCK_MONOTONIC_RAW stands still meanwhile, as on a suspended machine."""
        daemon.freeze()
        until = time.monotonic() + seconds
        wait.until(lambda: time.monotonic() >= until, "the machine resumes", timeout_s=seconds + 1)
        self.step(raw_ms=-round(seconds * 1000))
        daemon.thaw()

    def write(self):
        numbers = [number for clock in CLOCKS for number in self.moved[clock]]
        self.turn += 2
        struct.pack_into("=Q", self.map, 0, self.turn - 1)
        struct.pack_into("=" + "qqq" * len(CLOCKS), self.map, 8, *numbers)
        struct.pack_into("=Q", self.map, 0, self.turn)
