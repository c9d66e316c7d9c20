"""Frames, good and bad, byte for byte: the right close code, and nobody else is disturbed."""

import socket
import struct

import pytest

from wire import BINARY, CLOSE, PING, PONG, TEXT, close_frame, connect, frame, header

BAD = {
    "unmasked": (frame(TEXT, b"hi", is_masked=False), 1002),
    "reserved opcode 3": (frame(3), 1002),
    "reserved opcode 11": (frame(11), 1002),
    "rsv1 without an extension": (frame(TEXT, b"hi", reserved=4), 1002),
    "rsv2": (frame(TEXT, b"hi", reserved=2), 1002),
    "rsv3": (frame(TEXT, b"hi", reserved=1), 1002),
    "fragmented ping": (frame(PING, final=False), 1002),
    "ping of 126": (frame(PING, bytes(126)), 1002),
    "continuation without a start": (frame(0, b"hi"), 1002),
    "start inside a message": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text that ends inside a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "overlong character across fragments": (frame(TEXT, b"\xe0", final=False) + frame(0, b"\x80\x80"), 1007),
    "frame over the limit, announced only": (header(0x82, 65537) + bytes(4), 1009),
    "frame of 2^63 - 1, announced only": (header(0x82, 2**63 - 1) + bytes(4), 1009),
    "length with its top bit set": (struct.pack(">BBQ", 0x82, 255, 2**63), 1002),
    "length of 5 in 16 bits": (struct.pack(">BBH", 0x82, 254, 5), 1002),
    "length of 5 in 64 bits": (struct.pack(">BBQ", 0x82, 255, 5), 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close with 1005": (close_frame(1005), 1002),
    "close with 1006": (close_frame(1006), 1002),
    "close with 999": (close_frame(999), 1002),
    "close with 5000": (close_frame(5000), 1002),
    "close with a reason that is not UTF-8": (close_frame(1000, b"\xff"), 1007),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frame_is_answered_and_the_end(server, name):
    data, code = BAD[name]
    with connect(server.port) as witness, connect(server.port) as wire:
        witness.open()
        wire.open()
        wire.send(data)
        assert wire.close_code() == code
        wire.assert_ended()
        witness.send(frame(TEXT, b"undisturbed"))
        assert witness.frame() == (TEXT, b"undisturbed")


@pytest.mark.parametrize("name", BAD)
def test_bad_frame_in_single_bytes_is_answered_alike(server, name):
    data, code = BAD[name]
    with connect(server.port) as wire:
        wire.open()
        try:
            for byte in data:
                wire.send(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before its end
        assert wire.close_code() == code


def test_message_over_the_limit_in_fragments_is_refused(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(BINARY, bytes(65536), final=False))
        for _ in range(16):
            wire.send(frame(0, bytes(65536), final=False))
        assert wire.close_code() == 1009
        wire.assert_ended()


def test_message_at_the_limit_comes_back(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(BINARY, b"\x01" * 65536, final=False))
        for i in range(15):
            wire.send(frame(0, b"\x01" * 65536, final=i == 14))
        received = 0
        while received < 2**20:
            opcode, payload = wire.frame()
            assert opcode in (0, BINARY) and payload == b"\x01" * len(payload)
            received += len(payload)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 4999])
def test_close_code_comes_back(server, code):
    with connect(server.port) as wire:
        wire.open()
        wire.send(close_frame(code, b"bye"))
        assert wire.close_code() == code
        wire.assert_ended()


def test_close_without_code_comes_back_without_code(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(close_frame())
        assert wire.close_code() is None
        wire.assert_ended()


def test_nothing_behind_a_close_frame_is_answered(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(close_frame(1000) + frame(TEXT, b"late") + frame(PING, b"late"))
        assert wire.frame()[0] == CLOSE
        wire.assert_ended()
        assert wire.buffer == b""


def test_ping_between_fragments_is_answered_first(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(TEXT, b"one ", final=False) + frame(PING, b"?") + frame(0, b"message"))
        assert wire.frame() == (PONG, b"?")
        assert wire.frame() == (TEXT, b"one message")


def test_empty_messages_come_back(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(TEXT) + frame(BINARY) + frame(PING))
        assert [wire.frame() for _ in range(3)] == [(TEXT, b""), (BINARY, b""), (PONG, b"")]


def test_reset_in_the_middle_of_a_frame_disturbs_nobody(server):
    with connect(server.port) as witness:
        witness.open()
        with connect(server.port) as wire:
            wire.open()
            wire.send(frame(BINARY, bytes(60000))[:30000])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # the close is a reset
        witness.send(frame(TEXT, b"undisturbed"))
        assert witness.frame() == (TEXT, b"undisturbed")
