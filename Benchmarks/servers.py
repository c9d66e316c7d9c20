"""The servers that are measured: how each is started, and what it can do."""

import dataclasses
import os
import pathlib
import re
import select
import shutil
import subprocess

BUILT = pathlib.Path(".build-bench")
PEERS = BUILT / "peers"
PYTHON = ".venv-bench/bin/python"
START_SECONDS = 20
PLAIN, TLS, DEFLATE = "plain", "tls", "deflate"
CERTIFICATE, KEY = BUILT / "cert.pem", BUILT / "key.pem"


@dataclasses.dataclass(frozen=True)
class Server:
    """`deflate` are the words that make it agree to compression, at level 6 where it lets one choose; `validates`:
    whether it checks that text is UTF-8."""

    label: str
    command: tuple
    can: tuple = (PLAIN,)
    deflate: tuple = ()
    is_ours: bool = False
    is_bound: bool = False
    note: str = ""
    validates: bool = True

    def words(self, feature):
        words = list(map(str, self.command))
        if feature == TLS:
            words += ["--tls-cert", str(CERTIFICATE), "--tls-key", str(KEY)]
        elif feature == DEFLATE:
            words += self.deflate
        return words

    def is_built(self):
        program = self.command[0]
        return pathlib.Path(program).exists() if "/" in str(program) else shutil.which(program) is not None


ALL = (PLAIN, TLS, DEFLATE)
WEFT = str(BUILT / "weft")
ASKED = ("--deflate",)
ROOMY = ("--max-frame-size", 16 << 20, "--max-message-size", 16 << 20)  # as the others are told

SERVERS = {
    "uv-echo": Server("libuv, raw TCP", (BUILT / "uv-echo", 0), is_bound=True, note="no WebSocket at all: the bound"),
    "weft-c": Server("Weft, C", (BUILT / "weft-c-echo", 0, *ROOMY), ALL, ("--deflate-level", "6"), is_ours=True,
                     note="`Examples/c/echo.c`"),
    "weft-inline": Server("Weft, InlineService", (WEFT, "serve", "--port", 0, "--inline", *ROOMY), ALL,
                          ("--compression-level", "6"), is_ours=True,
                          note="`weft serve --inline`: callbacks on the event loop"),
    "weft-async": Server("Weft, Service", (WEFT, "serve", "--port", 0, *ROOMY), ALL,
                         ("--compression-level", "6"), is_ours=True,
                         note="`weft serve`: async functions, a task for each connection"),
    "uws": Server("uWebSockets", (PEERS / "uws-echo", 0), ALL, ASKED, note="through its functions for C"),
    "nio": Server("SwiftNIO", (PEERS / "nio-echo", 0), (PLAIN, TLS), note="channel handlers, on the event loop",
                  validates=False),
    "nio-async": Server("SwiftNIO, async", (PEERS / "nio-echo", 0, "--async"), (PLAIN, TLS),
                        note="`NIOAsyncChannel`, a task for each connection", validates=False),
    "lws": Server("libwebsockets", (PEERS / "lws-echo", 0), ALL, ASKED),
    "beast": Server("Boost.Beast", (PEERS / "beast-echo", 0), ALL, ASKED),
    "gorilla": Server("gorilla/websocket", (PEERS / "gorilla-echo", "--port", 0), ALL, ASKED,
                      validates=False),
    "picows": Server("picows", (PYTHON, "Benchmarks/peers/picows-echo.py", 0), validates=False),
    "websockets": Server("websockets", (PYTHON, "Benchmarks/peers/websockets-echo.py", 0), (PLAIN, DEFLATE), ASKED),
}
ANCHOR, BOUND = "uws", "uv-echo"
# What callgrind runs in place of `weft serve`, which valgrind does not survive.
COUNTED = {
    "weft-inline": (BUILT / "weft-echo-benchmark", "--port", 0, "--inline"),
    "weft-async": (BUILT / "weft-echo-benchmark", "--port", 0, "--async"),
}


def on_core(core, words):
    """Pinned where the system can."""
    if shutil.which("taskset") and (os.cpu_count() or 1) > core:
        return ["taskset", "-c", str(core), *words]
    return words


class Running:
    """A started server. Use as a context, or call stop()."""

    def __init__(self, name, feature=PLAIN, words=None):
        self.name = name
        self.errors = open(BUILT / f"{name}-{feature}.log", "w+", encoding="utf-8", errors="replace")
        words = words or SERVERS[name].words(feature)
        self.process = subprocess.Popen(on_core(0, words), stdout=subprocess.PIPE, stderr=self.errors)
        self.port = None

    @property
    def pid(self):
        return self.process.pid

    def wait(self):
        """Until it says where it listens."""
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode(errors="replace").strip() if ready else ""
        found = re.search(r"://[^ ]*?:(\d+)/", line)
        if not found:
            self.errors.seek(0)
            raise RuntimeError(f"{self.name} does not start: {line} {self.errors.read().strip()}")
        self.port = int(found.group(1))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self):
        try:
            self.wait()
        except RuntimeError:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


def versions():
    """What Benchmarks/peers/install noted: name -> version, and name -> why it was left out."""
    installed, missing = {}, {}
    path = PEERS / "versions"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        name, version = line.split("\t", 1)
        (missing if version.startswith("!") else installed)[name] = version.lstrip("!")
    return installed, missing
