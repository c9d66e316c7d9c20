"""Our servers with the clients of other libraries: ws of Node.js, Bun, Python's websockets, aiohttp."""

import pytest

from programs import c_echo, running_example, serve
from remote import FRAGMENTING

MIXED = "aäß€\U0001f600 "

LENGTHS = [0, 1, 125, 126, 65535, 65536]


@pytest.fixture
def socket(peer, server):
    with peer.connected(server.echo_url) as conversation:
        yield conversation


@pytest.mark.parametrize("length", LENGTHS)
def test_bytes_come_back(socket, length):
    data = bytes(i % 251 for i in range(length))
    socket.send(data)
    assert socket.receive() == data


@pytest.mark.parametrize("length", LENGTHS)
def test_text_comes_back(socket, length):
    socket.send("x" * length)
    assert socket.receive() == "x" * length


@pytest.mark.parametrize("text", [MIXED, MIXED * 4000, "\0\x7f\u0800\uffff\U0010ffff"], ids=["short", "long", "edges"])
def test_text_that_is_not_ascii_comes_back(socket, text):
    socket.send(text)
    assert socket.receive() == text


@pytest.mark.parametrize("peer", FRAGMENTING, indirect=True)
@pytest.mark.parametrize("data", ["x" * 300000, bytes(300000)], ids=["text", "bytes"])
def test_fragmented_message_comes_back_whole(socket, data):
    socket.send(data, pieces=7)
    assert socket.receive() == data


def test_messages_come_back_in_order(socket):
    texts = [f"message {i} " + "x" * (i % 300) for i in range(1000)]
    for text in texts:
        socket.send(text)
    assert [socket.receive() for _ in texts] == texts


@pytest.mark.parametrize("data", [b"", b"payload", bytes(125)], ids=["empty", "short", "longest"])
def test_ping_is_answered_with_its_payload(socket, data):
    socket.ping(data)
    assert socket.expect_pong() == data


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_close_code_comes_back(socket, code):
    socket.close(code, "enough ä")
    assert socket.wait_for_close()[0] == code


@pytest.mark.parametrize("peer", ["ws"], indirect=True)
def test_close_without_a_code_is_answered_without_one(socket):
    socket.close(None)
    assert socket.wait_for_close() == (1005, "")


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 3000, 4999])
def test_close_of_the_server_arrives_with_its_code_and_reason(peer, demo, code):
    with peer.connected(f"ws://127.0.0.1:{demo.port}/close/{code}") as socket:
        assert socket.wait_for_close() == (code, "as you asked")


def test_frame_over_the_limit_is_refused_with_1009_and_the_reason(socket):
    socket.send(bytes(65537))
    assert socket.wait_for_close() == (1009, "frame of 65537 bytes is over maxFrameSize 65536")


@pytest.mark.parametrize("peer", FRAGMENTING, indirect=True)
def test_message_over_the_limit_is_refused_with_1009_and_the_reason(socket):
    socket.send(bytes(2**20 + 1), pieces=17)
    code, reason = socket.wait_for_close()
    assert code == 1009
    assert "maxMessageSize 1048576" in reason


def test_peer_that_vanishes_leaves_the_server_as_it_was(peer, server):
    for _ in range(20):
        with peer.connected(server.echo_url) as socket:
            socket.send("before the end")
            socket.terminate()
    with peer.connected(server.echo_url) as socket:
        socket.send("afterwards")
        assert socket.receive() == "afterwards"


def test_200_connections_at_a_time(peer, server):
    with peer.converse() as conversation:
        assert conversation.crowd(server.echo_url, count=200, messages=5) == (1000, 200)


def test_unknown_path_is_refused(peer, demo):
    with peer.converse() as conversation:
        conversation.try_to_connect(f"ws://127.0.0.1:{demo.port}/nowhere")
        # What a browser's interface hides, Bun's hides too.
        assert conversation.expect("refused")["status"] == (None if peer.name == "bun" else 404)


@pytest.fixture(scope="module", params=["c", "swift", "swift-inline"])
def roomy(request):
    """Servers that take messages of 1 MiB and a little in one frame."""
    limits = ["--max-frame-size", "2000000", "--max-message-size", "2000000"]
    start = {
        "c": lambda: c_echo(*limits),
        "swift": lambda: serve(*limits),
        "swift-inline": lambda: serve("--inline", *limits),
    }
    with start[request.param]() as running:
        yield running


@pytest.mark.parametrize("data", [MIXED * 80660, bytes(range(256)) * 4096], ids=["text", "bytes"])
def test_mebibyte_comes_back(peer, roomy, data):
    with peer.connected(roomy.echo_url) as socket:
        for _ in range(3):
            socket.send(data)
        for _ in range(3):
            assert socket.receive() == data


@pytest.mark.parametrize("start", [c_echo, serve, lambda: serve("--inline")], ids=["c", "swift", "swift-inline"])
def test_end_of_the_server_closes_with_1001(peer, start):
    with start() as server, peer.connected(server.echo_url) as socket:
        socket.send("x")
        assert socket.receive() == "x"
        assert server.stop() == 0
        assert socket.wait_for_close()[0] == 1001


@pytest.fixture(scope="module")
def speaking():
    """A server that speaks two subprotocols."""
    with serve("--subprotocol", "two", "--subprotocol", "three") as running:
        yield running


@pytest.mark.parametrize("offered, chosen", [(["two"], "two"), (["one", "three", "two"], "three"), ([], "")], ids=str)
def test_first_subprotocol_in_common_is_chosen(peer, speaking, offered, chosen):
    with peer.connected(speaking.echo_url, subprotocols=offered) as socket:
        assert socket.opened["subprotocol"] == chosen
        socket.send("x")
        assert socket.receive() == "x"


@pytest.mark.parametrize("peer", ["ws", "websockets", "aiohttp"], indirect=True)
def test_fields_of_the_answer_are_read(peer):
    with running_example("members", "0", "ada") as members:
        with peer.connected(f"ws://127.0.0.1:{members.port}/members?name=ada") as socket:
            assert socket.opened["fields"]["x-member"] == "ada"
            assert socket.receive() == "welcome, ada"
