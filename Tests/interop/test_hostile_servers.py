"""A proxy, and servers, that mean our clients harm: what that costs, and that the clients end."""

import contextlib
import functools
import struct
import zlib

import pytest

from programs import WAIT, c_connecting, connecting
from usage import Usage
from wire import BINARY, CLOSE, PING, Wire, frame, listen, upgrade_answer

CLIENTS = {"swift": connecting, "c": c_connecting}

# What a client may grow by beside what a case names: its loop's buffer of 512 KiB, what the system maps of its code as it
# gets there (some MiB in Swift), and what the allocator holds back.
SLACK_KIB = 6 * 1024

# Of a client from its start on: 10 times what was measured, on a machine that does other things too.
MOST_MS = 1000

FLOOD = 64 << 20  # bytes: more than the sockets of both ends hold for a client that does not read


@pytest.fixture(params=CLIENTS)
def client(request):
    """Each client program in turn."""
    return CLIENTS[request.param]


@contextlib.contextmanager
def costing(talk, most_kib, most_ms=MOST_MS):
    usage = Usage(talk.process.pid)
    try:
        yield
    finally:
        usage.end()
    print(f"grown by {usage.grown_kib} KiB of {most_kib} and {SLACK_KIB}, {usage.cpu_ms} ms of {most_ms}")
    assert usage.grown_kib <= most_kib + SLACK_KIB
    assert usage.cpu_ms <= most_ms


def assert_failed(talk):
    """Of a connection that was open; how much is said of its end is the program's own."""
    code, _, errors = talk.wait()
    assert code == 1
    assert errors


def push(wire, data):
    """Sends until all is sent or the client has gone; says how much it took."""
    taken = 0
    view = memoryview(data)
    with contextlib.suppress(ConnectionError):
        while taken < len(view):
            taken += wire.socket.send(view[taken : taken + 65536])
    return taken


@functools.cache
def unmasked(opcode, payload=b"", final=True, reserved=0, count=1):
    return frame(opcode, payload, final, reserved, is_masked=False) * count


OPENED = b"HTTP/1.1 200 Fine\r\n"
REFUSED = b"HTTP/1.1 403 Forbidden\r\n"
CHUNKED = REFUSED + b"Transfer-Encoding: chunked\r\n\r\n"

# How it begins, and how it goes on and on.
ENDLESS_ANSWERS = {
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "fields": (OPENED, b"a: b\r\n"),
    "cookies": (OPENED, b"Set-Cookie: a=b\r\n"),
    "cookie": (OPENED + b"Set-Cookie: a=", b"b"),
    "field name": (OPENED, b"a"),
    "reason": (b"HTTP/1.1 200 ", b"a"),
    "version": (b"HTTP/1.", b"1"),
    "empty lines": (b"", b"\r\n"),
    "body of a refusal": (REFUSED + b"\r\n", b"a"),
    "body of a refusal, announced": (REFUSED + b"Content-Length: 9223372036854775807\r\n\r\n", b"a"),
    "chunks of a byte": (CHUNKED, b"1\r\na\r\n"),
    "extension of a chunk": (CHUNKED + b"1;", b"a"),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n"),
}


@pytest.mark.parametrize("what", ENDLESS_ANSWERS)
def test_proxys_answer_that_never_ends_fails_the_client(what):
    begin, piece = ENDLESS_ANSWERS[what]
    data = begin + piece * (FLOOD // len(piece))
    with listen() as proxy:
        port = proxy.listening.getsockname()[1]
        with connecting("--proxy", f"127.0.0.1:{port}", "ws://server.invalid/") as talk:
            accepted, _ = proxy.listening.accept()
            accepted.settimeout(WAIT)
            with accepted, costing(talk, most_kib=256):
                wire = Wire(accepted)
                assert wire.request()[":line"].startswith("CONNECT server.invalid:80 ")
                assert push(wire, data) < len(data)
                talk.assert_failed()


LOCATIONS = {"/a\nb": "line feed", "/a\rb": "carriage return", "/a\0b": "control character"}


@pytest.mark.parametrize("location", LOCATIONS, ids=["LF", "CR", "NUL"])
def test_location_with_control_characters_fails_the_client(client, location):
    """As no answer at all, rather than as the redirect that it says it is."""
    with listen() as listener, client(listener.url) as talk, listener.accepting() as (wire, key):
        wire.send(upgrade_answer(key, status="302 Found", Location=location, Content_Length="0"))
        talk.assert_failed(LOCATIONS[location])


@contextlib.contextmanager
def opened(client, most_kib, most_ms=MOST_MS, **fields):
    with listen() as listener, client(listener.url) as talk, listener.accepting() as (wire, key):
        wire.send(upgrade_answer(key, **fields))
        with costing(talk, most_kib, most_ms):
            yield talk, wire


def test_pings_without_end_do_not_fill_the_client(client):
    """The server reads no pong: of those that wait the newest is kept, and beyond the high water nothing is read."""
    with opened(client, most_kib=256, most_ms=3000) as (talk, wire):
        wire.socket.settimeout(1)
        with contextlib.suppress(TimeoutError):
            push(wire, unmasked(PING, bytes(125), count=400_000))
        assert talk.process.poll() is None


def deflated(data):
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("piece", [65536, 100], ids=["whole", "fragmented"])
def test_deflate_bomb_fails_the_client(client, piece):
    """1000:1. No more than the limit is ever inflated."""
    bomb = deflated(bytes(60_000_000))
    data = unmasked(BINARY, bomb[:piece], final=piece >= len(bomb), reserved=4)
    for i in range(piece, len(bomb), piece):
        data += unmasked(0, bomb[i : i + piece], final=i + piece >= len(bomb))
    with opened(client, most_kib=3 * 1024, Sec_WebSocket_Extensions="permessage-deflate") as (talk, wire):
        push(wire, data)
        assert wire.close_code(is_masked=True) == 1009
        wire.socket.close()
        assert_failed(talk)


@pytest.mark.parametrize("bits", ["7", "16", "08", "0", "abc", "1000000000000", "-9", "9.0", ""])
@pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits"])
def test_window_bits_that_zlib_does_not_know_fail_the_client(client, name, bits):
    with opened(client, most_kib=64, Sec_WebSocket_Extensions=f"permessage-deflate; {name}={bits}") as (talk, _):
        talk.assert_failed("window_bits" if bits else "Sec-WebSocket-Extensions")


def test_close_frames_without_end_are_answered_once(client):
    data = unmasked(CLOSE, struct.pack(">H", 4001), count=2_000_000)
    with opened(client, most_kib=256) as (talk, wire):
        push(wire, data)
        assert wire.close_code(is_masked=True) == 4001
        wire.assert_ended()
        assert not wire.buffer
        assert_failed(talk)
