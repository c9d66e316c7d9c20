"""How many instructions a server spends on one echo of 20 bytes: callgrind counts a short and a longer conversation, and
the difference leaves out what is spent once. The count hardly depends on the machine, nor on what else it does."""

import os
import pathlib
import re
import socket
import struct
import tempfile

from servers import COUNTED, SERVERS, Running

DEPTHS = (1, 16)
SHORT, LONG = 400, 4400  # in turns
SIZE = 20
ANSWER_SECONDS = 60


def masked_frame(payload):
    key = os.urandom(4)
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return struct.pack("!BB", 0x81, 0x80 | len(payload)) + key + masked


def upgraded(port):
    connection = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += take(connection, 1)
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"no upgrade: {head[:60]!r}")
    return connection


def take(connection, count):
    taken = b""
    while len(taken) < count:
        piece = connection.recv(count - len(taken))
        if not piece:
            raise RuntimeError("the server hung up")
        taken += piece
    return taken


def converse(port, depth, turns):
    """`turns` times `depth` messages in one piece; the next turn begins when all echoes are there."""
    payload = b"twenty bytes of text"
    assert len(payload) == SIZE
    messages = masked_frame(payload) * depth
    echoes = (struct.pack("!BB", 0x81, SIZE) + payload) * depth
    with upgraded(port) as connection:
        for _ in range(turns):
            connection.sendall(messages)
            if take(connection, len(echoes)) != echoes:
                raise RuntimeError("not what was sent came back")


def counted(name, depth, turns):
    with tempfile.TemporaryDirectory() as folder:
        tool = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/count"]
        program = [str(word) for word in COUNTED.get(name, SERVERS[name].command)]
        if not pathlib.Path(program[0]).exists():
            raise RuntimeError(f"there is no {program[0]}")
        try:
            with Running(name, words=tool + program) as server:
                converse(server.port, depth, turns)
        except OSError as failure:
            raise RuntimeError(str(failure)) from failure
        files = list(pathlib.Path(folder).iterdir())
        totals = [int(count) for each in files
                  for count in re.findall(r"^(?:totals|summary): (\d+)", each.read_text(errors="replace"), re.MULTILINE)]
    if not totals:
        raise RuntimeError("callgrind left no count")
    return max(totals)


def per_message(name, depth):
    return (counted(name, depth, LONG) - counted(name, depth, SHORT)) / ((LONG - SHORT) * depth)
