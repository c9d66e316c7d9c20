"""Servers that attack their clients: `weft connect` and the client of the C API."""

import contextlib
import itertools
import os
import socket
import struct
import subprocess
import threading
import time
from collections import Counter

import pytest

import wire
from programs import WAIT, c_example, program
from victim import COSTS, Cost, status_kb

CLIENTS = {
    "c": lambda url: [c_example("client"), url],
    "swift": lambda url: [program("WEFT_TOOL"), "connect", url],
}

# At most so much is a client in memory, its libraries with it; when it has done nothing it is 6 and 28 MiB.
MOST_KB = {"c": 12 * 1024, "swift": 40 * 1024}


@pytest.fixture(params=CLIENTS)
def client(request):
    return request.param


def run_against(client, what, serve, *, most_ms=1500):
    """Lets a client connect to a server that `serve` plays; says how it ended, and what it cost it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT)
        process = subprocess.Popen(
            CLIENTS[client](f"ws://127.0.0.1:{listening.getsockname()[1]}/"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        sent = []
        peaks = []

        def play():
            accepted, _ = listening.accept()
            accepted.settimeout(WAIT)
            peaks.append(status_kb(process.pid, "VmHWM"))  # it waits for the answer
            with accepted, contextlib.suppress(OSError):
                sent.append(serve(wire.Wire(accepted)) or 0)

        threads = [threading.Thread(target=play), threading.Thread(target=watch, args=[process.pid, peaks])]
        for thread in threads:
            thread.start()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for thread in threads:
            thread.join()
        process.stdin.close()
        process.stderr.close()
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
    COSTS.append(Cost(what, f"client {client}", (sent or [0])[0] / 1024, max(peaks), MOST_KB[client], cpu_ms, most_ms, 0))
    assert process.returncode == 1, errors
    assert errors
    assert max(peaks) < MOST_KB[client]
    assert cpu_ms < most_ms
    return errors


def watch(pid, peaks):
    """The peak so far, until the process is a zombie. What wait4() says of it includes the memory of this process, which
    it was for a moment."""
    with contextlib.suppress(OSError, RuntimeError):
        while True:
            peaks.append(status_kb(pid, "VmHWM"))
            time.sleep(0.002)


def flooding(front, piece, most=64 << 20):
    def serve(peer):
        peer.request()
        peer.send(front)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < most:
                peer.send(piece)
                sent += len(piece)
        return sent

    return serve


FLOODS = {
    "fields": (b"HTTP/1.1 101 Switching Protocols\r\n", b"a: b\r\n" * 10_000),
    "one field": (b"HTTP/1.1 101 Switching Protocols\r\na: ", b"b" * 65536),
    "reason": (b"HTTP/1.1 101 ", b"b" * 65536),
    "cookies": (b"HTTP/1.1 101 Switching Protocols\r\n", b"Set-Cookie: " + b"c" * 4000 + b"\r\n"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000),
    "body of a refusal": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000000000\r\n\r\n", bytes(65536)),
    "chunked body of a refusal": (b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 10_000),
}


@pytest.mark.parametrize("what", FLOODS)
def test_answer_that_never_ends(client, what):
    run_against(client, f"answer: endless {what}", flooding(*FLOODS[what]))


def opening(then):
    """A server that accepts, and then does something else."""

    def serve(peer):
        key = peer.request()["sec-websocket-key"]
        peer.send(wire.upgrade_answer(key))
        return then(peer)

    return serve


@pytest.mark.parametrize("length", [2**63, 2**63 - 1, 2**53 + 1, 2**64 - 1, 2**32])
def test_length_that_lies(client, length):
    first = struct.pack(">BBQ", 0x82, 127, length) + bytes(65536)
    run_against(client, f"length of {length}", opening(lambda peer: peer.send(first)))
    fragment = wire.frame(wire.BINARY, b"a", final=False, is_masked=False)
    second = fragment + struct.pack(">BBQ", 0x80, 127, length) + bytes(65536)
    run_against(client, f"length of {length} in a second fragment", opening(lambda peer: peer.send(second)))


def test_million_empty_fragments(client):
    data = wire.frame(wire.TEXT, final=False, is_masked=False) + wire.frame(0, final=False, is_masked=False) * 1_000_000
    run_against(client, "1,000,000 empty fragments", opening(lambda peer: peer.send(data)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_follow_no_redirect(client, status):
    """A client of ours follows none: the handshake has failed, and nobody else hears of it."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        location = f"ws://127.0.0.1:{elsewhere.getsockname()[1]}/"

        def serve(peer):
            peer.request()
            peer.send(f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())

        assert str(status) in run_against(client, f"redirect {status}", serve)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


MASKS = 20_000


def test_masks_and_keys_are_not_predictable(client):
    """Four new bytes for each frame (RFC 6455 section 5.3), spread evenly, and none known from those before."""
    masks, keys = [], []

    def serve(peer):
        key = peer.request()["sec-websocket-key"]
        keys.append(key)
        peer.send(wire.upgrade_answer(key))
        for _ in range(MASKS):
            first, second = peer.take(2)
            assert (first, second) == (0x81, 0x81)
            masks.append(peer.take(4))
            peer.take(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = CLIENTS[client](f"ws://127.0.0.1:{listening.getsockname()[1]}/")
        for _ in range(2):
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                accepted, _ = listening.accept()
                accepted.settimeout(WAIT)
                writer = threading.Thread(target=process.stdin.write, args=[b"a\n" * MASKS])
                writer.start()
                with accepted:
                    serve(wire.Wire(accepted))
                writer.join()
                process.kill()
    assert len(set(keys)) == 2
    assert len(set(masks)) > len(masks) - 10  # one pair among 40,000 is expected to be the same by chance once in five runs
    for place in range(4):
        assert_even(mask[place] for mask in masks)
        assert_even(one[place] ^ other[place] for one, other in itertools.pairwise(masks))
        assert_even((other[place] - one[place]) % 256 for one, other in itertools.pairwise(masks))


def assert_even(values):
    """Chi-square over 256 values: a fair source is beyond 430 once in 10^10 times."""
    counts = Counter(values)
    expected = counts.total() / 256
    assert sum((counts[value] - expected) ** 2 / expected for value in range(256)) < 430
