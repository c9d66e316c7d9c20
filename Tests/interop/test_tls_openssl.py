"""TLS with the `openssl` command on the other side: versions, ciphers, resumption, renegotiation, key updates."""

import contextlib
import subprocess

import pytest
from websockets.sync.client import connect

from openssl_peer import running
from programs import WAIT, connecting, interop_client
from secure import trusting, url_of
from wire import CLOSE, PING, TEXT, frame, upgrade_answer, upgrade_request

VERSIONS = ["-tls1_2", "-tls1_3"]

CIPHERS = [
    ("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("-tls1_2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("-tls1_3", "TLS_AES_128_GCM_SHA256"),
    ("-tls1_3", "TLS_AES_256_GCM_SHA384"),
    ("-tls1_3", "TLS_CHACHA20_POLY1305_SHA256"),
]


def only(version, cipher):
    return [version, "-cipher" if version == "-tls1_2" else "-ciphersuites", cipher]


# -- our servers, and s_client -----------------------------------------------------------------------------


def client_words(server, authority):
    where = ["-connect", f"127.0.0.1:{server.port}", "-servername", "localhost"]
    return ["s_client", *where, "-CAfile", authority.path("ca.pem"), "-verify_return_error"]


def s_client(server, authority, *words, stdin=""):
    command = ["openssl", *client_words(server, authority), *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=WAIT, check=False)


@pytest.mark.parametrize("version", VERSIONS)
def test_s_client_resumes_a_session(secure_server, authority, version, tmp_path):
    session = str(tmp_path / "session")
    request = "GET / HTTP/1.1\nHost: a\nConnection: close\n\n"
    first = s_client(secure_server, authority, version, "-sess_out", session, "-crlf", "-ign_eof", stdin=request)
    assert "New, TLSv1" in first.stdout
    again = s_client(secure_server, authority, version, "-sess_in", session, "-crlf", "-ign_eof", stdin=request)
    assert "Reused, TLSv1" in again.stdout
    assert "HTTP/1.1 " in again.stdout
    assert "Verify return code: 0 (ok)" in again.stdout


@pytest.mark.parametrize("version, cipher", CIPHERS)
def test_each_cipher_is_spoken(secure_server, authority, version, cipher):
    result = s_client(secure_server, authority, *only(version, cipher), stdin="Q\n")
    assert f"Cipher is {cipher}" in result.stdout


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"])
def test_a_cipher_that_does_not_do_is_refused(secure_server, authority, cipher):
    """Without encryption, without a certificate, and for a key of another kind than the server's."""
    result = s_client(secure_server, authority, *only("-tls1_2", f"{cipher}:@SECLEVEL=0"))
    assert result.returncode != 0
    assert "handshake failure" in result.stderr


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(secure_server, authority, version):
    result = s_client(secure_server, authority, version, "-cipher", "ALL:@SECLEVEL=0")
    assert result.returncode != 0
    assert "New, TLSv1" not in result.stdout


def test_another_protocol_than_http_is_refused(secure_server, authority):
    assert "no application protocol" in s_client(secure_server, authority, "-alpn", "h2").stderr
    result = s_client(secure_server, authority, "-alpn", "h2,http/1.1", stdin="Q\n")
    assert "ALPN protocol: http/1.1" in result.stdout


@contextlib.contextmanager
def web_socket(server, authority, *words):
    """An s_client with an open WebSocket, which has been used."""
    with running(*client_words(server, authority), *words) as client:
        client.say(upgrade_request())
        client.until(b"101 Switching Protocols.*?\r\n\r\n")
        client.say(frame(TEXT, b"hello"))
        client.until(b"\x81\x05hello")
        yield client


def test_renegotiation_is_refused_and_harms_nobody_else(secure_server, authority):
    with connect(url_of(secure_server), ssl=trusting(authority)) as other:
        with web_socket(secure_server, authority, "-tls1_2") as client:
            client.say(b"R\n")
            client.until(b"RENEGOTIATING")
            client.until(b"no renegotiation")
        other.send("still here")
        assert other.recv(WAIT) == "still here"


@pytest.mark.parametrize("command", [b"K\n", b"k\n"], ids=["asking for the other's", "alone"])
def test_keys_may_be_updated_while_messages_pass(secure_server, authority, command):
    with web_socket(secure_server, authority, "-tls1_3") as client:
        for i in range(3):
            client.say(command)
            client.until(b"KEYUPDATE")
            client.say(frame(TEXT, b"again%d" % i))
            client.until(b"\x81\x06again%d" % i)


# -- our client, and s_server ------------------------------------------------------------------------------


@contextlib.contextmanager
def s_server(authority, *words, name="server"):
    own = ["-cert", authority.path(f"{name}.pem"), "-key", authority.path(f"{name}.key")]
    with running("s_server", "-accept", "127.0.0.1:0", *own, *words) as server:
        server.url = f"wss://localhost:{server.until(rb'ACCEPT 127.0.0.1:([0-9]+)').group(1).decode()}/"
        yield server


def client_of(server, authority, *words):
    return connecting("--no-compression", "--linger", "0", "--ca", authority.path("ca.pem"), *words, server.url)


def answer(server):
    """Opens the WebSocket of the client that has connected; says what s_server told of the TLS handshake."""
    request = server.until(rb"(.*)GET / HTTP/1.1\r\n.*?Sec-WebSocket-Key: (\S+)\r\n.*?\r\n\r\n")
    server.say(upgrade_answer(request.group(2).decode()))
    return request.group(1).decode(errors="replace")


def end(server, client):
    """The closing handshake, begun by the client at the end of its input."""
    server.say(frame(PING, is_masked=False))
    server.until(b"\x8a\x80")  # a pong: the client has read the answer
    client.stdin.close()
    server.until(b"\x88\x82")  # a close frame, with a code and masked
    server.say(frame(CLOSE, b"\x03\xe8", is_masked=False))


@pytest.mark.parametrize("version, cipher", CIPHERS)
def test_client_speaks_each_version_and_cipher(authority, version, cipher):
    with s_server(authority, *only(version, cipher)) as server, client_of(server, authority) as talk:
        assert f"CIPHER is {cipher}" in answer(server)
        server.say(frame(TEXT, b"hello", is_masked=False))
        assert talk.hear() == "hello"
        end(server, talk.process)
        assert talk.wait() == (0, "", "")


def test_client_refuses_older_versions(authority):
    for version in ("-tls1", "-tls1_1"):
        with s_server(authority, version, "-cipher", "ALL:@SECLEVEL=0") as server, client_of(server, authority) as talk:
            talk.assert_failed("protocol version")


def test_client_refuses_a_cipher_that_encrypts_nothing(authority):
    words = only("-tls1_2", "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0")
    with s_server(authority, *words) as server, client_of(server, authority) as talk:
        talk.assert_failed("handshake failure")


def test_client_refuses_another_name(authority):
    authority.issue("elsewhere", "DNS:example.org")
    with s_server(authority, name="elsewhere") as server, client_of(server, authority) as talk:
        talk.assert_failed("hostname mismatch")


def test_client_asks_for_the_name_and_for_http(authority):
    same = ["-cert2", authority.path("server.pem"), "-key2", authority.path("server.key")]
    for words, said in [
        (["-servername", "localhost", *same], 'Hostname in TLS extension: "localhost"'),
        (["-alpn", "http/1.1"], "ALPN protocols selected: http/1.1"),
    ]:
        with s_server(authority, *words) as server, client_of(server, authority) as talk:
            assert said in answer(server)
            end(server, talk.process)
            assert talk.wait() == (0, "", "")


def test_client_refuses_renegotiation(authority):
    with s_server(authority, "-tls1_2") as server, client_of(server, authority) as talk:
        answer(server)
        server.say(frame(TEXT, b"hello", is_masked=False))
        assert talk.hear() == "hello"
        server.say(b"r\n")
        server.until(b"no renegotiation")
        talk.assert_failed('the peer sent the alert "handshake failure"')  # s_server's way to take no for an answer


def test_client_goes_on_over_key_updates(authority):
    with s_server(authority, "-tls1_3") as server, client_of(server, authority) as talk:
        answer(server)
        for text in ("one", "two", "three"):
            server.say(frame(TEXT, text.encode(), is_masked=False))
            assert talk.hear() == text
            server.say(b"K\n")
            talk.say(text)
            server.until(rb"\x81[\x83\x85]")
        end(server, talk.process)
        assert talk.wait() == (0, "", "")


@pytest.mark.parametrize("shares", [True, False], ids=["sharing", "not sharing"])
@pytest.mark.parametrize("version", VERSIONS)
def test_client_that_comes_back_resumes_its_session(authority, version, shares):
    with s_server(authority, version) as server:
        secure = {"authority": authority.path("ca.pem"), "sharesSession": shares}
        with interop_client({"url": server.url, "secure": secure}) as client:
            assert "Reused session-id" not in answer(server)
            for _ in range(2):
                server.say(frame(CLOSE, b"\x03\xe9", is_masked=False))
                server.until(rb"\x88\x82")
                server.say(b"q\n")
                assert ("Reused session-id" in answer(server)) == shares
            end(server, client)


def test_client_keeps_to_its_versions_and_ciphers(authority):
    secure = {"authority": authority.path("ca.pem"), "versions": ["1.2"]}
    secure["ciphers"] = ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"]
    with s_server(authority) as server, interop_client({"url": server.url, "secure": secure}) as client:
        assert "CIPHER is ECDHE-ECDSA-CHACHA20-POLY1305" in answer(server)
        end(server, client)
