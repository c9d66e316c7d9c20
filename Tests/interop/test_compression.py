"""permessage-deflate with the libraries of others, in both roles and with every parameter."""

import contextlib
import itertools
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.sync.client import connect
from websockets.sync.server import serve as websockets_serve

from programs import WAIT, c_echo, connecting, serve
from remote import FRAGMENTING

MIXED = "aäß€\U0001f600 "
TEXTS = ["", "x", MIXED, MIXED * 2000, "x" * 65536, "".join(chr(32 + i * i % 95) for i in range(5000))]
BYTES = [b"", bytes(100), bytes(i * i % 251 for i in range(40000)), bytes(65536)]


@pytest.fixture
def socket(peer, server):
    with peer.connected(server.echo_url, compression=True) as conversation:
        assert "permessage-deflate" in conversation.wait_until_open()["extensions"]
        yield conversation


@pytest.mark.parametrize("data", TEXTS + BYTES, ids=lambda data: f"{type(data).__name__}-{len(data)}")
def test_messages_come_back(socket, data):
    for _ in range(3):
        socket.send(data)
    for _ in range(3):
        assert socket.receive() == data


def test_messages_come_back_in_order(socket):
    texts = [f"message {i} " + MIXED * (i % 50) for i in range(500)]
    for i, text in enumerate(texts):
        socket.send(text)
        if i % 100 == 0:
            socket.ping(b"%d" % i)
    assert [socket.receive() for _ in texts] == texts


@pytest.mark.parametrize("peer", FRAGMENTING, indirect=True)
@pytest.mark.parametrize("data", ["aäß€ " * 20000, bytes(300000)], ids=["text", "bytes"])
def test_fragmented_message_comes_back_whole(socket, data):
    socket.send(data, pieces=7)
    assert socket.receive() == data


def test_many_connections_share_contexts(peer, server):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(peer.connected(server.echo_url, compression=True)) for _ in range(30)]
        for number, socket in enumerate(sockets):
            socket.send(f"{number} " + MIXED * 100)
        for number, socket in enumerate(sockets):
            assert socket.receive() == f"{number} " + MIXED * 100


def test_client_of_ours_talks_to_peers(peer):
    with peer.listening(compression=True) as listener, connecting("--linger", "0", listener.url) as talk:
        # Bun's server does not tell what it has agreed on.
        assert "permessage-deflate" in listener.wait_until_open().get("extensions", "permessage-deflate")
        for text in ("short", MIXED * 1000, "y" * 60000, MIXED * 1000):
            talk.say(text)
            assert listener.receive() == text
            listener.send(text)
            assert talk.hear() == text
        assert talk.end() == (0, "", "")


# -- every parameter, with Python's websockets

BITS = [None, 9, 12, 15]
TAKEOVER = list(itertools.product([False, True], repeat=2))


def exchange(socket):
    for text in TEXTS[2:] + TEXTS[2:]:
        socket.send(text)
        assert socket.recv(WAIT) == text


@pytest.fixture(scope="module", params=["c", "dedicated"])
def compressing(request):
    """A server that shares its contexts, and one whose connections have their own."""
    start = {"c": c_echo, "dedicated": lambda: serve("--context-takeover")}[request.param]
    with start() as running:
        yield running


@pytest.mark.parametrize("client_bits", [True, 9, 12, 15])
@pytest.mark.parametrize("server_bits", BITS)
@pytest.mark.parametrize("server_alone,client_alone", TAKEOVER)
def test_server_of_ours_takes_every_offer(compressing, server_bits, client_bits, server_alone, client_alone):
    offer = ClientPerMessageDeflateFactory(server_alone, client_alone, server_bits, client_bits)
    with connect(compressing.echo_url, compression=None, extensions=[offer], max_size=None) as socket:
        (agreed,) = socket.protocol.extensions
        assert agreed.remote_max_window_bits == (server_bits or 15)
        assert agreed.local_max_window_bits == (15 if client_bits is True else client_bits)
        exchange(socket)


def test_context_is_kept_only_where_it_was_agreed(compressing):
    is_shared = "weft-c-echo" in compressing.process.args[0]
    with connect(compressing.echo_url, max_size=None) as socket:
        (agreed,) = socket.protocol.extensions
        assert agreed.remote_no_context_takeover == agreed.local_no_context_takeover == is_shared


@pytest.mark.parametrize("client_bits", BITS)
@pytest.mark.parametrize("server_bits", BITS)
@pytest.mark.parametrize("server_alone,client_alone", TAKEOVER)
def test_client_of_ours_takes_every_answer(server_bits, client_bits, server_alone, client_alone):
    answer = ServerPerMessageDeflateFactory(server_alone, client_alone, server_bits, client_bits)

    def echo(connection):
        assert connection.protocol.extensions
        for message in connection:
            connection.send(message)

    with listening(echo, extensions=[answer]) as url, connecting("--linger", "0", url) as talk:
        for text in ("short", MIXED * 500, MIXED * 500, "z" * 30000):
            talk.say(text)
            assert talk.hear() == text
        assert talk.end() == (0, "", "")


@contextlib.contextmanager
def listening(handler, **options):
    with websockets_serve(handler, "127.0.0.1", 0, compression=None, **options) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join(WAIT)


# -- where there is none


def test_no_compression_declines_every_offer():
    with serve("--no-compression") as server, connect(server.echo_url, compression="deflate") as socket:
        assert not socket.protocol.extensions
        socket.send("plain " * 100)
        assert socket.recv(WAIT) == "plain " * 100


def test_no_compression_offers_none():
    def echo(connection):
        connection.send(connection.request.headers.get("Sec-WebSocket-Extensions", "none"))
        for _ in connection:
            pass

    with listening(echo) as url:
        with connecting("--no-compression", url) as talk:
            assert talk.hear() == "none"
        with connecting(url) as talk:
            assert talk.hear() == "permessage-deflate; client_max_window_bits"


# -- what peers may not do


def test_bomb_is_refused_at_the_limit(server):
    with connect(server.echo_url, max_size=None) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            socket.send(bytes(12 << 20))  # 12 KiB of frame
            socket.recv(WAIT)
        assert caught.value.rcvd.code == 1009
        assert "maxMessageSize 1048576" in caught.value.rcvd.reason
