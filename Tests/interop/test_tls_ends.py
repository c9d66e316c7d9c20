"""TCP that ends without TLS's close_notify: behind the closing handshake of the WebSocket it is nothing, before it a loss."""

import contextlib
import socket
import ssl

import pytest

from programs import WAIT, connecting, serve
from secure import inline_serving, serving, trusting
from wire import CLOSE, TEXT, Wire, close_frame, frame, upgrade_answer


def cut(secured):
    """Ends TCP in good order, and says nothing of it in TLS."""
    with socket.socket(fileno=secured.detach()) as plain:
        plain.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def opened(authority, server):
    plain = socket.create_connection(("127.0.0.1", server.port), WAIT)
    with trusting(authority).wrap_socket(plain, server_hostname="localhost") as secured:
        wire = Wire(secured)
        wire.open()
        yield wire


@pytest.mark.parametrize("start", [serving, inline_serving], ids=["async", "inline"])
def test_a_client_that_cuts_behind_its_close_is_no_failure(authority, start):
    with start(authority) as server:
        with opened(authority, server) as wire:
            wire.send(close_frame(1000))
            assert wire.close_code() == 1000
            cut(wire.socket)
        assert server.stop() == 0
        assert server.error_text() == ""


@pytest.mark.parametrize("is_secure", [True, False], ids=["tls", "plain"])
def test_a_client_that_cuts_before_is_an_error_of_the_same_level_as_without_tls(authority, is_secure):
    with serving(authority) if is_secure else serve() as server:
        if is_secure:
            with opened(authority, server) as wire:
                cut(wire.socket)
        else:
            wire = Wire(socket.create_connection(("127.0.0.1", server.port), WAIT))
            wire.open()
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.socket.close()
        server.await_error("close_notify" if is_secure else "reset")
        assert server.stop() == 0
        (line,) = server.error_text().splitlines()
        assert " error " in line


@contextlib.contextmanager
def answered(authority):
    """Our client, and the wire to it from a server that has answered."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.path("server.pem"), authority.path("server.key"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT)
        url = f"wss://localhost:{listening.getsockname()[1]}/"
        with connecting("--ca", authority.path("ca.pem"), url) as talk:
            plain, _ = listening.accept()
            plain.settimeout(WAIT)
            with context.wrap_socket(plain, server_side=True) as secured:
                wire = Wire(secured)
                wire.send(upgrade_answer(wire.request()["sec-websocket-key"]))
                wire.send(frame(TEXT, b"hello", is_masked=False))
                assert talk.hear() == "hello"
                yield talk, wire


def test_a_server_that_cuts_behind_its_close_is_no_failure(authority):
    with answered(authority) as (talk, wire):
        wire.send(frame(CLOSE, b"\x03\xe8", is_masked=False))
        assert wire.close_code(is_masked=True) == 1000
        cut(wire.socket)
        assert talk.wait() == (0, "", "")


def test_a_server_that_cuts_behind_the_answer_to_a_close_is_no_failure(authority):
    with answered(authority) as (talk, wire):
        talk.process.stdin.close()
        assert wire.close_code(is_masked=True) == 1000
        wire.send(frame(CLOSE, b"\x03\xe8", is_masked=False))
        cut(wire.socket)
        assert talk.wait() == (0, "", "")
