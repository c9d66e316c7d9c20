"""Our clients with a server that answers byte for byte, well and badly."""

import contextlib
import struct

import pytest

from bad_frames import bad_frames
from programs import c_connecting, connecting
from wire import BINARY, CLOSE, PING, PONG, TEXT, frame, listen, upgrade_answer

CLIENTS = {"swift": connecting, "c": c_connecting}


@pytest.fixture(params=CLIENTS)
def client(request):
    """Each client program in turn."""
    return CLIENTS[request.param]


@contextlib.contextmanager
def answered(client, answer=upgrade_answer, behind=b""):
    """A client that was answered, and the wire to it."""
    with listen() as listener, client(listener.url) as talk, listener.accepting() as (wire, key):
        wire.send(answer(key) + behind)
        yield talk, wire


def unmasked(opcode, payload=b"", **options):
    return frame(opcode, payload, is_masked=False, **options)


def test_frames_behind_the_answer_are_read(client):
    with answered(client, behind=unmasked(TEXT, b"early") + unmasked(TEXT, b"bird")) as (talk, _):
        assert (talk.hear(), talk.hear()) == ("early", "bird")


def test_close_behind_the_answer_is_read(client):
    with answered(client, behind=unmasked(CLOSE, struct.pack(">H", 4001) + b"full")) as (talk, wire):
        assert wire.close_code(is_masked=True) == 4001
        code, _, errors = talk.wait()
        assert code == 1
        assert "4001" in errors and "full" in errors


def test_answer_in_single_bytes_is_read(client):
    with listen() as listener, client(listener.url) as talk, listener.accepting() as (wire, key):
        for byte in upgrade_answer(key) + unmasked(TEXT, b"hello"):
            wire.send(bytes([byte]))
        assert talk.hear() == "hello"


def test_what_is_sent_is_masked_with_masks_that_differ(client):
    with answered(client) as (talk, wire):
        talk.say(*["x" * 10] * 20)
        masks = set()
        for _ in range(20):
            assert wire.take(2) == b"\x81\x8a"
            masks.add(wire.take(4))
            wire.take(10)
        assert len(masks) > 15


def test_ping_between_fragments_is_answered(client):
    with answered(client) as (talk, wire):
        wire.send(unmasked(TEXT, b"one ", final=False) + unmasked(PING, b"?") + unmasked(0, b"message"))
        assert wire.frame(is_masked=True) == (PONG, b"?")
        assert talk.hear() == "one message"


GOOD_ANSWERS = {
    "other capitals": dict(Upgrade="WebSocket", Connection="keep-alive, UPGRADE"),
    "another reason": dict(status="101 Go On"),
    "no reason": dict(status="101 "),
    "fields that are unknown": dict(X_One="1", Server="ä"),
}


@pytest.mark.parametrize("name", GOOD_ANSWERS)
def test_unusual_answer_is_accepted(client, name):
    with answered(client, lambda key: upgrade_answer(key, **GOOD_ANSWERS[name]), unmasked(TEXT, b"hello")) as (talk, _):
        assert talk.hear() == "hello"


def test_interim_answer_is_passed_over(client):
    def answer(key):
        return b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + upgrade_answer(key)

    with answered(client, answer, unmasked(TEXT, b"hello")) as (talk, _):
        assert talk.hear() == "hello"


BAD_ANSWERS = {
    "no accept": (dict(drop=("Sec-WebSocket-Accept",)), "accept"),
    "wrong accept": (dict(Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "accept"),
    "no upgrade": (dict(drop=("Upgrade",)), "upgrade"),
    "upgrade to something else": (dict(Upgrade="h2c"), "upgrade"),
    "no connection": (dict(drop=("Connection",)), "connection"),
    "subprotocol that was not offered": (dict(Sec_WebSocket_Protocol="chat"), "subprotocol"),
    "extension that was not offered": (dict(Sec_WebSocket_Extensions="x-unknown"), "extension"),
    "200": (dict(status="200 OK", Content_Length="0"), "200"),
    "301": (dict(status="301 Moved Permanently", Location="/other", Content_Length="0"), "301"),
    "401": (dict(status="401 Unauthorized", Content_Length="0"), "401"),
    "503": (dict(status="503 Busy", Content_Length="0"), "503"),
    "HTTP/1.0": (dict(version="HTTP/1.0"), "http"),
    "immense field": (dict(X_Filler="a" * 100_000), ""),
    "very many fields": (dict(X=["1"] * 2000), ""),
    "NUL in a field": (dict(X_Odd="a\0b"), ""),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_bad_answer_is_refused_and_told(client, name):
    fields, word = BAD_ANSWERS[name]
    with answered(client, lambda key: upgrade_answer(key, **fields)) as (talk, _):
        talk.assert_failed(word)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101", b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["nothing", "a part", "no HTTP"])
def test_end_within_the_answer_is_told(client, answer):
    with answered(client, lambda key: answer) as (talk, wire):
        wire.socket.close()
        talk.assert_failed()


BAD = bad_frames(is_masked=False)


@pytest.mark.parametrize("name", BAD)
def test_bad_frame_is_answered_and_told(client, name):
    data, code = BAD[name]
    with answered(client, behind=data) as (talk, wire):
        assert wire.close_code(is_masked=True) == code
        wire.socket.close()
        assert talk.wait()[0] == 1


def test_end_without_a_close_frame_is_told(client):
    with answered(client, behind=unmasked(BINARY, b"x")) as (talk, wire):
        talk.hear()
        wire.socket.close()
        code, _, errors = talk.wait()
        assert code == 1
        assert errors.strip()
