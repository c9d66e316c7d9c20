"""permessage-deflate byte for byte, and where other things meet it."""

import os
import zlib

import pytest
from websockets.sync.client import connect as websockets_connect

from programs import WAIT, c_connecting, connecting, serve
from proxy import proxy_of
from wire import BINARY, PING, PONG, TEXT, connect, frame

MIXED = "aäß€\U0001f600 "
TAIL = b"\0\0\xff\xff"  # what RFC 7692 section 7.2.1 has the sender take off


def deflated(data, bits=15):
    engine = zlib.compressobj(wbits=-bits)
    return (engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def inflated(data, bits=15):
    return zlib.decompressobj(wbits=-bits).decompress(data + TAIL)


def compressed_frame(wire):
    """The payload of the next frame, whose RSV1 is set."""
    while not wire.buffer:
        assert wire.more()
    assert wire.buffer[0] & 0x40
    return wire.frame()[1]


@pytest.mark.parametrize(
    "offer, agreed",
    [
        ("permessage-deflate", True),
        ("permessage-deflate; client_max_window_bits", True),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", True),
        ("permessage-deflate; server_max_window_bits=10", True),
        ('permessage-deflate; server_max_window_bits="10"', True),
        ("x-unknown, permessage-deflate; unknown=1, permessage-deflate", True),
        ("permessage-deflate; unknown", False),
        ("permessage-deflate; server_max_window_bits=7", False),
        ("permessage-deflate; server_max_window_bits=16", False),
        ("permessage-deflate; server_max_window_bits", False),
        ("permessage-deflate; server_no_context_takeover=1", False),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", False),
    ],
)
def test_offer_is_taken_or_declined(server, offer, agreed):
    with connect(server.port) as wire:
        answer = wire.open(Sec_WebSocket_Extensions=offer)
        assert ("sec-websocket-extensions" in answer.fields) is agreed
        if agreed:
            wire.send(frame(TEXT, deflated(b"hello" * 100), reserved=4))
            bits = 10 if "10" in offer else 15
            assert inflated(compressed_frame(wire), bits) == b"hello" * 100
        else:
            wire.send(frame(TEXT, b"hello" * 100))
            assert wire.frame() == (TEXT, b"hello" * 100)


BAD = {
    "no deflate data": (frame(TEXT, b"\xff" * 20, reserved=4), 1007),
    "not UTF-8 inflated": (frame(TEXT, deflated(b"\xff" * 20), reserved=4), 1007),
    "rsv1 on a continuation": (
        frame(TEXT, deflated(b"hello"), final=False, reserved=4) + frame(0, b"", reserved=4),
        1002,
    ),
    "rsv1 on a ping": (frame(PING, b"hello", reserved=4), 1002),
    "rsv2": (frame(TEXT, deflated(b"hello"), reserved=6), 1002),
    "bomb": (frame(BINARY, deflated(bytes(50_000_000)), reserved=4), 1009),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_compressed_frame_is_answered_and_the_end(server, name):
    data, code = BAD[name]
    with connect(server.port) as wire:
        wire.open(Sec_WebSocket_Extensions="permessage-deflate")
        wire.send(data)
        assert wire.close_code() == code
        wire.assert_ended()


def test_ping_between_compressed_fragments_is_answered(server):
    data = deflated(b"hello" * 100)
    with connect(server.port) as wire:
        wire.open(Sec_WebSocket_Extensions="permessage-deflate")
        wire.send(frame(TEXT, data[:3], final=False, reserved=4) + frame(PING, b"?") + frame(0, data[3:]))
        assert wire.frame() == (PONG, b"?")
        assert inflated(compressed_frame(wire)) == b"hello" * 100


def test_block_that_says_it_is_the_last_does_not_end_the_stream(server):
    """RFC 7692 section 7.2.3.4."""
    engine = zlib.compressobj(wbits=-15)
    data = engine.compress(b"hello" * 100) + engine.flush(zlib.Z_FINISH) + b"\0"
    with connect(server.port) as wire:
        wire.open(Sec_WebSocket_Extensions="permessage-deflate")
        for _ in range(3):
            wire.send(frame(TEXT, data, reserved=4))
            assert inflated(compressed_frame(wire)) == b"hello" * 100


def test_message_that_is_not_compressed_is_taken_too(server):
    with connect(server.port) as wire:
        wire.open(Sec_WebSocket_Extensions="permessage-deflate")
        wire.send(frame(TEXT, b"plain") + frame(BINARY, b"bytes"))
        assert wire.frame() == (TEXT, b"plain")
        assert wire.frame() == (BINARY, b"bytes")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 60000])
def test_noise_comes_back(peer, server, length):
    data = os.urandom(length)
    with peer.connected(server.echo_url, compression=True) as socket:
        for _ in range(3):
            socket.send(data)
            assert socket.receive() == data


@pytest.mark.parametrize("client", [connecting, c_connecting], ids=["swift", "c"])
def test_clients_of_ours_refuse_what_is_too_big_inflated(peer, client):
    with peer.listening(compression=True) as listener, client(listener.url) as talk:
        listener.send(bytes(2**20 + 1))
        assert listener.wait_for_close()[0] == 1009
        assert talk.wait()[0] == 1


def test_compression_passes_a_proxy():
    with serve() as server, proxy_of(server) as proxy, websockets_connect(proxy.echo_url) as socket:
        assert socket.protocol.extensions
        socket.send(MIXED * 4000)
        assert socket.recv(WAIT) == MIXED * 4000


def test_compression_that_is_not_offered_is_not_used(server):
    with connect(server.port) as wire:
        assert "sec-websocket-extensions" not in wire.open().fields
        wire.send(frame(TEXT, b"hello" * 100))
        assert wire.take(4) == b"\x81\x7e\x01\xf4"
