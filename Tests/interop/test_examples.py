"""The programs of Examples/c beside the echo server, with peers that others wrote."""

import contextlib
import subprocess

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from programs import WAIT, c_connecting, c_example, running_example
from test_connect import serving

MIXED = "aäß€\U0001f600 "


@pytest.fixture(scope="module")
def poll_server():
    with running_example("poll", "0") as server:
        yield server


@pytest.fixture(scope="module")
def members():
    with running_example("members", "0", "ada", "grace") as server:
        yield server


def converse(url, *lines, expect, subprotocols=()):
    """Runs the client until as many lines have come back as are expected; returns them and the exit code."""
    command = [c_example("client"), url, *([",".join(subprotocols)] if subprotocols else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        for line in lines:
            client.stdin.write(line + "\n")
        client.stdin.flush()
        answers = [client.stdout.readline().rstrip("\n") for _ in range(expect)]
        client.stdin.close()
        return answers, client.wait(WAIT)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 65537, 200000])
def test_poll_loop_sends_messages_back(poll_server, length):
    with connect(poll_server.echo_url, compression=None, max_size=None) as socket:
        data = bytes(i % 251 for i in range(length))
        socket.send([data[:1000], data[1000:60000], data[60000:120000], data[120000:180000], data[180000:]])
        assert socket.recv(WAIT) == data


def test_poll_loop_serves_many_at_a_time(poll_server):
    with contextlib.ExitStack() as all_of_them:
        sockets = [all_of_them.enter_context(connect(poll_server.echo_url)) for _ in range(50)]
        for i, socket in enumerate(sockets):
            socket.send(f"{MIXED} {i}")
        assert [socket.recv(WAIT) for socket in sockets] == [f"{MIXED} {i}" for i in range(50)]
    assert {socket.close_code for socket in sockets} == {1000}


def test_poll_loop_refuses_an_oversized_frame(poll_server):
    with connect(poll_server.echo_url, compression=None) as socket:
        socket.send(b"x" * 65537)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(WAIT)
        assert closed.value.rcvd.code == 1009
        assert closed.value.rcvd.reason == "frame of 65537 bytes is over maxFrameSize 65536"


def test_a_member_is_welcome(members):
    url = f"ws://127.0.0.1:{members.port}/members?name=ada"
    with connect(url, subprotocols=["other", "members.v1"]) as socket:
        assert socket.recv(WAIT) == "welcome, ada"
        assert socket.subprotocol == "members.v1"
        assert socket.response.headers["X-Member"] == "ada"
        socket.send(": hello")
        assert socket.recv(WAIT) == "ada: hello"


def test_others_are_refused(members):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{members.port}/members?name=eve")
    assert refused.value.response.status_code == 403
    assert refused.value.response.body == b"only members may enter"


def test_client_converses_with_websockets():
    def handle(connection):
        for message in connection:
            connection.send(message.upper() if isinstance(message, str) else message)
            if message == "bytes":
                connection.send(b"12345")

    with serving(handle, subprotocols=["talk"]) as url:
        answers, code = converse(url, "hello", "bytes", "grüße", expect=4, subprotocols=["chat", "talk"])
    assert (answers, code) == (["HELLO", "BYTES", "(5 bytes)", "GRÜSSE"], 0)


def test_client_tells_how_the_server_closed():
    with serving(lambda connection: connection.close(4001, "enough")) as url, c_connecting(url) as talk:
        assert talk.wait() == (1, "", "weft-c-client: closed with 4001 enough\n")


def test_client_tells_why_it_is_refused(members):
    url = f"ws://127.0.0.1:{members.port}/members"
    ended = subprocess.run([c_example("client"), url], input="", capture_output=True, text=True, timeout=WAIT, check=False)
    assert (ended.returncode, ended.stderr) == (1, "weft-c-client: server answered 403 instead of 101\n")
