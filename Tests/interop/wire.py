"""WebSocket by hand, wrong on purpose where a test wants it."""

import contextlib
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

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT)
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

    def frame(self):
        """The next frame as (opcode, payload); the server's are final and unmasked here."""
        first, second = self.take(2)
        assert second < 128, "a server does not mask"
        length = second
        if second == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif second == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        return first & 15, self.take(length)

    def close_code(self):
        """Reads up to the close frame and says its code, None when it has none."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0] if payload else None

    def assert_ended(self):
        while self.more():
            pass


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
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.socket.close()
