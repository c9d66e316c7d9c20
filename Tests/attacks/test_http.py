"""Attacks on what serves plain HTTP."""

import contextlib
import signal
import threading
import time

import pytest

import wire
from programs import WAIT
from victim import attack, push

pytestmark = pytest.mark.parametrize("start", ["swift"], indirect=True)

HEAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"


def chunk(data, extension=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


ENDLESS = {
    "body of 1 TB": (HEAD + b"Content-Length: 1000000000000\r\n\r\n" + bytes(8 << 20), 413),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(bytes(65536)) * 128, 413),
    "chunks of one byte": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"a") * 1_200_000, 413),
    "chunk extension": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * (8 << 20), 400),
    "chunk extensions": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b"a", b";b=c") * 500_000, 400),
    "chunk size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * (8 << 20), 400),
    "chunk that overflows": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + bytes(1 << 20), 413),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 1_000_000, 400),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_body_that_never_ends(server, what):
    data, status = ENDLESS[what]
    # The limit of this server's bodies is 1 MiB; a buffer that grows is twice what it holds.
    with attack(f"endless {what}", server, most_kb=3072, most_ms=500) as attacking, wire.connect(server.port) as peer:
        attacking.sent = push(peer, data)
        peer.assert_ended()
        # A reset may have overtaken the answer where the attacker went on for longer than a second.
        assert peer.buffer[9:12] in (b"", b"%d" % status)


def test_requests_whose_answers_nobody_reads(server):
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with attack("100,000 requests, answers unread", server, most_kb=4096, most_ms=2500) as attacking:
        with wire.connect(server.port) as peer:
            attacking.sent = push(peer, request * 100_000)
            assert attacking.sent < len(request) * 100_000


def test_bodies_that_are_announced_and_never_come(start):
    request = HEAD + b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    with start("--timeout", "2") as server, contextlib.ExitStack() as stack:
        with attack("500 bodies that do not come", server, most_kb=500 * 16, most_ms=1000) as attacking:
            peers = [stack.enter_context(wire.connect(server.port)) for _ in range(500)]
            for peer in peers:
                peer.send(attacking.count(request))
            for peer in peers:
                assert peer.answer().status == 100
                peer.assert_ended()


def test_graceful_stop_does_not_wait_for_those_who_do_not_answer(start):
    """The tool gives connections 5 seconds."""
    with start() as server, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(wire.connect(server.port)) for _ in range(200)]
        for peer in peers[:100]:
            peer.open()
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(WAIT) == 0
        assert time.monotonic() - begun < WAIT / 2
        for peer in peers[:100]:
            assert peer.close_code() == 1001
        for peer in peers:
            peer.assert_ended()


def test_answers_of_one_do_not_wait_for_another(server):
    """A peer that takes its answer byte by byte keeps nobody."""
    with wire.connect(server.port) as slow:
        slow.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        results = []

        def ask():
            with wire.connect(server.port) as peer:
                peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                results.append(peer.answer().status)

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [200] * 20
