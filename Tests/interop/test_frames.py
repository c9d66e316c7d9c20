"""Frames, good and bad, byte for byte: the right close code, and nobody else is disturbed."""

import socket
import struct

import pytest

from bad_frames import bad_frames
from wire import BINARY, CLOSE, PING, PONG, TEXT, close_frame, connect, frame, header

BAD = bad_frames(is_masked=True)


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


def test_length_over_the_limit_is_told(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(header(0x82, 2**40) + bytes(4))
        opcode, payload = wire.frame()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack(">H", 1009))
        assert payload[2:] == b"frame of 1099511627776 bytes is over maxFrameSize 65536"


def test_text_cut_inside_characters_comes_back(server):
    text = "aäß€\U0001f600".encode()
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(TEXT, text[:1], final=False))
        wire.send(b"".join(frame(0, text[i : i + 1], final=False) for i in range(1, len(text))) + frame(0))
        assert wire.frame() == (TEXT, text)


def test_close_inside_a_message_is_answered(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(TEXT, b"begun", final=False) + close_frame(1001))
        assert wire.close_code() == 1001
        wire.assert_ended()


def test_pong_that_nobody_asked_for_is_passed_over(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(PONG, b"unasked") + frame(TEXT, b"next"))
        assert wire.frame() == (TEXT, b"next")


def test_longest_ping_is_answered(server):
    with connect(server.port) as wire:
        wire.open()
        wire.send(frame(PING, bytes(125)))
        assert wire.frame() == (PONG, bytes(125))


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


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
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
