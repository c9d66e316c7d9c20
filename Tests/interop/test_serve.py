"""`weft serve` as a program: its line, its end, its errors."""

import signal
import socket

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from programs import WAIT, assert_refused, c_echo, serve, weft


def test_line_names_the_address():
    with serve() as server:
        assert server.line == f"weft: listening on http://127.0.0.1:{server.port}/\n"


def test_line_comes_with_quiet_when_the_port_was_chosen():
    with serve("--quiet") as server:
        assert server.port > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("start", [c_echo, serve, lambda: serve("--inline")], ids=["c", "swift", "swift-inline"])
def test_signal_closes_connections_with_1001_and_exits_with_0(start, number):
    with start() as server, connect(server.echo_url) as socket:
        socket.send("x")
        assert socket.recv(WAIT) == "x"
        server.process.send_signal(number)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(WAIT)
        assert caught.value.rcvd.code == 1001
        assert server.process.wait(WAIT) == 0


def test_signal_right_behind_the_line_is_not_lost():
    for _ in range(30):
        with serve() as server:
            assert server.stop() == 0


def test_port_in_use_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(weft("serve", "--host", "127.0.0.1", "--port", str(port)), str(port), "use")


def test_address_that_is_not_ours_is_said():
    assert_refused(weft("serve", "--host", "192.0.2.1", "--port", "0"), "192.0.2.1")


def test_no_arguments_are_said():
    result = weft()
    assert result.returncode != 0
    assert len(result.stderr.strip().splitlines()) <= 3, result.stderr
    assert "usage" in (result.stderr + result.stdout).lower() or "serve" in result.stderr


@pytest.mark.parametrize(
    "words",
    [["serve", "--port", "70000"], ["serve", "--port", "x"], ["serve", "--port", "0", "--threads", "0"], ["unknown"]],
    ids=" ".join,
)
def test_wrong_arguments_are_said(words):
    result = weft(*words)
    assert result.returncode != 0
    assert result.stderr.strip()


def test_several_threads_serve():
    with serve("--threads", "2") as server:
        for _ in range(20):
            with connect(server.echo_url) as socket:
                socket.send("x")
                assert socket.recv(WAIT) == "x"


def test_raised_limits_let_bigger_messages_through():
    with serve("--max-frame-size", "5000000", "--max-message-size", "5000000") as server:
        with connect(server.echo_url, max_size=None) as socket:
            data = bytes(4_000_000)
            socket.send(data)
            assert b"".join(socket.recv_streaming()) == data


def test_number_of_fragments_is_limited():
    with serve("--max-fragments", "10") as server, connect(server.echo_url) as socket:
        socket.send(["x"] * 9)  # and the last, empty frame
        assert socket.recv(WAIT) == "x" * 9
        with pytest.raises(ConnectionClosed) as caught:
            socket.send(["x"] * 20)
            socket.recv(WAIT)
        assert caught.value.rcvd.code == 1009
