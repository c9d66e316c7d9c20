"""WebSocket by hand, wrong on purpose where a test wants it."""

import base64
import contextlib
import hashlib
import os
import socket
import struct

from programs import WAIT

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of RFC 6455 section 1.3

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def upgrade_request(path="/ws", method="GET", version="HTTP/1.1", drop=(), **fields):
    """A good upgrade request; `fields` replace or add some (a list repeats one), `drop` leaves some out."""
    head = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    head.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{method} {path} {version}"]
    for name, value in head.items():
        if name not in drop:
            lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Answer:
    """An HTTP answer."""

    def __init__(self, head, body):
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            self.fields[name.lower()] = value.strip()
        self.body = body


class Wire:
    """A TCP connection that speaks in bytes."""

    def __init__(self, connected):
        self.socket = connected
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        """Reads once; False at the end of the stream. A reset is an end, too."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def take(self, length):
        while len(self.buffer) < length:
            assert self.more(), f"the stream ended behind {self.buffer!r}"
        data, self.buffer = self.buffer[:length], self.buffer[length:]
        return data

    def answer(self):
        """One HTTP answer with the body that its Content-Length announces."""
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), f"the stream ended behind {self.buffer!r}"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        answer = Answer(head, b"")
        answer.body = self.take(int(answer.fields.get("content-length", 0)))
        return answer

    def open(self, path="/ws", **fields):
        self.send(upgrade_request(path, **fields))
        answer = self.answer()
        assert answer.status == 101
        assert answer.fields["sec-websocket-accept"] == ACCEPT
        return answer

    def request(self):
        """The fields of an upgrade request, and its first line as ":line"."""
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), f"the stream ended behind {self.buffer!r}"
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        line, *lines = head.decode().split("\r\n")
        fields = [one.split(":", 1) for one in lines]
        return {":line": line, **{name.lower(): value.strip() for name, value in fields}}

    def frame(self, is_masked=False):
        """The next frame as (opcode, payload); a client masks its own, a server does not."""
        first, second = self.take(2)
        assert second >> 7 == is_masked
        length = second & 127
        if second == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif second == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        mask = self.take(4) if is_masked else bytes(4)
        return first & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.take(length)))

    def close_code(self, is_masked=False):
        """Reads up to the close frame and says its code, None when it has none."""
        while True:
            opcode, payload = self.frame(is_masked)
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0] if payload else None

    def assert_ended(self):
        while self.more():
            pass


def accept_for(key):
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def upgrade_answer(key, status="101 Switching Protocols", version="HTTP/1.1", drop=(), **fields):
    """A good answer to the request with that key; `fields` and `drop` as in `upgrade_request`."""
    head = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_for(key)}
    head.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{version} {status}"]
    for name, value in head.items():
        if name not in drop:
            lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def header(first, length, is_masked=True):
    """A frame header up to its mask; `first` is the whole first byte."""
    bit = 128 if is_masked else 0
    if length < 126:
        return struct.pack(">BB", first, bit | length)
    if length < 65536:
        return struct.pack(">BBH", first, bit | 126, length)
    return struct.pack(">BBQ", first, bit | 127, length)


def frame(opcode, payload=b"", final=True, reserved=0, is_masked=True):
    first = (128 if final else 0) | reserved << 4 | opcode
    if not is_masked:
        return header(first, len(payload), False) + payload
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return header(first, len(payload)) + mask + masked


def close_frame(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


@contextlib.contextmanager
def connect(port):
    wire = Wire(socket.create_connection(("127.0.0.1", port), WAIT))
    try:
        yield wire
    finally:
        wire.socket.close()


class Listener:
    """A server that speaks in bytes."""

    def __init__(self, listening):
        self.listening = listening
        self.listening.settimeout(WAIT)
        self.url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"

    @contextlib.contextmanager
    def accepting(self):
        """The next connection, with the key of the request that it brought."""
        accepted, _ = self.listening.accept()
        accepted.settimeout(WAIT)
        with accepted:
            wire = Wire(accepted)
            yield wire, wire.request()["sec-websocket-key"]


@contextlib.contextmanager
def listen():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Listener(listening)
