"""Our clients with the servers of other libraries: ws of Node.js, Bun, Python's websockets, aiohttp."""

import pytest

from programs import c_connecting, connecting
from remote import FRAGMENTING

MIXED = "aäß€\U0001f600 "


def swift_connecting(*words):
    """Closes at the end of its input: here each answer has been waited for."""
    return connecting("--linger", "0", *words)


CLIENTS = {"swift": swift_connecting, "c": c_connecting}


@pytest.fixture(params=CLIENTS)
def client(request):
    """Each client program in turn."""
    return CLIENTS[request.param]


@pytest.fixture
def listener(peer):
    with peer.listening() as conversation:
        yield conversation


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65534])
def test_text_goes_both_ways(client, listener, length):
    text = "x" * length
    with client(listener.url) as talk:
        talk.say(text)
        assert listener.receive() == text
        listener.send(text)
        assert talk.hear() == text
        assert talk.end() == (0, "", "")
    assert listener.wait_for_close()[0] == 1000


@pytest.mark.parametrize("length", [65535, 65536])
def test_longest_frames_are_accepted(client, listener, length):
    with client(listener.url) as talk:
        listener.send("y" * length)
        assert talk.hear() == "y" * length
        assert talk.end() == (0, "", "")


def test_text_that_is_not_ascii_goes_both_ways(client, listener):
    with client(listener.url) as talk:
        talk.say(MIXED * 1000)
        assert listener.receive() == MIXED * 1000
        listener.send(MIXED * 1000)
        assert talk.hear() == MIXED * 1000
        assert talk.end() == (0, "", "")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_bytes_go_both_ways(listener, length):
    data = "z" * length
    with swift_connecting("--binary", listener.url) as talk:
        talk.say(data)
        assert listener.receive() == data.encode()
        listener.send(data.encode())
        assert talk.hear() == data
        assert talk.end() == (0, "", "")


def test_long_message_is_sent_in_fragments(listener):
    with swift_connecting(listener.url) as talk:
        talk.say("0123456789" * 100000)
        assert listener.receive() == "0123456789" * 100000
        assert talk.end() == (0, "", "")


@pytest.mark.parametrize("peer", FRAGMENTING, indirect=True)
def test_fragmented_message_is_assembled(client, listener):
    with client(listener.url) as talk:
        listener.send("0123456789" * 30000, pieces=7)
        assert talk.hear() == "0123456789" * 30000
        assert talk.end() == (0, "", "")


def test_messages_keep_their_order(client, listener):
    texts = [f"line {i} {MIXED}" for i in range(1000)]
    with client(listener.url) as talk:
        talk.say(*texts)
        assert [listener.receive() for _ in texts] == texts
        for text in texts:
            listener.send(text)
        assert [talk.hear() for _ in texts] == texts
        assert talk.end() == (0, "", "")


def test_message_sent_with_the_handshake_is_read(client, listener):
    with client(listener.url) as talk:
        listener.send("first")
        assert talk.hear() == "first"
        assert talk.end() == (0, "", "")


@pytest.mark.parametrize("data", [b"", b"payload", bytes(125)], ids=["empty", "short", "longest"])
def test_ping_is_answered_with_its_payload(client, listener, data):
    with client(listener.url) as talk:
        listener.ping(data)
        assert listener.expect_pong() == data
        assert talk.end() == (0, "", "")


def test_normal_close_by_the_server_ends_the_program(client, listener):
    with client(listener.url) as talk:
        listener.close(1000, "done")
        assert talk.wait() == (0, "", "")
    assert listener.wait_for_close()[0] == 1000


@pytest.mark.parametrize("code", [1011, 3000, 4999])
def test_close_by_the_server_is_told_with_its_reason(client, listener, code):
    with client(listener.url) as talk:
        listener.close(code, "enough ä")
        status, _, errors = talk.wait()
        assert status == 1
        assert str(code) in errors and "enough ä" in errors


# aiohttp does not tell what its own close was answered with.
@pytest.mark.parametrize("peer", ["ws", "bun", "websockets"], indirect=True)
@pytest.mark.parametrize("code", [1011, 3000, 4999])
def test_close_by_the_server_is_answered_with_its_code(client, listener, code):
    with client(listener.url) as talk:
        listener.close(code, "enough ä")
        assert listener.wait_for_close()[0] == code
        assert talk.wait()[0] == 1


@pytest.mark.parametrize("peer", ["ws"], indirect=True)
def test_close_without_a_code_is_told_as_1005(client, listener):
    with client(listener.url) as talk:
        listener.close(None)
        status, _, errors = talk.wait()
        assert status == 1
        assert "1005" in errors
    assert listener.wait_for_close() == (1005, "")


def test_server_that_vanishes_is_told(client, listener):
    with client(listener.url) as talk:
        listener.terminate()
        status, _, errors = talk.wait()
        assert status == 1
        assert errors.strip()


def test_frame_over_the_limit_is_refused_with_1009_and_the_reason(client, listener):
    with client(listener.url) as talk:
        listener.send(bytes(65537))
        assert listener.wait_for_close() == (1009, "frame of 65537 bytes is over maxFrameSize 65536")
        assert talk.wait()[0] == 1


def test_subprotocol_in_common_is_taken(peer):
    with peer.listening(subprotocols=["two", "three"]) as listener:
        with c_connecting(listener.url, "one", "two") as talk:
            assert listener.wait_until_open()["subprotocol"] == "two"
            assert talk.end() == (0, "", "")
        with swift_connecting("--subprotocol", "one", "--subprotocol", "two", listener.url) as talk:
            assert listener.wait_until_open()["subprotocol"] == "two"
            assert talk.end() == (0, "", "")


# Bun accepts what is offered, if it is told of nothing else.
@pytest.mark.parametrize("peer", ["ws", "websockets", "aiohttp"], indirect=True)
def test_no_subprotocol_in_common_is_refused(listener):
    with swift_connecting("--subprotocol", "one", listener.url) as talk:
        talk.assert_failed("subprotocol")


def test_request_has_its_target_and_fields(listener):
    with swift_connecting("--header", "X-One: 1", "--header", "X-Two: a: b", listener.url) as talk:
        fields = listener.wait_until_open()["fields"]
        assert talk.end() == (0, "", "")
    assert fields[":path"] == "/some/path?query=1"
    assert (fields["x-one"], fields["x-two"]) == ("1", "a: b")


def test_fields_of_the_answer_are_no_obstacle(client, peer):
    with peer.listening(headers={"X-Long": "x" * 4000, "X-Other": "ä".encode().decode("latin-1")}) as listener:
        with client(listener.url) as talk:
            listener.wait_until_open()
            assert talk.end() == (0, "", "")
