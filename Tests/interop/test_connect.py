"""`weft connect` against a server that others wrote, and against `weft serve`."""

import contextlib
import signal
import socket
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve as websockets_serve

from programs import WAIT, assert_refused, connecting, weft


class Peer:
    """A server of Python's websockets that echoes, and remembers what came."""

    def __init__(self):
        self.requests = []
        self.messages = []
        self.closes = []
        self.done = threading.Semaphore(0)

    def handle(self, connection):
        self.requests.append(connection.request)
        try:
            for message in connection:
                self.messages.append(message)
                connection.send(message)
        except ConnectionClosed:
            pass  # the library sends nothing more once it has read a close frame
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


def test_lines_are_sent_and_printed_and_closed():
    peer = Peer()
    with serving(peer.handle) as url, connecting(url) as talk:
        for text in ("hello", "äß\U0001f600", "  blanks  ", ""):
            talk.say(text)
            assert talk.hear() == text
        assert talk.end() == (0, "", "")
        assert peer.done.acquire(timeout=WAIT)
    assert peer.requests[0].path == "/some/path?query=1"
    assert peer.closes[0].code == 1000


def test_pipe_is_sent_whole_and_closed():
    peer = Peer()
    lines = [f"line {i}" for i in range(3000)]
    with serving(peer.handle) as url:
        assert weft("connect", url, stdin="\n".join(lines)).returncode == 0
        assert peer.done.acquire(timeout=WAIT)
    assert peer.messages[:1] == ["line 0"]
    assert peer.closes[0].code == 1000


def test_many_lines_come_back_in_order():
    lines = [f"line {i} äß\U0001f600" for i in range(3000)]
    with serving(Peer().handle) as url, connecting(url) as talk:
        sender = threading.Thread(target=talk.say, args=lines)
        sender.start()
        assert [talk.hear() for _ in lines] == lines
        sender.join(WAIT)
        assert talk.end() == (0, "", "")


def test_no_input_is_success():
    with serving(Peer().handle) as url:
        result = weft("connect", url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_binary_sends_bytes():
    peer = Peer()
    with serving(peer.handle) as url, connecting("--binary", url) as talk:
        talk.say("hello")
        assert talk.hear() == "hello"
        assert talk.end()[0] == 0
    assert [bytes(message).rstrip(b"\n") for message in peer.messages] == [b"hello"]


def test_headers_and_subprotocols_are_sent():
    peer = Peer()
    with serving(peer.handle, subprotocols=["two"]) as url:
        words = ["--header", "X-One: 1", "--header", "X-Two: a: b", "--subprotocol", "one", "--subprotocol", "two"]
        result = weft("connect", *words, url)
    assert result.returncode == 0, result.stderr
    headers = peer.requests[0].headers
    assert (headers["X-One"], headers["X-Two"]) == ("1", "a: b")
    assert [part.strip() for part in headers["Sec-WebSocket-Protocol"].split(",")] == ["one", "two"]


def test_end_by_the_server_ends_the_program():
    def handler(connection):
        connection.send("bye")
        connection.close(1000)

    with serving(handler) as url, connecting(url) as talk:
        assert talk.wait() == (0, "bye\n", "")  # though the input is still open


def test_abnormal_end_is_an_error():
    def handler(connection):
        connection.socket.shutdown(socket.SHUT_RDWR)

    with serving(handler) as url, connecting(url) as talk:
        talk.assert_failed()


def test_close_with_an_error_code_is_an_error():
    with serving(lambda connection: connection.close(1011, "out of order")) as url, connecting(url) as talk:
        talk.assert_failed("1011")


def test_large_message_is_printed_whole():
    text = "0123456789" * 10000

    def handler(connection):
        connection.send([text[:50000], text[50000:]])
        for _ in connection:
            pass

    with serving(handler) as url, connecting(url) as talk:
        assert talk.hear() == text
        assert talk.end()[0] == 0


def test_message_over_the_limit_is_an_error():
    def handler(connection):
        connection.send(bytes(65537))
        for _ in connection:
            pass

    with serving(handler, compression=None) as url, connecting(url) as talk:
        talk.assert_failed("65536")


def test_interrupt_ends_it():
    with serving(Peer().handle) as url, connecting(url) as talk:
        talk.say("one")
        assert talk.hear() == "one"
        talk.process.send_signal(signal.SIGINT)
        talk.wait()


def test_server_of_ours_answers(server):
    result = weft("connect", server.echo_url, stdin="hello\nweft\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\nweft\n", "")


def test_pipe_gets_everything_back_from_a_server_of_ours(server):
    lines = [f"line {i}" for i in range(20000)]
    result = weft("connect", server.echo_url, stdin="\n".join(lines))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == lines


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
