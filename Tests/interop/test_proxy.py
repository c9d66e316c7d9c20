"""A server of ours behind nginx, as most are."""

import os

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from programs import WAIT, serve
from proxy import proxy_of
from test_http import curl

MIXED = "aäß€\U0001f600 "


@pytest.fixture(scope="module")
def proxy():
    """nginx gives up after 1 s of silence; the server pings sooner."""
    with serve("--keep-alive", "0.2") as server, proxy_of(server) as running:
        yield running


@pytest.fixture
def socket(proxy):
    with connect(proxy.echo_url, max_size=None) as opened:
        yield opened


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_messages_come_back(socket, length):
    for data in (bytes(i % 251 for i in range(length)), "x" * length):
        socket.send(data)
        assert socket.recv(WAIT) == data


def test_fragmented_message_comes_back_whole(socket):
    socket.send([MIXED * 1000] * 40)
    assert socket.recv(WAIT) == MIXED * 40000


def test_messages_come_back_in_order(socket):
    texts = [f"message {i} {MIXED}" for i in range(1000)]
    for text in texts:
        socket.send(text)
    assert [socket.recv(WAIT) for _ in texts] == texts


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_close_code_comes_back(socket, code):
    socket.close(code, "enough")
    assert socket.protocol.close_rcvd.code == code


def test_frame_over_the_limit_is_refused_with_1009_and_the_reason(proxy):
    with connect(proxy.echo_url, compression=None) as socket, pytest.raises(ConnectionClosed) as caught:
        socket.send(bytes(65537))
        socket.recv(WAIT)
    assert caught.value.rcvd.code == 1009
    assert caught.value.rcvd.reason == "frame of 65537 bytes is over maxFrameSize 65536"


def test_end_of_the_server_closes_with_1001():
    with serve() as server, proxy_of(server) as proxy, connect(proxy.echo_url) as socket:
        assert server.stop() == 0
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(WAIT)
        assert caught.value.rcvd.code == 1001


@pytest.mark.parametrize("peer", ["ws"], indirect=True)
def test_pings_keep_an_idle_connection_through_the_proxy(peer, proxy):
    with peer.connected(proxy.echo_url) as socket:
        for _ in range(8):
            socket.expect("ping")
        socket.send("still here")
        assert socket.receive() == "still here"


@pytest.mark.parametrize("peer", ["ws"], indirect=True)
def test_proxy_cuts_a_silent_connection_without_pings(peer):
    with serve("--keep-alive", "0") as server, proxy_of(server) as proxy:
        with peer.connected(proxy.echo_url) as socket:
            assert socket.wait_for_close() == (1006, "")


def test_many_connections_at_a_time(peer, proxy):
    with peer.converse() as conversation:
        assert conversation.crowd(proxy.echo_url, count=50, messages=5) == (250, 50)


def sockets_of(server):
    directory = f"/proc/{server.process.pid}/fd"
    return sum(os.readlink(f"{directory}/{number}").startswith("socket:") for number in os.listdir(directory))


def test_page_is_served_over_one_connection_that_is_kept():
    with serve() as server, proxy_of(server) as proxy:
        before = sockets_of(server)
        for _ in range(5):
            status, fields, body = curl(proxy, "/")
            assert status == 200
            assert int(fields["content-length"]) == len(body.encode())
        assert sockets_of(server) == before + 1


def test_refusals_pass(proxy):
    assert curl(proxy, "/nowhere")[0] == 404
    assert curl(proxy, proxy.echo_path)[0] == 426
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{proxy.port}/nowhere")
    assert caught.value.response.status_code == 404


def test_page_of_the_same_origin_connects_when_the_host_is_passed_on(proxy):
    with connect(proxy.echo_url, origin=f"http://127.0.0.1:{proxy.port}") as socket:
        socket.send("x")
        assert socket.recv(WAIT) == "x"


def test_page_of_another_origin_is_refused(proxy):
    with pytest.raises(InvalidStatus) as caught:
        connect(proxy.echo_url, origin="http://elsewhere.example")
    assert caught.value.response.status_code == 403


def test_origin_has_to_be_allowed_when_the_host_is_not_passed_on(proxy):
    origin = f"http://127.0.0.1:{proxy.hiding_port}"
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{proxy.hiding_port}/ws", origin=origin)
    assert caught.value.response.status_code == 403
    assert b"allowedOrigins" in caught.value.response.body
    with serve("--allow-origin", "https://chat.example") as server, proxy_of(server) as hiding:
        with connect(f"ws://127.0.0.1:{hiding.hiding_port}/ws", origin="https://chat.example") as socket:
            socket.send("x")
            assert socket.recv(WAIT) == "x"
