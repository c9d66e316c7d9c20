"""Attacks on a connection that is open."""

import contextlib
import functools
import struct
import threading
import zlib

import pytest

import wire
from victim import attack, push
from wire import BINARY, CLOSE, PING, TEXT

LIMIT = 1 << 20  # maxMessageSize
FRAME_LIMIT = 1 << 16
FRAGMENT_LIMIT = 131_072


@functools.cache
def masked(opcode, payload=b"", final=True, reserved=0, count=1):
    """Frames with a mask of zeros, which is as good as any other to a server."""
    first = (128 if final else 0) | reserved << 4 | opcode
    return (wire.header(first, len(payload)) + bytes(4) + payload) * count


@contextlib.contextmanager
def opened(server, **fields):
    with wire.connect(server.port) as peer:
        peer.open(**fields)
        yield peer


def compressing(server):
    return opened(server, Sec_WebSocket_Extensions="permessage-deflate; client_no_context_takeover")


def deflated(data):
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("payload", [b"", b"a"], ids=["empty", "of one byte"])
def test_million_fragments(server, payload):
    """What a fragment costs beside its bytes is bounded by their number."""
    data = masked(TEXT, payload, final=False) + masked(0, payload, final=False, count=1_000_000)
    with attack(f"1,000,000 fragments {payload!r}", server, most_kb=1024, most_ms=500) as attacking, opened(server) as peer:
        attacking.sent = push(peer, data)
        assert peer.close_code() == 1009


def test_message_of_single_bytes(server):
    data = masked(TEXT, b"a", final=False) + masked(0, b"a", final=False, count=99_998) + masked(0, b"a")
    with attack("message of 100,000 fragments", server, most_kb=1024, most_ms=500) as attacking, opened(server) as peer:
        peer.send(attacking.count(data))
        text = b""
        while len(text) < 100_000:
            text += peer.frame()[1]
        assert text == b"a" * 100_000


def test_messages_that_are_held_open(server):
    """20 connections hold 60,000 bytes each, which came one by one: no more than the bytes and their growing buffer."""
    data = masked(TEXT, b"a", final=False) + masked(0, b"a", final=False, count=59_999)
    with attack("20 times 60,000 fragments", server, most_kb=20 * 192, most_ms=800) as attacking:
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                peer = stack.enter_context(opened(server))
                peer.send(attacking.count(data + masked(PING, b"there")))
                assert peer.frame() == (wire.PONG, b"there")


@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
def test_ping_flood(server, reads):
    """Of pongs that wait only the newest is kept."""
    data = masked(PING, b"p" * 125, count=200_000)
    with attack(f"200,000 pings, pongs {'read' if reads else 'unread'}", server, most_kb=1024, most_ms=2500) as attacking:
        with opened(server) as peer:
            if reads:
                attacking.sent = push_and_drain(peer, data)
            else:
                attacking.sent = push(peer, data + GOODBYE)
                drain(peer)


GOODBYE = wire.close_frame(1000)


def drain(peer):
    """Reads to the end, which comes when everything was handled: the close frame is the last."""
    while peer.socket.recv(1 << 20):
        pass


def push_and_drain(peer, data):
    reader = threading.Thread(target=drain, args=[peer])
    reader.start()
    taken = push(peer, data + GOODBYE)
    reader.join()
    assert taken == len(data) + len(GOODBYE)
    return taken


@pytest.mark.parametrize("behind", ["close frames", "messages"])
def test_flood_behind_a_close_frame(server, behind):
    """It is answered once, and the rest is thrown away unread."""
    flood = masked(CLOSE, struct.pack(">H", 1000), count=1_000_000) if behind == "close frames" else masked(
        BINARY, bytes(60_000), count=200
    )  # fmt: skip
    with attack(f"{len(flood) >> 20} MiB of {behind} behind a close", server, most_kb=256, most_ms=300) as attacking:
        with opened(server) as peer:
            attacking.sent = push(peer, masked(CLOSE, struct.pack(">H", 4000)) + flood)
            assert peer.close_code() == 4000
            peer.assert_ended()
            assert not peer.buffer


@pytest.mark.parametrize("is_fragmented", [False, True], ids=["whole", "fragmented"])
def test_deflate_bomb(server, is_fragmented):
    """1000:1. No more than the limit is ever inflated."""
    bomb = deflated(bytes(60_000_000))
    assert len(bomb) < FRAME_LIMIT
    what = f"bombs of 60 MB, {'fragmented' if is_fragmented else 'whole'}"
    with attack(what, server, most_kb=3072, most_ms=600) as attacking:
        for _ in range(20):
            with compressing(server) as peer:
                if is_fragmented:
                    data = masked(BINARY, bomb[:100], final=False, reserved=4)
                    data += b"".join(masked(0, bomb[i : i + 100], final=False) for i in range(100, len(bomb), 100))
                else:
                    data = masked(BINARY, bomb, reserved=4)
                attacking.sent += push(peer, data)
                assert peer.close_code() == 1009


@pytest.mark.parametrize("over", [0, 1])
def test_message_that_inflates_to_the_limit(server, over):
    with compressing(server) as peer:
        peer.send(masked(BINARY, deflated(bytes(LIMIT + over)), reserved=4))
        if over:
            assert peer.close_code() == 1009
        else:
            assert peer.frame()[0] == BINARY


NOTHING = b"\x00\x00\x00\xff\xff"  # an empty block

DEAR = {
    "empty blocks": masked(BINARY, NOTHING * 12_000, final=False, reserved=4)
    + masked(0, NOTHING * 12_000, final=False, count=99),
    "fragments of a byte": masked(BINARY, b"\x00", final=False, reserved=4)
    + masked(0, b"\x00", final=False) + masked(0, b"\x00", final=False) + masked(0, b"\xff", final=False)
    + masked(0, b"\xff", final=False) + b"".join(masked(0, bytes([byte]), final=False) for byte in NOTHING) * 20_000,
    "tiny messages": masked(TEXT, deflated(b"a"), reserved=4, count=50_000),
}  # fmt: skip


@pytest.mark.parametrize("what", DEAR)
def test_compressed_input_that_is_dear(server, what):
    """The work follows the bytes that came."""
    data = DEAR[what]
    with attack(f"compressed {what}", server, most_kb=1024, most_ms=2500) as attacking, compressing(server) as peer:
        attacking.sent = push_and_drain(peer, data)


def test_input_left_over_is_not_the_next_message(server):
    """A block that does not end is an error of its message; what follows it is not its end."""
    unfinished = deflated(b"secret" * 100)[:-3]
    with compressing(server) as peer:
        peer.send(masked(TEXT, unfinished, reserved=4) + masked(TEXT, b"x"))
        assert peer.close_code() == 1007


def test_bytes_behind_the_last_block_belong_to_their_message(server):
    compressor = zlib.compressobj(9, wbits=-15)
    first = compressor.compress(b"first ") + compressor.flush(zlib.Z_FINISH)
    with compressing(server) as peer:
        peer.send(masked(TEXT, first + deflated(b"second"), reserved=4))
        peer.send(masked(TEXT, deflated(b"third"), reserved=4))
        assert [peer.frame(), peer.frame()] == [(TEXT, b"first second"), (TEXT, b"third")]  # too short to compress


def test_peer_that_never_reads_its_echo(server):
    """Reading from it stops while what it should read waits."""
    frame = bytes(FRAME_LIMIT)
    data = masked(BINARY, frame, final=False) + masked(0, frame, final=False, count=14) + masked(0, frame)
    with attack("64 messages of 1 MiB, echoes unread", server, most_kb=4096, most_ms=1500) as attacking:
        with opened(server) as peer:
            attacking.sent = push(peer, data * 64)
            assert attacking.sent < len(data) * 64


@pytest.mark.parametrize("start", ["swift"], indirect=True)
def test_member_of_a_chat_who_never_reads(start):
    """What waits for one is bounded by sendQueueLimit, 16 MiB; the others get everything."""
    count, text = 40, b"x" * (LIMIT - 1000)
    pieces = [text[i : i + FRAME_LIMIT] for i in range(0, len(text), FRAME_LIMIT)]
    frames = masked(TEXT, pieces[0], final=False)
    frames += b"".join(masked(0, piece, final=False) for piece in pieces[1:-1]) + masked(0, pieces[-1])
    with start() as server, wire.connect(server.port) as silent, wire.connect(server.port) as loud:
        silent.open("/chat")
        loud.open("/chat")
        with attack("40 MiB for a member who does not read", server, most_kb=24 * 1024, most_ms=3000) as attacking:
            for _ in range(count):
                loud.send(attacking.count(frames))
                length = 0
                while length < len(text):
                    opcode, payload = loud.frame()
                    length += len(payload) if opcode in (TEXT, 0) else 0


def test_megabyte_glued_to_the_head(server):
    message = masked(TEXT, b"glued")
    count = (1 << 20) // len(message)
    with attack("1 MiB of frames behind the request", server, most_kb=2048, most_ms=800) as attacking:
        with wire.connect(server.port) as peer:
            sender = threading.Thread(target=peer.send, args=[attacking.count(wire.upgrade_request() + message * count)])
            sender.start()
            assert peer.answer().status == 101
            for _ in range(count):
                assert peer.frame() == (TEXT, b"glued")
            sender.join()


def test_text_that_goes_wrong_at_its_end(start):
    size = 16 << 20
    options = ["--max-message-size", str(size), "--max-frame-size", str(size)]
    data = masked(TEXT, "ä".encode() * (size // 2 - 1) + b"\xff\xff")
    with start(*options) as server:
        with attack("16 MiB of text, wrong at its end", server, most_kb=2 * size // 1024, most_ms=500) as attacking:
            with opened(server) as peer:
                attacking.sent = push(peer, data)
                assert peer.close_code() == 1007


@pytest.mark.parametrize("length", [2**63, 2**63 - 1, 2**53 + 1, 2**64 - 1, 2**32, LIMIT + 1])
def test_length_that_lies(server, length):
    """As a frame of its own, and as the second fragment of a message. Nothing is set aside for it."""
    lie = struct.pack(">BBQ", 0x80, 0xFF, length) + bytes(4)
    with attack(f"length of {length}", server, most_kb=64, most_ms=100) as attacking:
        for first in (struct.pack(">BBQ", 0x82, 0xFF, length) + bytes(4), masked(BINARY, b"a", final=False) + lie):
            with opened(server) as peer:
                attacking.sent += push(peer, first)
                assert peer.close_code() in (1002, 1009)
                peer.assert_ended()
