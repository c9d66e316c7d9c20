"""Many half-open handshakes, and long messages, over TLS."""

import contextlib
import socket
import threading
import time

import pytest
from websockets.sync.client import connect

from programs import WAIT, connecting
from secure import KINDS, serving, trusting, url_of
from test_tls import websockets_server

CROWD = 1000

# A record of the handshake that announces a ClientHello of 508 bytes, of which the first 200 have come.
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)

KIB_OF_A_HANDSHAKE = {"async": 64, "c": 96}  # OpenSSL's own, most of it; the C server runs under sanitizers


def resident_kib(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@pytest.mark.parametrize("kind", ["async", "c"])
def test_half_open_handshakes_cost_little_and_are_cut(authority, kind):
    with KINDS[kind](authority) as server, contextlib.ExitStack() as stack:
        with connect(url_of(server), ssl=trusting(authority)) as client:
            client.send("before")
            assert client.recv(WAIT) == "before"
            before = resident_kib(server)
            stalled = []
            for _ in range(CROWD):
                peer = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), WAIT))
                peer.sendall(HALF_A_HELLO)
                stalled.append(peer)
            begun = time.monotonic()
            with connect(url_of(server), ssl=trusting(authority)) as other:
                other.send("meanwhile")
                assert other.recv(WAIT) == "meanwhile"
            assert (resident_kib(server) - before) / CROWD < KIB_OF_A_HANDSHAKE[kind]
            for peer in stalled:
                with contextlib.suppress(ConnectionResetError):
                    while peer.recv(4096):
                        pass
            assert time.monotonic() - begun > 5  # by the limit of 10 s, not by being refused
            client.send("afterwards")
            assert client.recv(WAIT) == "afterwards"


LENGTH = 20_000_000

ROOMY = ["--max-frame-size", "33554432", "--max-message-size", "33554432"]


@pytest.mark.parametrize("kind", KINDS)
def test_long_messages_come_back(authority, kind):
    text = "aäß€\U0001f600 " * (LENGTH // 13)
    data = bytes(range(256)) * (LENGTH // 256)
    with KINDS[kind](authority, *ROOMY) as server:
        with connect(url_of(server), ssl=trusting(authority), max_size=None, compression=None) as client:
            for message in (text, data):
                # Both ways at a time: neither end may wait for the other to read.
                sender = threading.Thread(target=client.send, args=[message])
                sender.start()
                assert client.recv(WAIT) == message
                sender.join(WAIT)


def test_client_sends_a_long_message(authority):
    received = []

    def handler(connection):
        received.append(connection.recv(WAIT))
        connection.send("received")

    for words, expected in [([], "x" * LENGTH), (["--binary"], b"x" * LENGTH)]:
        with websockets_server(authority, handler=handler, max_size=None) as port:
            options = ["--no-compression", "--ca", authority.path("ca.pem"), *words]
            with connecting(*options, f"wss://localhost:{port}/") as talk:
                talk.say("x" * LENGTH)
                assert talk.hear() == "received"
        assert received.pop() == expected
