"""Our servers with clients that others wrote: Python's websockets, and websocat."""

import contextlib
import subprocess
import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from programs import TOOLS, WAIT

MIXED = "aäß€\U0001f600 "


@pytest.fixture
def socket(server):
    with connect(server.echo_url, max_size=None) as opened:
        yield opened


@pytest.mark.parametrize("text", ["", "hello", MIXED, MIXED * 4000], ids=["empty", "short", "mixed", "long"])
def test_text_comes_back(socket, text):
    socket.send(text)
    assert socket.recv(WAIT) == text


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536])
def test_bytes_come_back(socket, length):
    data = bytes(i % 251 for i in range(length))
    socket.send(data)
    assert socket.recv(WAIT) == data


def test_fragmented_message_comes_back_whole(socket):
    parts = [MIXED * 1000] * 40
    socket.send(parts)
    assert socket.recv(WAIT) == "".join(parts)


def test_messages_come_back_in_order(socket):
    texts = [f"message {i} " + "x" * (i % 300) for i in range(2000)]
    sender = threading.Thread(target=lambda: [socket.send(text) for text in texts])
    sender.start()
    assert [socket.recv(WAIT) for _ in texts] == texts
    sender.join(WAIT)


def test_ping_is_answered(socket):
    assert socket.ping(b"payload").wait(WAIT)


def test_close_is_answered(socket):
    socket.close(3001, "enough")
    assert socket.protocol.close_rcvd.code == 3001
    assert socket.protocol.close_rcvd_then_sent is False


def test_frame_over_the_limit_is_refused_with_1009(server):
    with connect(server.echo_url, compression=None, max_size=None) as socket:
        socket.send(bytes(65537))
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(WAIT)
        assert caught.value.rcvd.code == 1009


def test_hundred_connections_at_a_time(server):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(server.echo_url)) for _ in range(100)]
        for number, socket in enumerate(sockets):
            socket.send(str(number))
        for number, socket in enumerate(sockets):
            assert socket.recv(WAIT) == str(number)


def test_chat_reaches_everybody(demo):
    url = f"ws://127.0.0.1:{demo.port}/chat"
    with connect(url) as first, connect(url) as second:
        # The second one's own message tells that it is in; from then on it hears the first.
        second.send("I am in")
        while "I am in" not in second.recv(WAIT):
            pass
        first.send("hello all")
        for socket in (first, second):
            while "hello all" not in socket.recv(WAIT):
                pass


def test_unknown_path_is_refused_with_404(demo):
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{demo.port}/nowhere")
    assert caught.value.response.status_code == 404


def websocat(server, *options, data):
    return subprocess.run(
        [TOOLS / "websocat", *options, server.echo_url], input=data, capture_output=True, timeout=WAIT, check=True
    ).stdout


def test_websocat_gets_its_lines_back(server):
    data = f"one\n{MIXED}\nthree\n".encode()
    assert websocat(server, "--no-close", "--max-messages-rev", "3", data=data) == data


def test_websocat_gets_its_bytes_back(server):
    data = bytes(range(256)) * 40
    assert websocat(server, "--binary", "--no-close", "--one-message", data=data) == data
