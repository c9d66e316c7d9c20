"""Runs the servers, a relay that cuts connections, and the loads; renews the servers' certificates meanwhile. Between
rounds everything rests, and what each process holds then is compared. Started by scripts/soak, which builds.

usage: soak.py MINUTES SEED DIRECTORY      with WEFT_TOOL, WEFT_SOAK, WEFT_C_ECHO and WEFT_C_SOAK
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "interop"))

from authority import Authority  # noqa: E402
from programs import Server, program  # noqa: E402

ROUND = 30  # seconds, where there is time for three and more
FEWEST_ROUNDS = 3
ROUND_LIMIT = 180  # seconds that the last connections of a round may take; a lost message would be waited for for ever
REST_LIMIT = 30  # seconds until the descriptors must be those before the first round
FAULTS = ["lost", "duplicated", "corrupted", "unexpected"]
CONNECTIONS = {"c": 40, "swift": 40, "websockets": 8}
TICKS_AT_REST = 5  # of CPU in a second, each of 10 ms

# What a process may hold more at the last rests than at the first: the allocator never gives all back, and keeps what the
# busiest moment took, which comes late at times. An hour has some 100,000 connections to each server, so that it finds a
# leak of some 80 bytes for each; a run of a few rounds only warms up, and neither memory nor threads are judged then.
GROWTH_KB = 2048
GROWTH_SHARE = 0.08
FEWEST_RESTS = 8

# In the load in Swift the threads of libdispatch come and go as it sees fit. An hour on two cores has seen two more at its end.
SPARE_THREADS_OF_SWIFT = 2 * os.cpu_count()


@dataclasses.dataclass
class Rest:
    resident_kb: int
    descriptors: int
    threads: int


class Process:
    """One of those that are watched."""

    def __init__(self, name, pid, spare_threads=0):
        self.name = name
        self.pid = pid
        self.spare_threads = spare_threads  # that may come late
        self.rests = []
        self.fewest_descriptors = None  # those that it needs without a connection

    def note_descriptors(self, spare=0):
        self.fewest_descriptors = self.descriptors() + spare  # libuv's, one for each loop, from its first connection on

    def status(self, field):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise RuntimeError(f"{self.name} has ended")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def ticks(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def settle(self):
        """Waits until the last connections' descriptors are gone."""
        until = time.monotonic() + REST_LIMIT
        while self.descriptors() > self.fewest_descriptors and time.monotonic() < until:
            time.sleep(0.1)

    def rest(self):
        if self.fewest_descriptors is None:
            self.note_descriptors()
        self.settle()
        self.rests.append(Rest(self.status("VmRSS"), self.descriptors(), self.status("Threads")))

    def faults(self):
        """The first rest is for warming up; the thirds of the others are compared."""
        descriptors = [rest.descriptors for rest in self.rests]
        if max(descriptors) > self.fewest_descriptors:
            yield f"{self.name}: descriptors grew from {self.fewest_descriptors}: {descriptors}"
        if len(self.rests) < FEWEST_RESTS:
            return
        threads, resident = zip(*[(rest.threads, rest.resident_kb) for rest in self.rests[1:]], strict=True)
        third = len(resident) // 3
        if max(threads[third:]) > max(threads[:third]) + self.spare_threads:
            yield f"{self.name}: threads grew: {threads}"
        first, last = statistics.median(resident[:third]), statistics.median(resident[-third:])
        if last - first > GROWTH_KB + GROWTH_SHARE * first:
            yield f"{self.name}: resident memory grew from {first:.0f} to {last:.0f} kB"

    def row(self):
        resident = [rest.resident_kb for rest in self.rests]
        first, last = self.rests[0], self.rests[-1]
        return (
            f"{self.name:18} {resident[0]:8} {min(resident):8} {max(resident):8} {last.resident_kb:8}"
            f" {self.fewest_descriptors:6} {last.descriptors:6} {first.threads:6} {last.threads:6}"
        )


class Load:
    """A program that opens connections for as long as it is told."""

    def __init__(self, name, command, **options):
        self.name = name
        self.counts = dict.fromkeys(FAULTS, 0)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )

    def begin(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def end(self, deadline):
        """Waits until its connections have ended; False when they do not."""
        os.set_blocking(self.process.stdout.fileno(), False)
        text = ""
        while not text.endswith("\n"):
            text += self.process.stdout.readline() or ""
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        self.counts = json.loads(text)
        return True

    def faults(self):
        for fault in FAULTS:
            if self.counts[fault]:
                yield f"{self.name}: {self.counts[fault]} {fault}"

    def stop(self):
        self.process.stdin.close()
        if self.process.wait(20) != 0:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}")


def load_commands(seed, authority, urls):
    programs = {
        "c": [program("WEFT_C_SOAK")],
        "swift": [program("WEFT_SOAK")],
        "websockets": [sys.executable, HERE / "peer.py"],
    }
    return {
        name: [*command, str(seed), authority.path("ca.pem"), str(CONNECTIONS[name]), *urls]
        for name, command in programs.items()
    }


class Certificates:
    """The files that all servers read, written anew with each renewal."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        self.renewals = -1
        self.files = [str(directory / "live.pem"), str(directory / "live.key")]
        self.renew([])

    def renew(self, servers):
        self.renewals += 1
        issued = self.authority.issue(f"server-{self.renewals}", "DNS:localhost,IP:127.0.0.1")
        for source, target in zip(issued, self.files, strict=True):
            shutil.copy(source, target)
        for server in servers:
            server.process.send_signal(signal.SIGHUP)


def server_commands(certificates):
    tls = ["--tls-cert", certificates.files[0], "--tls-key", certificates.files[1]]
    serve = [program("WEFT_TOOL"), "serve", "--port", "0", "--quiet"]
    return {
        "async": serve,
        "async-tls": [*serve, "--context-takeover", *tls],
        "inline": [*serve, "--inline", "--context-takeover"],
        "inline-tls": [*serve, "--inline", "--threads", "2", *tls],
        "c": [program("WEFT_C_ECHO"), "0"],
        "c-tls": [program("WEFT_C_ECHO"), "0", "--threads", "2", *tls],
    }


def loop_count(command):
    return int(command[command.index("--threads") + 1]) if "--threads" in command else 1


class Soak:
    def __init__(self, minutes, seed, directory, stack):
        self.random = random.Random(seed)
        self.rounds = max(FEWEST_ROUNDS, round(minutes * 60 / ROUND))
        self.seconds = minutes * 60 / self.rounds
        self.certificates = Certificates(directory)
        self.servers = {}
        for name, command in server_commands(self.certificates).items():
            self.servers[name] = server = Server(command, "/ws")
            stack.callback(server.process.kill)
        ports = [str(server.port) for server in self.servers.values()]
        relay = subprocess.Popen(
            [sys.executable, HERE / "relay.py", str(seed), *ports], stdout=subprocess.PIPE, text=True
        )
        stack.callback(relay.kill)
        urls = []
        for server, port in zip(self.servers.values(), relay.stdout.readline().split(), strict=True):
            urls += [f"ws{server.secure}://localhost:{server.port}/ws"] * 2
            urls.append(f"~ws{server.secure}://localhost:{port}/ws")
        self.loads = []
        for name, command in load_commands(seed, self.certificates.authority, urls).items():
            self.loads.append(Load(name, command))
            stack.callback(self.loads[-1].process.kill)
        # A load says that its connections have ended, a server does not: that one is looked at before the first.
        self.processes = []
        for name, server in self.servers.items():
            process = Process(f"server {name}", server.process.pid)
            process.note_descriptors(spare=loop_count(server.process.args))
            self.processes.append(process)
        for load in self.loads:
            spare_threads = SPARE_THREADS_OF_SWIFT if load.name == "swift" else 0
            self.processes.append(Process(f"load {load.name}", load.process.pid, spare_threads))
        self.others = []
        self.waited = 0

    def renewing(self):
        """Those that take new certificates while they run; the C example does not."""
        return [server for name, server in self.servers.items() if name in ("async-tls", "inline-tls")]

    def run_round(self):
        for load in self.loads:
            load.begin(self.seconds)
        end = time.monotonic() + self.seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, self.random.uniform(1, 10)))
            self.certificates.renew(self.renewing())
        for load in self.loads:
            if not load.end(end + ROUND_LIMIT):
                self.others.append(f"{load.name}: a connection does not end: something that it waits for was lost")
        self.waited += time.monotonic() - end

    def rest(self):
        for process in self.processes:
            process.rest()
        before = [process.ticks() for process in self.processes]
        time.sleep(1)
        for process, ticks in zip(self.processes, before, strict=True):
            if process.ticks() - ticks > TICKS_AT_REST:
                self.others.append(f"{process.name}: {(process.ticks() - ticks) * 10} ms of CPU in a second of rest")

    def total(self, what):
        return sum(load.counts[what] for load in self.loads)

    def run(self):
        for number in range(1, self.rounds + 1):
            self.run_round()
            self.rest()
            if self.others:
                return
            resident = " ".join(str(process.rests[-1].resident_kb) for process in self.processes)
            faults = ", ".join(f"{self.total(fault)} {fault}" for fault in FAULTS)
            print(
                f"round {number}/{self.rounds} ({self.waited:.0f} s of waiting for the last):"
                f" {self.total('lives')} connections, {self.total('messages')} messages, {faults}; resident {resident} kB",
                flush=True,
            )
        for load in self.loads:
            load.stop()
        for server in self.servers.values():
            if server.stop() != 0:
                raise RuntimeError(f"{server.process.args} ended with {server.process.returncode}")

    def report(self):
        print(f"\n{'at rest':18} {'kB first':>8} {'least':>8} {'most':>8} {'last':>8}", end="")
        print(f" {'descr.':>6} {'last':>6} {'thr.':>6} {'last':>6}")
        for process in self.processes:
            print(process.row())
        print(f"\n{'load':12}", *(f"{what:>11}" for what in self.loads[0].counts))
        for load in self.loads:
            print(f"{load.name:12}", *(f"{load.counts[what]:11}" for what in self.loads[0].counts))
        print(f"certificates renewed {self.certificates.renewals} times\n")

    def faults(self):
        for part in [*self.loads, *self.processes]:
            yield from part.faults()
        yield from self.others


def loads_tell(seed, directory):
    """A server that loses, repeats or changes a message is found out by every load, or they are worth nothing."""
    faults = []
    for fault in ("lost", "duplicated", "corrupted"):
        server = subprocess.Popen(
            [sys.executable, HERE / "dishonest.py", fault], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        url = f"ws://localhost:{server.stdout.readline().strip()}/"
        commands = load_commands(seed, Authority(directory), [url])
        loads = [Load(name, command, stderr=subprocess.DEVNULL) for name, command in commands.items()]
        for load in loads:
            load.begin(1)
        for load in loads:
            load.end(time.monotonic() + ROUND_LIMIT)
            load.stop()
            told = load.counts[fault] > 0
            print(f"{'ok' if told else 'not ok'} {load.name} tells that messages were {fault}", flush=True)
            if not told:
                faults.append(f"{load.name} does not tell that messages were {fault}")
        server.kill()
        server.wait()
    return faults


def main():
    minutes, seed, directory = float(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
    faults = loads_tell(seed, directory)
    with contextlib.ExitStack() as stack:
        soak = Soak(minutes, seed, directory, stack)
        soak.run()
        soak.report()
        faults += soak.faults()
    for fault in faults:
        print("not ok", fault)
    if faults:
        for name, server in soak.servers.items():
            print(f"-- what {name} said:\n{server.error_text()[-10000:]}")
    if not faults:
        print("ok nothing lost, duplicated or changed; nothing grew; nothing was busy at rest")
    return 1 if faults else 0


sys.exit(main())
