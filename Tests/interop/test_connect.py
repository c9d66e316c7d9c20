"""`weft connect` against a server that others wrote, and against `weft serve`."""

import contextlib
import signal
import socket
import subprocess
import threading

import pytest
from websockets.sync.server import serve as websockets_serve

from programs import WAIT, assert_refused, program, weft


class Peer:
    """A server of Python's websockets that echoes, and remembers what came."""

    def __init__(self):
        self.requests = []
        self.messages = []
        self.closes = []
        self.done = threading.Semaphore(0)

    def handle(self, connection):
        self.requests.append(connection.request)
        for message in connection:
            self.messages.append(message)
            connection.send(message)
        self.closes.append(connection.protocol.close_rcvd)
        self.done.release()


@contextlib.contextmanager
def serving(handler, **options):
    with websockets_serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/some/path?query=1"
        server.shutdown()
        thread.join(WAIT)


def test_line_is_sent_and_printed_and_closed():
    peer = Peer()
    with serving(peer.handle) as url:
        result = weft("connect", url, stdin="hello\n")
        assert peer.done.acquire(timeout=WAIT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\n", "")
    assert peer.messages == ["hello"]
    assert peer.requests[0].path == "/some/path?query=1"
    assert peer.closes[0].code == 1000


def test_many_lines_come_back_in_order():
    lines = [f"line {i} äß\U0001f600" for i in range(3000)]
    with serving(Peer().handle) as url:
        result = weft("connect", url, stdin="\n".join(lines) + "\n")
    assert result.returncode == 0
    assert result.stdout.splitlines() == lines


def test_last_line_needs_no_line_feed():
    peer = Peer()
    with serving(peer.handle) as url:
        assert weft("connect", url, stdin="one\ntwo").stdout == "one\ntwo\n"
    assert peer.messages == ["one", "two"]


def test_no_input_is_success():
    with serving(Peer().handle) as url:
        result = weft("connect", url)
    assert (result.returncode, result.stdout) == (0, "")


def test_binary_sends_bytes():
    peer = Peer()
    with serving(peer.handle) as url:
        result = weft("connect", "--binary", url, stdin="hello\n")
    assert result.returncode == 0
    assert [type(message) for message in peer.messages] == [bytes]
    assert peer.messages[0].rstrip(b"\n") == b"hello"
    assert "hello" in result.stdout


def test_headers_and_subprotocols_are_sent():
    peer = Peer()
    with serving(peer.handle, subprotocols=["two"]) as url:
        words = ["--header", "X-One: 1", "--header", "X-Two: a: b", "--subprotocol", "one", "--subprotocol", "two"]
        result = weft("connect", *words, url, stdin="x\n")
    assert result.returncode == 0, result.stderr
    headers = peer.requests[0].headers
    assert (headers["X-One"], headers["X-Two"]) == ("1", "a: b")
    assert [part.strip() for part in headers["Sec-WebSocket-Protocol"].split(",")] == ["one", "two"]


def test_message_that_the_server_starts_with_is_printed():
    def handler(connection):
        connection.send("welcome")
        for _ in connection:
            pass

    with serving(handler) as url:
        assert weft("connect", url, stdin="x\n").stdout == "welcome\n"


def test_end_by_the_server_ends_the_program():
    def handler(connection):
        connection.send("bye")
        connection.close(1000)

    with serving(handler) as url:
        with subprocess.Popen(
            [program("WEFT_TOOL"), "connect", url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.wait(WAIT) == 0  # though the input is still open
            assert process.stdout.read() == "bye\n"


def test_abnormal_end_is_an_error():
    def handler(connection):
        connection.recv(WAIT)
        connection.socket.shutdown(socket.SHUT_RDWR)

    with serving(handler) as url:
        result = weft("connect", url, stdin="x\n")
    assert_refused(result)


def test_error_close_is_an_error():
    def handler(connection):
        connection.recv(WAIT)
        connection.close(1011, "out of order")

    with serving(handler) as url:
        assert_refused(weft("connect", url, stdin="x\n"), "1011")


def test_large_message_is_printed_whole():
    text = "0123456789" * 10000

    def handler(connection):
        connection.send([text[:50000], text[50000:]])
        for _ in connection:
            pass

    with serving(handler) as url:
        assert weft("connect", url).stdout in ("", text + "\n")
        assert weft("connect", url, stdin="x\n").stdout == text + "\n"


def test_interrupt_ends_it():
    with serving(Peer().handle) as url:
        with subprocess.Popen(
            [program("WEFT_TOOL"), "connect", url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            process.stdin.write("one\n")
            process.stdin.flush()
            assert process.stdout.readline() == "one\n"
            process.send_signal(signal.SIGINT)
            process.wait(WAIT)


def test_server_of_ours_answers(server):
    result = weft("connect", server.echo_url, stdin="hello\nweft\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\nweft\n", "")


def test_connection_refused_is_said():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert_refused(weft("connect", f"ws://127.0.0.1:{port}/", stdin="x\n"), str(port))


def test_refused_upgrade_is_said(demo):
    assert_refused(weft("connect", f"ws://127.0.0.1:{demo.port}/nowhere", stdin="x\n"), "404")


def test_name_without_address_is_said():
    assert_refused(weft("connect", "ws://nowhere.invalid/", stdin="x\n"), "nowhere.invalid")


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "localhost:8080/", "http://localhost/", "ws://", "ws://local host/", "ws://h:99999/", "ws://h/#part"],
)
def test_wrong_url_is_said(url):
    assert_refused(weft("connect", url, stdin="x\n"))


def test_wrong_header_is_said():
    assert_refused(weft("connect", "--header", "no colon", "ws://127.0.0.1:9/"))
    assert_refused(weft("connect", "--header", "X-Odd: a\rb", "ws://127.0.0.1:9/"))
