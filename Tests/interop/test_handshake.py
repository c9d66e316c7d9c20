"""Upgrade requests, good and bad, byte for byte."""

import pytest

from wire import KEY, TEXT, connect, frame, upgrade_request


def answer_to(server, request):
    with connect(server.port) as wire:
        wire.send(request)
        return wire.answer()


def test_upgrade_is_accepted(server):
    with connect(server.port) as wire:
        answer = wire.open()
        assert answer.fields["upgrade"].lower() == "websocket"
        assert answer.fields["connection"].lower() == "upgrade"
        assert "sec-websocket-extensions" not in answer.fields


def test_upgrade_in_single_bytes_is_accepted(server):
    with connect(server.port) as wire:
        for byte in upgrade_request():
            wire.send(bytes([byte]))
        assert wire.answer().status == 101


def test_frames_behind_the_request_are_read(server):
    with connect(server.port) as wire:
        wire.send(upgrade_request() + frame(TEXT, b"early") + frame(TEXT, b"bird"))
        assert wire.answer().status == 101
        assert wire.frame() == (TEXT, b"early")
        assert wire.frame() == (TEXT, b"bird")


def test_extension_that_is_unknown_is_not_accepted(server):
    with connect(server.port) as wire:
        answer = wire.open(Sec_WebSocket_Extensions="x-unknown; a=1")
        assert "sec-websocket-extensions" not in answer.fields


def test_subprotocol_that_is_not_supported_is_left_out(server):
    with connect(server.port) as wire:
        answer = wire.open(Sec_WebSocket_Protocol="one, two")
        assert "sec-websocket-protocol" not in answer.fields


BAD = {
    "no key": (dict(drop=("Sec-WebSocket-Key",)), 400),
    "two keys": (dict(Sec_WebSocket_Key=[KEY, KEY]), 400),
    "short key": (dict(Sec_WebSocket_Key="c2hvcnQ="), 400),
    "key that is not base64": (dict(Sec_WebSocket_Key="!" * 22 + "=="), 400),
    "version 8": (dict(Sec_WebSocket_Version="8"), 426),
    "no version": (dict(drop=("Sec-WebSocket-Version",)), 426),
    "no host": (dict(drop=("Host",)), 400),
    "two hosts": (dict(Host=["localhost", "example.org"]), 400),
    "no upgrade, though a key": (dict(drop=("Upgrade",)), 400),
    "upgrade to something else, though a key": (dict(Upgrade="h2c"), 400),
    "connection without upgrade": (dict(Connection="keep-alive"), 400),
    "no upgrade at all": (dict(drop=("Upgrade", "Connection", "Sec-WebSocket-Key")), 426),
    "POST": (dict(method="POST"), 405),
    "long target": (dict(path="/ws?" + "a" * 5000), 414),
    "long fields": (dict(X_Filler="a" * 9000), 431),
    "NUL in a field": (dict(X_Odd="a\0b"), 400),
    "blank in a name": ({"X Odd": "1"}, 400),
    "HTTP/2.0": (dict(version="HTTP/2.0"), 505),
    "chunked and with a length": (dict(Transfer_Encoding="chunked", Content_Length="3"), 400),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_upgrade_is_refused(server, name):
    settings, status = BAD[name]
    with connect(server.port) as witness:
        witness.open()
        answer = answer_to(server, upgrade_request(**settings))
        assert answer.status == status, answer.body
        assert answer.body.strip(), "the answer says why"
        witness.send(frame(TEXT, b"undisturbed"))
        assert witness.frame() == (TEXT, b"undisturbed")


def test_wrong_version_is_told_the_right_one(server):
    assert answer_to(server, upgrade_request(Sec_WebSocket_Version="8")).fields["sec-websocket-version"] == "13"


def test_wrong_method_is_told_the_right_one(server):
    assert "GET" in answer_to(server, upgrade_request(method="POST")).fields["allow"]


@pytest.mark.parametrize(
    "text",
    [b"GET /ws HTTP/1.1\nHost: localhost\n\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"hello\r\n\r\n"],
    ids=["bare line feeds", "TLS", "no HTTP"],
)
def test_what_is_no_request_gets_400_and_the_end(server, text):
    with connect(server.port) as wire:
        wire.send(text)
        answer = wire.answer()
        assert answer.status == 400
        assert answer.fields["connection"].lower() == "close"
        wire.assert_ended()


def test_page_of_another_origin_is_refused(demo):
    answer = answer_to(demo, upgrade_request(Origin="https://evil.example"))
    assert answer.status == 403
    assert b"origin" in answer.body.lower()


def test_page_of_the_same_origin_is_accepted(demo):
    host = f"127.0.0.1:{demo.port}"
    assert answer_to(demo, upgrade_request(Host=host, Origin=f"http://{host}")).status == 101


def test_unknown_path_is_404(demo):
    assert answer_to(demo, upgrade_request("/nowhere")).status == 404
