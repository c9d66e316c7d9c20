"""Unix domain sockets: `weft serve --unix` for Python's websockets and curl, `ws+unix:` URLs to a server of theirs."""

import contextlib
import signal
import subprocess
import threading

import pytest
from websockets.sync.client import unix_connect
from websockets.sync.server import unix_serve

from programs import WAIT, assert_refused, connecting, program, weft
from secure import trusting


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "socket")


@contextlib.contextmanager
def serving(path, *options):
    command = [program("WEFT_TOOL"), "serve", "--unix", path, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == f"weft: listening on unix:{path}\n"
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("threads", ["1", "3"])
def test_serves_clients_and_removes_the_file(path, tmp_path, threads):
    with serving(path, "--threads", threads):
        for i in range(8):
            with unix_connect(path, "ws://localhost/ws") as client:
                client.send(f"hello {i}")
                assert client.recv(WAIT) == f"hello {i}"
        page = subprocess.run(
            ["curl", "-sS", "--unix-socket", path, "http://localhost/"], capture_output=True, timeout=WAIT, check=True
        )
        assert b"<html" in page.stdout
    assert not list(tmp_path.iterdir())


def test_replaces_the_file_of_a_server_that_was_killed(path):
    with pytest.raises(AssertionError), serving(path) as killed:
        killed.kill()
        killed.wait(WAIT)
    with serving(path), unix_connect(path, "ws://localhost/ws") as client:
        client.send("again")
        assert client.recv(WAIT) == "again"


def test_says_that_the_socket_is_in_use(path):
    with serving(path):
        assert_refused(weft("serve", "--unix", path), path, "address in use")


def test_connects_to_a_server_of_others(path):
    paths = []

    def echo(connection):
        paths.append(connection.request.path)
        for message in connection:
            connection.send(message)

    with unix_serve(echo, path) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with connecting(f"ws+unix:{path}:/some/path?query=1") as talk:
            talk.say("hello")
            assert talk.hear() == "hello"
            assert talk.end() == (0, "", "")
        server.shutdown()
        thread.join(WAIT)
    assert paths == ["/some/path?query=1"]


def test_serves_over_tls(path, authority):
    options = ["--tls-cert", authority.path("server.pem"), "--tls-key", authority.path("server.key")]
    with serving(path, *options):
        with unix_connect(path, "wss://localhost/ws", ssl=trusting(authority)) as client:
            client.send("hello")
            assert client.recv(WAIT) == "hello"
        words = ["curl", "-sS", "--cacert", authority.path("ca.pem"), "--unix-socket", path, "https://localhost/"]
        assert b"<html" in subprocess.run(words, capture_output=True, timeout=WAIT, check=True).stdout


def test_has_no_url_for_tls_to_a_socket(path):
    assert_refused(weft("connect", f"wss+unix:{path}"), "scheme is not ws, wss or ws+unix")


def test_says_that_nobody_listens(path):
    assert_refused(weft("connect", f"ws+unix:{path}"), path)
