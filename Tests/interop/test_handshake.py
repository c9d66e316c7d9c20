"""Upgrade requests, good and bad, byte for byte."""

import pytest

from programs import WAIT, serve
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


GOOD = {
    "other capitals": dict(Upgrade="WebSocket", Connection="keep-alive, UPGRADE"),
    "two Connection fields": dict(Connection=["keep-alive", "Upgrade"]),
    "several protocols to upgrade to": dict(Upgrade="h2c, websocket"),
    "absolute target": dict(path="http://localhost/ws"),
    "target with a query": dict(path="/ws?a=1&b=%20"),
    "escaped target": dict(path="/%77s"),
    "blanks around the key": dict(Sec_WebSocket_Key=f"  {KEY} \t"),
    "tab in a field": dict(X_Odd="a\tb"),
    "field beyond ASCII": dict(X_Odd="ä"),
    "length of 0": dict(Content_Length="0"),
}


@pytest.mark.parametrize("name", GOOD)
def test_unusual_upgrade_is_accepted(server, name):
    with connect(server.port) as wire:
        wire.send(upgrade_request(**GOOD[name]) + frame(TEXT, b"hello"))
        assert wire.answer().status == 101
        assert wire.frame() == (TEXT, b"hello")


def test_empty_line_before_the_request_is_passed_over(server):
    assert answer_to(server, b"\r\n" + upgrade_request()).status == 101


BAD = {
    "no key": (dict(drop=("Sec-WebSocket-Key",)), 400),
    "two keys": (dict(Sec_WebSocket_Key=[KEY, KEY]), 400),
    "short key": (dict(Sec_WebSocket_Key="c2hvcnQ="), 400),
    "key that is not base64": (dict(Sec_WebSocket_Key="!" * 22 + "=="), 400),
    "key of 17 bytes": (dict(Sec_WebSocket_Key="MTIzNDU2Nzg5MDEyMzQ1Njc="), 400),
    "key without padding": (dict(Sec_WebSocket_Key=KEY.rstrip("=")), 400),
    "key with bits behind its end": (dict(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZR=="), 400),
    "empty key": (dict(Sec_WebSocket_Key=""), 400),
    "two keys in one field": (dict(Sec_WebSocket_Key=f"{KEY}, {KEY}"), 400),
    "version 13 twice": (dict(Sec_WebSocket_Version=["13", "13"]), 426),
    "version 13 or 8": (dict(Sec_WebSocket_Version="13, 8"), 426),
    "version 013": (dict(Sec_WebSocket_Version="013"), 426),
    "version 14": (dict(Sec_WebSocket_Version="14"), 426),
    "version 8": (dict(Sec_WebSocket_Version="8"), 426),
    "no version": (dict(drop=("Sec-WebSocket-Version",)), 426),
    "no host": (dict(drop=("Host",)), 400),
    "two hosts": (dict(Host=["localhost", "example.org"]), 400),
    "empty host": (dict(Host=""), 400),
    "host with a blank": (dict(Host="a b"), 400),
    "no upgrade, though a key": (dict(drop=("Upgrade",)), 400),
    "upgrade to something else, though a key": (dict(Upgrade="h2c"), 400),
    "connection without upgrade": (dict(Connection="keep-alive"), 400),
    "no upgrade at all": (dict(drop=("Upgrade", "Connection", "Sec-WebSocket-Key")), 426),
    "POST": (dict(method="POST"), 405),
    "method in small letters": (dict(method="get"), 405),
    "HTTP/1.0": (dict(version="HTTP/1.0"), 400),
    "http/1.1 in small letters": (dict(version="http/1.1"), 400),
    "asterisk for a target": (dict(path="*"), 400),
    "target with a NUL": (dict(path="/ws\0"), 400),
    "target beyond ASCII": (dict(path="/ws?ä"), 400),
    "target with a fragment": (dict(path="/ws#a"), 400),
    "target with a blank": (dict(path="/ws a"), 400),
    "target with a broken escape": (dict(path="/ws%zz"), 400),
    "long target": (dict(path="/ws?" + "a" * 5000), 414),
    "long fields": (dict(X_Filler="a" * 9000), 431),
    "NUL in a field": (dict(X_Odd="a\0b"), 400),
    "blank in a name": ({"X Odd": "1"}, 400),
    "blank before a colon": ({"X-Odd ": "1"}, 400),
    "field without a name": ({"": "1"}, 400),
    "carriage return in a field": (dict(X_Odd="a\rb"), 400),
    "bell in a field": (dict(X_Odd="a\x07b"), 400),
    "DEL in a field": (dict(X_Odd="a\x7fb"), 400),
    "folded field": (dict(X_Odd="a\r\n b"), 400),
    "very many fields": (dict(X=["1"] * 400), 431),
    "two lengths": (dict(Content_Length=["5", "6"]), 400),
    "negative length": (dict(Content_Length="-1"), 400),
    "immense length": (dict(Content_Length="9" * 20), 400),
    "subprotocol that is no token": (dict(Sec_WebSocket_Protocol="a, b@"), 400),
    "extension without a name": (dict(Sec_WebSocket_Extensions="permessage-deflate; ="), 400),
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


@pytest.fixture(scope="module")
def hasty():
    """A server that waits 0.3 s for a request."""
    with serve("--timeout", "0.3") as running:
        yield running


def test_request_that_does_not_arrive_in_time_gets_408_and_the_end(hasty):
    with connect(hasty.port) as wire:
        wire.send(upgrade_request()[:-2])
        answer = wire.answer()
        assert answer.status == 408
        assert answer.fields["connection"].lower() == "close"
        wire.assert_ended()


def test_bytes_one_by_one_do_not_extend_the_time(hasty):
    """The bytes of a slow peer are sent as the server lets them through, so this ends with the first that fails."""
    with connect(hasty.port) as wire:
        wire.send(b"GET /ws HTTP/1.1\r\nX: ")
        wire.socket.settimeout(0.02)
        while True:
            try:
                wire.send(b"x")
                if not wire.more() or wire.buffer:
                    break
            except TimeoutError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                break
        wire.socket.settimeout(WAIT)
        assert wire.answer().status == 408


def test_time_of_the_request_does_not_bound_the_connection(hasty):
    """Longer than that server waits for requests, the connection stays."""
    with connect(hasty.port) as late, connect(hasty.port) as wire:
        wire.open()
        late.send(b"GET")
        assert late.answer().status == 408
        wire.send(frame(TEXT, b"still here"))
        assert wire.frame() == (TEXT, b"still here")
