"""Attacks before the connection is a WebSocket."""

import contextlib
import socket
import struct
import time

import pytest

import wire
from programs import WAIT
from victim import attack, descriptors, push

CROWD = 1000


def crowd(stack, server, count=CROWD):
    return [stack.enter_context(wire.connect(server.port)) for _ in range(count)]


@pytest.mark.parametrize("what", ["slowloris", "silence"])
def test_thousand_handshakes_that_do_not_end(start, what):
    """A connection that says nothing, or one byte now and then, costs little, and is cut at the deadline."""
    request = wire.upgrade_request()[:60]
    options = ["--timeout", "3"]
    # A handshake's own is 1 KiB; a task, a head and the socket make the rest.
    with start(*options) as server, contextlib.ExitStack() as stack:
        with attack(f"{CROWD} connections: {what}", server, most_kb=8 * CROWD, most_ms=4000) as attacking:
            peers = crowd(stack, server)
            if what == "slowloris":
                for byte in request:
                    for peer in peers:
                        with contextlib.suppress(ConnectionError):
                            peer.send(attacking.count(bytes([byte])))
            for peer in peers:
                peer.assert_ended()
                assert not peer.buffer or peer.buffer.startswith(b"HTTP/1.1 408 ")


def test_thousand_handshakes_do_not_keep_others_out(start):
    with start() as server, contextlib.ExitStack() as stack:
        crowd(stack, server)
        with wire.connect(server.port) as peer:
            peer.open()


ENDLESS = {
    "header fields": wire.upgrade_request()[:-2] + b"a: b\r\n" * 1_000_000,
    "100,000 fields": wire.upgrade_request()[:-2] + b"a:\r\n" * 100_000 + b"\r\n",
    "one field of 8 MiB": wire.upgrade_request()[:-2] + b"a: " + b"b" * (8 << 20),
    "field name of 8 MiB": wire.upgrade_request()[:-2] + b"b" * (8 << 20),
    "target": b"GET /" + b"a" * (8 << 20),
    "method": b"G" * (8 << 20),
    "empty lines": b"\r\n" * (4 << 20),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_head_that_never_ends(server, what):
    data = ENDLESS[what]
    with attack(f"endless {what}", server, most_kb=256, most_ms=300) as attacking, wire.connect(server.port) as peer:
        attacking.sent = push(peer, data)
        peer.assert_ended()
        assert peer.buffer[:9] in (b"", b"HTTP/1.1 ") and peer.buffer[9:12] in (b"", b"400", b"414", b"431", b"501")


GREEDY = {
    "6,000 blanks in Sec-WebSocket-Protocol": {"Sec_WebSocket_Protocol": "a," + " " * 6000 + "b"},
    "3,000 subprotocols": {"Sec_WebSocket_Protocol": ",".join(["a"] * 3000)},
    "1,500 extensions": {"Sec_WebSocket_Extensions": ",".join(["a;b"] * 1500)},
    "permessage-deflate 400 times": {"Sec_WebSocket_Extensions": ",".join(["permessage-deflate"] * 400)},
    "3,000 parameters": {"Sec_WebSocket_Extensions": "permessage-deflate" + ";a" * 3000},
    "names of a prototype": {"Sec_WebSocket_Extensions": "constructor, __proto__; toString, hasOwnProperty"},
    "3,000 cookies": {"Cookie": "a=b;" * 1900},
    "quotes that do not end": {"Sec_WebSocket_Extensions": 'a; b="' + "\\\\" * 3000},
}


@pytest.mark.parametrize("what", GREEDY)
def test_fields_that_are_dear_to_read(server, what):
    request = wire.upgrade_request(**GREEDY[what])
    with attack(f"100 times {what}", server, most_kb=512, most_ms=500) as attacking:
        for _ in range(100):
            with wire.connect(server.port) as peer:
                peer.send(attacking.count(request))
                assert peer.answer().status in (101, 400, 431)


@pytest.mark.parametrize("bits", ["7", "16", "08", "0", "abc", "1000000000000", "-9", "9.0", "", "15;15"])
def test_window_bits_that_zlib_does_not_know(server, bits):
    for name in ("server_max_window_bits", "client_max_window_bits"):
        with wire.connect(server.port) as peer:
            peer.send(wire.upgrade_request(Sec_WebSocket_Extensions=f"permessage-deflate; {name}={bits}"))
            answer = peer.answer()
            assert answer.status == 400 or "sec-websocket-extensions" not in answer.fields


SECOND = b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"

SMUGGLED = {
    "body announced": wire.upgrade_request(Content_Length=str(len(SECOND))) + SECOND,
    "chunked body": wire.upgrade_request(Transfer_Encoding="chunked") + b"0\r\n\r\n" + SECOND,
    "both lengths": wire.upgrade_request(Content_Length="3", Transfer_Encoding="chunked") + b"0\r\n\r\n" + SECOND,
    "two lengths": wire.upgrade_request(Content_Length=["0", "37"]) + SECOND,
    "list of lengths": wire.upgrade_request(Content_Length="0, 37") + SECOND,
    "length with a sign": wire.upgrade_request(Content_Length="+37") + SECOND,
    "length that overflows": wire.upgrade_request(Content_Length="18446744073709551616") + SECOND,
    "length in hexadecimal": wire.upgrade_request(Content_Length="0x25") + SECOND,
    "coding that is not chunked": wire.upgrade_request(Transfer_Encoding="xchunked") + b"0\r\n\r\n" + SECOND,
    "coding with a vertical tab": wire.upgrade_request(Transfer_Encoding="\x0bchunked") + b"0\r\n\r\n" + SECOND,
    "coding twice": wire.upgrade_request(Transfer_Encoding=["chunked", "identity"]) + b"0\r\n\r\n" + SECOND,
    "coding in quotes": wire.upgrade_request(Transfer_Encoding='"chunked"') + b"0\r\n\r\n" + SECOND,
    "blank before the colon": wire.upgrade_request().replace(b"Host:", b"Content-Length : 37\r\nHost:") + SECOND,
    "folded field": wire.upgrade_request().replace(b"Host:", b"X: a\r\n b\r\nHost:") + SECOND,
    "bare line feed": wire.upgrade_request().replace(b"Host:", b"X: a\nContent-Length: 37\r\nHost:") + SECOND,
    "bare carriage return": wire.upgrade_request().replace(b"Host:", b"X: a\rContent-Length: 37\r\nHost:") + SECOND,
    "NUL in a value": wire.upgrade_request().replace(b"Host:", b"X: a\0b\r\nHost:") + SECOND,
    "NUL in the key": wire.upgrade_request(Sec_WebSocket_Key=wire.KEY + "\0") + SECOND,
    "two hosts": wire.upgrade_request(Host=["localhost", "other"]) + SECOND,
    "two keys": wire.upgrade_request(Sec_WebSocket_Key=[wire.KEY] * 2) + SECOND,
    "two versions": wire.upgrade_request(Sec_WebSocket_Version=["13", "8"]) + SECOND,
    "version 8": wire.upgrade_request(Sec_WebSocket_Version="8") + SECOND,
    "version 7": wire.upgrade_request(Sec_WebSocket_Version="7") + SECOND,
    "version 0": wire.upgrade_request(Sec_WebSocket_Version="0") + SECOND,
    "no Upgrade": wire.upgrade_request(drop=["Upgrade"]) + SECOND,
    "no Connection": wire.upgrade_request(drop=["Connection"]) + SECOND,
    "no version": wire.upgrade_request(drop=["Sec-WebSocket-Version"]) + SECOND,
    "HTTP/1.0": wire.upgrade_request(version="HTTP/1.0") + SECOND,
    "HTTP/2.0": wire.upgrade_request(version="HTTP/2.0") + SECOND,
    "absolute target of another host": wire.upgrade_request(path="http://other/ws") + SECOND,
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_nothing_is_read_behind_a_refused_upgrade(server, what):
    """One refusal, then the end: what follows is neither a second request nor frames."""
    with wire.connect(server.port) as peer:
        peer.send(SMUGGLED[what] + wire.frame(wire.TEXT, b"smuggled"))
        answer = peer.answer()
        assert 400 <= answer.status <= 505
        peer.assert_ended()
        assert not peer.buffer


FOREIGN = [
    "null",
    "http://evil.example",
    "http://localhost.evil.example",
    "http://evil.example/http://localhost",
    "http://localhost@evil.example",
    "http://evil.example#localhost",
    "http://localhostx",
    "http://xlocalhost",
    "https://localhost",
    "ws://localhost",
    "http://localhost:1",
    "http://localhost/",
    "http://localhost, http://localhost",
    "localhost",
    "http://",
    "",
    ["http://localhost", "http://evil.example"],
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("start", ["swift", "swift-inline"], indirect=True)
def test_page_of_another_site_is_kept_out(start, origin):
    """The C example lets all in, as its source says."""
    with start() as server, wire.connect(server.port) as peer:
        peer.send(wire.upgrade_request(Origin=origin))
        assert peer.answer().status in (400, 403)


RESET = struct.pack("ii", 1, 0)

LEFT_IN = {
    "silence": b"",
    "half a head": wire.upgrade_request()[:50],
    "the answer": wire.upgrade_request(),
    "half a frame": wire.upgrade_request() + wire.frame(wire.BINARY, bytes(5000))[:2500],
    "half a message": wire.upgrade_request() + wire.frame(wire.TEXT, b"a" * 60000, final=False),
    "its echo": wire.upgrade_request() + wire.frame(wire.BINARY, bytes(60000)) * 5,
    "the closing handshake": wire.upgrade_request() + wire.close_frame(1000),
}


@pytest.mark.parametrize("what", LEFT_IN)
def test_peers_that_leave_by_a_reset_leave_nothing(server, what):
    rounds = 1000
    with attack(f"{rounds} peers that leave in {what}", server, most_kb=1024, most_ms=1500) as attacking:
        before = descriptors(server) - 1  # without the bystander's
        for _ in range(rounds):
            with wire.connect(server.port) as peer:
                peer.send(attacking.count(LEFT_IN[what]))
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    until = time.monotonic() + WAIT
    while descriptors(server) > before and time.monotonic() < until:
        time.sleep(0.01)
    assert descriptors(server) == before


@pytest.mark.parametrize("what", ["silence", "half a head", "half a frame", "half a message"])
def test_half_closed_connections_are_ended_without_spinning(server, what):
    """A descriptor that is readable for ever would keep a loop busy."""
    count = 200
    most_kb = 2048 + count * 2 * len(LEFT_IN[what]) // 1024  # a buffer that grows is twice what it holds
    with attack(f"{count} half-closed in {what}", server, most_kb=most_kb, most_ms=400), contextlib.ExitStack() as stack:
        peers = crowd(stack, server, count)
        for peer in peers:
            peer.send(LEFT_IN[what])
            peer.socket.shutdown(socket.SHUT_WR)
        for peer in peers:
            peer.assert_ended()


def test_connection_is_not_used_again(server):
    """Neither after a closing handshake nor after a violation."""
    for end in (wire.close_frame(1000), wire.frame(3)):
        with wire.connect(server.port) as peer:
            peer.open()
            peer.send(end + wire.upgrade_request() + wire.frame(wire.TEXT, b"again"))
            assert peer.close_code() in (1000, 1002)
            peer.assert_ended()
            assert not peer.buffer
