"""TLS with the libraries of others, both ways: ws of Node.js, Bun, Python's websockets, aiohttp."""

import pytest

from programs import connecting
from secure import KINDS, c_serving, inline_serving, serving, url_of

MIXED = "aäß€\U0001f600 "

LENGTHS = [0, 1, 125, 126, 65535, 65536]


@pytest.fixture
def trust(authority):
    return {"ca": authority.path("ca.pem")}


@pytest.fixture
def own(authority):
    """The files of a client."""
    return {"cert": authority.path("client.pem"), "key": authority.path("client.key")}


# -- our servers -----------------------------------------------------------------------------------------


@pytest.fixture
def socket(peer, secure_server, trust):
    with peer.connected(url_of(secure_server), tls=trust) as conversation:
        yield conversation


def test_messages_of_all_lengths_come_back(socket):
    for length in LENGTHS:
        for data in ("x" * length, bytes(i % 251 for i in range(length))):
            socket.send(data)
            assert socket.receive() == data
    socket.send(MIXED * 4000)
    assert socket.receive() == MIXED * 4000


def test_messages_come_back_in_order(socket):
    texts = [f"message {i} " + "x" * (i % 300) for i in range(1000)]
    for text in texts:
        socket.send(text)
    assert [socket.receive() for _ in texts] == texts


def test_compressed_messages_come_back(peer, secure_server, trust):
    with peer.connected(url_of(secure_server), tls=trust, compression=True) as socket:
        assert "permessage-deflate" in socket.opened["extensions"]
        for _ in range(3):
            socket.send(MIXED * 4000)
        for _ in range(3):
            assert socket.receive() == MIXED * 4000


def test_ping_is_answered_and_the_close_code_comes_back(socket):
    socket.ping(b"payload")
    assert socket.expect_pong() == b"payload"
    socket.close(4999, "enough ä")
    assert socket.wait_for_close()[0] == 4999


def test_frame_over_the_limit_is_refused_with_1009_and_the_reason(socket):
    socket.send(bytes(65537))
    assert socket.wait_for_close() == (1009, "frame of 65537 bytes is over maxFrameSize 65536")


def test_peer_that_vanishes_leaves_the_server_as_it_was(peer, secure_server, trust):
    for _ in range(10):
        with peer.connected(url_of(secure_server), tls=trust) as socket:
            socket.send("before the end")
            socket.terminate()
    with peer.connected(url_of(secure_server), tls=trust) as socket:
        socket.send("afterwards")
        assert socket.receive() == "afterwards"


def test_100_connections_at_a_time(peer, secure_server, trust):
    with peer.converse() as conversation:
        assert conversation.crowd(url_of(secure_server), count=100, messages=5, tls=trust) == (500, 100)


@pytest.mark.parametrize("start", KINDS.values(), ids=KINDS)
def test_end_of_the_server_closes_with_1001(peer, start, authority, trust):
    with start(authority) as server, peer.connected(url_of(server), tls=trust) as socket:
        socket.send("x")
        assert socket.receive() == "x"
        assert server.stop() == 0
        assert socket.wait_for_close()[0] == 1001


def test_a_strange_authority_is_refused_by_the_peer(peer, secure_server, authority):
    with peer.converse() as conversation:
        conversation.try_to_connect(url_of(secure_server), tls={"ca": authority.path("stranger.pem")})
        conversation.expect("refused")


@pytest.mark.parametrize("start", [serving, inline_serving], ids=["async", "inline"])
def test_a_client_without_a_certificate_is_refused(peer, start, authority, trust, own):
    with start(authority, "--client-ca", trust["ca"]) as server:
        with peer.connected(url_of(server), tls=trust | own) as socket:
            with peer.converse() as stranger:
                stranger.try_to_connect(url_of(server), tls=trust)
                stranger.expect("refused")
            server.await_error("the peer has shown no certificate")
            socket.send("still here")
            assert socket.receive() == "still here"


# -- our client ------------------------------------------------------------------------------------------


def client_of(listener, trust, *words):
    return connecting("--linger", "0", "--ca", trust["ca"], *words, listener.url)


@pytest.fixture
def listener(peer, authority):
    with peer.listening(tls={"cert": authority.path("server.pem"), "key": authority.path("server.key")}) as conversation:
        yield conversation


def test_messages_of_all_lengths_go_both_ways(listener, trust):
    with client_of(listener, trust) as talk:
        for text in ("", "x", "x" * 65535, MIXED * 1000, "0123456789" * 100000):
            talk.say(text)
            assert listener.receive() == text
        for text in ("", "x", "x" * 65535, MIXED * 1000):
            listener.send(text)
            assert talk.hear() == text
        assert talk.end() == (0, "", "")
    assert listener.wait_for_close()[0] == 1000


def test_messages_keep_their_order(listener, trust):
    texts = [f"line {i} {MIXED}" for i in range(1000)]
    with client_of(listener, trust) as talk:
        talk.say(*texts)
        assert [listener.receive() for _ in texts] == texts
        for text in texts:
            listener.send(text)
        assert [talk.hear() for _ in texts] == texts
        assert talk.end() == (0, "", "")


def test_message_sent_with_the_handshake_is_read(listener, trust):
    with client_of(listener, trust) as talk:
        listener.send("first")
        assert talk.hear() == "first"
        assert talk.end() == (0, "", "")


@pytest.mark.parametrize("code", [1000, 4999])
def test_close_by_the_server_is_told(listener, trust, code):
    with client_of(listener, trust) as talk:
        listener.close(code, "enough")
        status, _, errors = talk.wait()
        assert (status, "4999" in errors) == ((0, False) if code == 1000 else (1, True))


def test_server_that_vanishes_is_told(listener, trust):
    with client_of(listener, trust) as talk:
        listener.terminate()
        status, _, errors = talk.wait()
        assert status == 1
        assert errors.strip()


def test_a_strange_authority_is_refused(listener, authority):
    with client_of(listener, {"ca": authority.path("stranger.pem")}) as talk:
        talk.assert_failed("is refused", "unable to get local issuer certificate")


def test_another_name_is_refused(peer, authority, trust):
    cert, key = authority.issue("elsewhere", "DNS:example.org")
    with peer.listening(tls={"cert": cert, "key": key}) as listener:
        with client_of(listener, trust) as talk:
            talk.assert_failed("hostname mismatch")


def test_the_certificate_is_shown_where_the_server_asks(peer, authority, trust, own):
    asking = {"cert": authority.path("server.pem"), "key": authority.path("server.key"), "ca": trust["ca"]}
    with peer.listening(tls=asking) as listener:
        with client_of(listener, trust) as talk:
            # Python's asyncio ends TCP without the alert that would say why.
            talk.assert_failed(*(["certificate required"] if peer.name in ("ws", "bun") else []))
        with client_of(listener, trust, "--cert", own["cert"], "--key", own["key"]) as talk:
            fields = listener.wait_until_open()["fields"]
            if peer.name != "bun":  # which does not tell
                assert fields[":client"] == "client"
            listener.send("hello")
            assert talk.hear() == "hello"
            assert talk.end() == (0, "", "")
