"""Frames that break RFC 6455, and the close code that they are answered with; the same for either role."""

import functools
import struct

import wire
from wire import BINARY, CLOSE, PING, PONG, TEXT


def bad_frames(is_masked):
    """By name: the bytes, and the code. All is well but what the name says, so the masking is the sender's own."""
    frame = functools.partial(wire.frame, is_masked=is_masked)
    mask_bit = 128 if is_masked else 0

    def close(code, reason=b""):
        return frame(CLOSE, struct.pack(">H", code) + reason)

    def length_in_16_bits(length):
        return struct.pack(">BBH", 0x82, mask_bit | 126, length)

    def length_in_64_bits(length):
        return struct.pack(">BBQ", 0x82, mask_bit | 127, length)

    return {
        "masked otherwise": (wire.frame(TEXT, b"hi", is_masked=not is_masked), 1002),
        **{f"reserved opcode {opcode}": (frame(opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
        "reserved opcode inside a message": (frame(TEXT, b"a", final=False) + frame(3, b"b"), 1002),
        "rsv1 without an extension": (frame(TEXT, b"hi", reserved=4), 1002),
        "rsv2": (frame(TEXT, b"hi", reserved=2), 1002),
        "rsv3": (frame(TEXT, b"hi", reserved=1), 1002),
        "rsv1 on a ping": (frame(PING, b"hi", reserved=4), 1002),
        "rsv1 on a continuation": (frame(TEXT, b"a", final=False) + frame(0, b"b", reserved=4), 1002),
        "all reserved bits": (frame(BINARY, b"hi", reserved=7), 1002),
        "fragmented ping": (frame(PING, final=False), 1002),
        "fragmented pong": (frame(PONG, final=False), 1002),
        "fragmented close": (frame(CLOSE, b"\x03\xe8", final=False), 1002),
        "ping of 126": (frame(PING, bytes(126)), 1002),
        "pong of 126": (frame(PONG, bytes(126)), 1002),
        "close of 126": (close(1000, b"x" * 124), 1002),
        "ping of 2^16": (frame(PING, bytes(65536)), 1002),
        "continuation without a start": (frame(0, b"hi"), 1002),
        "last continuation without a start": (frame(0, b"hi", final=False), 1002),
        "continuation behind a whole message": (frame(BINARY, b"a", final=False) + frame(0, b"b") + frame(0, b"c"), 1002),
        "bytes inside a text": (frame(TEXT, b"a", final=False) + frame(BINARY, b"b"), 1002),
        "start inside a message": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
        "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
        "text that ends inside a character": (frame(TEXT, b"\xe2\x82"), 1007),
        "text that goes wrong long before its end": (frame(TEXT, b"fine \xff", final=False), 1007),
        "byte that no character begins with": (frame(TEXT, b"\x80"), 1007),
        "beyond Unicode": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
        "message that ends inside a character": (frame(TEXT, b"\xe2", final=False) + frame(0, b"\x82"), 1007),
        "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
        "overlong character across fragments": (frame(TEXT, b"\xe0", final=False) + frame(0, b"\x80\x80"), 1007),
        "frame over the limit, announced only": (frame(BINARY, bytes(65537))[:14], 1009),
        "frame of 2^63 - 1, announced only": (length_in_64_bits(2**63 - 1) + bytes(4), 1009),
        "length with its top bit set": (length_in_64_bits(2**63), 1002),
        "length of 5 in 16 bits": (length_in_16_bits(5), 1002),
        "all bits of a length": (length_in_64_bits(2**64 - 1), 1002),
        "length of 125 in 16 bits": (length_in_16_bits(125), 1002),
        "length of 65535 in 64 bits": (length_in_64_bits(65535), 1002),
        "length of 5 in 64 bits": (length_in_64_bits(5), 1002),
        "close of one byte": (frame(CLOSE, b"\x03"), 1002),
        "close with 1005": (close(1005), 1002),
        "close with 1006": (close(1006), 1002),
        **{f"close with {code}": (close(code), 1002) for code in (0, 999, 1004, 1015, 1016, 2999, 5000, 65535)},
        "close with a reason that is not UTF-8": (close(1000, b"\xff"), 1007),
    }
