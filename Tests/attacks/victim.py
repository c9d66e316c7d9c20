"""A server under attack: what it costs it, and whether others are still served meanwhile."""

import contextlib
import dataclasses
import os
import pathlib
import threading
import time

import programs
import wire
from wire import TEXT

KINDS = {
    "c": lambda *options: named("c", programs.c_echo(*options)),
    "swift": lambda *options: named("swift", programs.serve("--quiet", *options)),
    "swift-inline": lambda *options: named("swift-inline", programs.serve("--quiet", "--inline", *options)),
}

BETWEEN_ECHOES = 0.01  # seconds
LONGEST_ECHO = 2.0  # seconds, on a machine that does other things too
RESET_PEAK = "5"  # of /proc/PID/clear_refs

# Everything that is sent lies in buffers of the server's for a moment: its loop's own, 512 KiB, and what the allocator
# holds back. Bounds of memory are on top of this.
SLACK_KB = 1024


@contextlib.contextmanager
def named(name, starting):
    with starting as server:
        server.name = name
        yield server


@dataclasses.dataclass
class Cost:
    attack: str
    server: str
    sent_kb: float
    grown_kb: int
    most_kb: int
    cpu_ms: float
    most_ms: int
    others_ms: float


COSTS = []


def status_kb(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError("the server has ended")


def cpu_ms(pid):
    """Of all threads, which live as long as the server; /proc/PID/stat counts in ticks, too coarse here."""
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads) / 1e6


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


class Bystander(threading.Thread):
    """A client that does nothing wrong: it gets its echo, however others behave."""

    def __init__(self, port):
        super().__init__()
        self.wire = wire.Wire(wire.socket.create_connection(("127.0.0.1", port), programs.WAIT))
        self.wire.open()
        self.is_over = threading.Event()
        self.longest = 0.0
        self.failure = None
        self.echo(b"before")

    def echo(self, text):
        begun = time.monotonic()
        self.wire.send(wire.frame(TEXT, text))
        assert self.wire.frame() == (TEXT, text)
        self.longest = max(self.longest, time.monotonic() - begun)

    def run(self):
        try:
            while not self.is_over.wait(BETWEEN_ECHOES):
                self.echo(b"meanwhile")
            self.echo(b"afterwards")
        except Exception as failure:  # told by the test's own thread
            self.failure = failure

    def end(self):
        self.is_over.set()
        self.join()
        self.wire.socket.close()
        if self.failure:
            raise self.failure
        assert self.longest < LONGEST_ECHO


class Attack:
    """What one attack may cost and has cost."""

    def __init__(self, server):
        self.pid = server.process.pid
        self.sent = 0

    def count(self, data):
        """Passes on what is going to be sent."""
        self.sent += len(data)
        return data


@contextlib.contextmanager
def attack(what, server, *, most_kb, most_ms):
    """Fails when the server has grown by more than `most_kb` KiB at any time (beside SLACK_KB), or has used more than
    `most_ms` of CPU, or when a bystander was not served."""
    bystander = Bystander(server.port)
    under_attack = Attack(server)
    before_kb = status_kb(under_attack.pid, "VmRSS")
    pathlib.Path(f"/proc/{under_attack.pid}/clear_refs").write_text(RESET_PEAK, encoding="ascii")
    before_ms = cpu_ms(under_attack.pid)
    bystander.start()
    try:
        yield under_attack
    finally:
        bystander.end()
    grown_kb = status_kb(under_attack.pid, "VmHWM") - before_kb
    used_ms = cpu_ms(under_attack.pid) - before_ms
    COSTS.append(
        Cost(what, server.name, under_attack.sent / 1024, grown_kb, most_kb, used_ms, most_ms, bystander.longest * 1000)
    )
    assert grown_kb <= most_kb + SLACK_KB
    assert used_ms <= most_ms


def push(peer, data):
    """Sends until the server has ended the connection or takes no more; says how much it took."""
    taken = 0
    peer.socket.settimeout(1)
    view = memoryview(data)
    with contextlib.suppress(ConnectionError, TimeoutError):
        while taken < len(view):
            taken += peer.socket.send(view[taken : taken + 65536])
    peer.socket.settimeout(programs.WAIT)
    return taken
