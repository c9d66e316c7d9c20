"""OAuth 2.0 grants against a token server of Python's, over TCP and TLS."""

import json
import subprocess

import pytest

from authority import Authority
from programs import WAIT, program
from test_authentication import authorizations
from token_server import token_server

# Every character of ASCII that can be seen, and some that are none.
ALL = "".join(map(chr, range(0x20, 0x7F))) + "é£€😀"
CLIENT = {"clientID": "me", "clientSecret": "s6BhdRkqt3"}


def granted(token, **rest):
    return {"access_token": token, "token_type": "Bearer", "expires_in": 3600, **rest}


def order(server, **grant):
    return {"oauth2": {"url": server.url, **CLIENT, **grant}}


def says(body, status=200):
    return lambda handler, _: handler.say(status, body)


def refused(grant):
    """What the client says that gets no token."""
    result = subprocess.run(
        [program("WEFT_INTEROP_CLIENT")], input=json.dumps({"url": "ws://127.0.0.1:9/", **grant}) + "\n",
        capture_output=True, text=True, timeout=WAIT, check=False,
    )  # fmt: skip
    assert result.returncode != 0
    return result.stderr


@pytest.mark.parametrize("is_in_body", [False, True])
def test_every_character_arrives(is_in_body):
    with token_server(says(granted("2YotnFZFEjr1zCsicMWpAA"))) as server:
        grant = order(
            server, clientID=ALL, clientSecret=ALL[::-1], scopes=["read", "!#+&=%/?"], isInBody=is_in_body,
            parameters={ALL: ALL, "audience": ""},
        )  # fmt: skip
        assert authorizations(0, **grant) == ["Bearer 2YotnFZFEjr1zCsicMWpAA"]
        (asked,) = server.asked
        in_body = [("client_id", ALL), ("client_secret", ALL[::-1])]
        assert asked.parameters == [
            ("grant_type", "client_credentials"), ("scope", "read !#+&=%/?"), (ALL, ALL), ("audience", ""),
            *(in_body if is_in_body else []),
        ]  # fmt: skip
        allowed = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+%&="
        assert set(asked.body) <= set(allowed)
        assert asked.line == "POST /token HTTP/1.1"
        assert asked.field("Host") == f"127.0.0.1:{server.server_port}"
        assert asked.field("Content-Type") == "application/x-www-form-urlencoded"
        assert asked.field("Content-Length") == str(len(asked.body))
        if is_in_body:
            assert asked.field("Authorization") is None
        else:
            assert asked.client == (ALL, ALL[::-1])


def test_password_and_refresh_token_arrive_as_they_are():
    def answer(handler, number):
        handler.say(200, granted(f"token-{number}", expires_in="0", refresh_token=f"r{number} {ALL[:95]}"))

    with token_server(answer) as server:
        fields = authorizations(2, **order(server, username=ALL, password=ALL[::-1]))
        assert fields == ["Bearer token-1", "Bearer token-2", "Bearer token-3"]
        bodies = [asked.parameters for asked in server.asked]
        assert bodies[0] == [("grant_type", "password"), ("username", ALL), ("password", ALL[::-1])]
        for number in (1, 2):
            assert bodies[number] == [("grant_type", "refresh_token"), ("refresh_token", f"r{number} {ALL[:95]}")]
        assert all(asked.client == ("me", "s6BhdRkqt3") for asked in server.asked)


def test_password_helps_where_the_refresh_token_does_not():
    def answer(handler, number):
        if number == 2:
            handler.say(400, {"error": "invalid_grant"})
        else:
            handler.say(200, granted(f"token-{number}", expires_in=0, refresh_token="r"))

    with token_server(answer) as server:
        fields = authorizations(1, **order(server, username="ada", password="b"))
        assert fields == ["Bearer token-1", "Bearer token-3"]
        kinds = [asked.parameters[0][1] for asked in server.asked]
        assert kinds == ["password", "refresh_token", "password"]


def test_rotated_refresh_token_is_used():
    def answer(handler, number):
        handler.say(200, granted(f"token-{number}", expires_in=0, refresh_token=f"r{number}"))

    with token_server(answer) as server:
        authorizations(2, **order(server, refreshToken="r0", scopes=["a", "b"]))
        for number, asked in enumerate(server.asked):
            refresh = [("grant_type", "refresh_token"), ("refresh_token", f"r{number}"), ("scope", "a b")]
            assert asked.parameters == refresh


@pytest.mark.parametrize("life", [{}, {"expires_in": "3600"}, {"expires_in": 3600.5}, {"expires_in": None}])
def test_token_serves_until_it_is_stale(life):
    body = {"access_token": "a", "token_type": "bearer", "scope": "x", **life}
    with token_server(says(body)) as server:
        assert authorizations(3, **order(server)) == ["Bearer a"] * 4
        assert len(server.asked) == 1


@pytest.mark.parametrize("way", ["say_chunked", "say_slowly"])
def test_answer_may_come_in_pieces(way):
    with token_server(lambda handler, _: getattr(handler, way)(granted("a"))) as server:
        assert authorizations(0, **order(server)) == ["Bearer a"]


def test_busy_server_is_asked_again():
    def answer(handler, number):
        if number < 3:
            handler.say({1: 503, 2: 429}[number], b"", ("Retry-After", "0"))
        else:
            handler.say(200, granted("a"))

    with token_server(answer) as server:
        assert authorizations(0, **order(server)) == ["Bearer a"]
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (200, b"<html>s6BhdRkqt3</html>", "the answer is not JSON"),
        (200, b'{"a":' * 10_000, "it is nested deeper than 32"),
        (200, b'{"access_token":"' + b"x" * 70_000 + b'"}', "the body of the answer is over 65536 bytes"),
        (200, ["a"], "the answer is not an object of JSON"),
        (200, {"token_type": "Bearer"}, "the answer has no access_token"),
        (200, {"access_token": ["a"], "token_type": "Bearer"}, "the answer has no access_token"),
        (200, {"access_token": "a b", "token_type": "Bearer"}, "access_token: it has a character"),
        (200, {"access_token": "a", "token_type": "mac"}, "the token_type of the answer is not Bearer"),
        (200, granted("a", expires_in={}), "the expires_in of the answer is not a number of seconds"),
        (302, b"", "the answer is 302, and redirects are not followed"),
        (400, {"error": "invalid_scope", "error_description": "no\r\nsuch"}, "the answer is 400: invalid_scope (nosuch)"),
        (401, {"error": "invalid_client", "error_description": "not s6BhdRkqt3"}, "the answer is 401: invalid_client"),
        (500, b"oh", "the answer is 500"),
    ],
)  # fmt: skip
def test_what_is_no_grant_is_told_without_secrets(status, body, cause):
    with token_server(lambda handler, _: handler.say(status, body, ("Location", "/token"))) as server:
        said = refused(order(server))
        assert f"{server.url}: {cause}" in said or (cause in said and server.url in said)
        assert "s6BhdRkqt3" not in said
        assert len(server.asked) == 1


def test_tls_has_an_authority_of_its_own(tmp_path):
    authority = Authority(tmp_path)
    certificate = authority.issue("server", "IP:127.0.0.1")
    with token_server(says(granted("a")), certificate) as server:
        assert authorizations(0, **order(server, authority=authority.path("ca.pem"))) == ["Bearer a"]
        assert "the certificate of 127.0.0.1" in refused(order(server))  # by what the system trusts
        assert "the certificate of 127.0.0.1" in refused(order(server, authority=authority.path("stranger.pem")))
        assert len(server.asked) == 1
