"""What a program under test has used so far, from /proc."""

import contextlib
import os
import pathlib
import threading

TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")
BETWEEN_LOOKS = 0.005  # seconds


def peak_kib(pid):
    """The most that was resident at a time; 0 once the program has ended."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def cpu_ms(pid):
    """Of the user's and the system's time; a program that has ended and was not waited for still tells."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


class Usage(threading.Thread):
    """Looks again and again, for a program that may end at any time and takes its figures with it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_kib = 0
        self.cpu_ms = 0
        self.is_over = threading.Event()
        self.look()
        self.first_kib = self.peak_kib
        self.start()

    def look(self):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            self.peak_kib = max(self.peak_kib, peak_kib(self.pid))
            self.cpu_ms = max(self.cpu_ms, cpu_ms(self.pid))

    def run(self):
        while not self.is_over.wait(BETWEEN_LOOKS):
            self.look()

    def end(self):
        self.is_over.set()
        self.join()
        self.look()

    @property
    def grown_kib(self):
        return self.peak_kib - self.first_kib
