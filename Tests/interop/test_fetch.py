"""weft-c-fetch with Python's http.server, over TCP and TLS: what the exchange of the core says and takes."""

import contextlib
import http.server
import ssl
import subprocess
import threading

import pytest

from programs import WAIT, c_example


class Script(http.server.BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what was asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, *fields):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        length = int(self.headers.get("Content-Length", "0"))
        self.server.requests.append((self.requestline, self.headers.items(), self.rfile.read(length)))
        getattr(self, "say_" + self.path.split("?")[0].strip("/"))()
        self.close_connection = True

    do_POST = do_HEAD = do_GET

    def say_token(self):
        self.answer(200, b'{"access_token":"x"}', ("Content-Type", "application/json"))

    def say_bad(self):
        self.answer(400, b'{"error":"invalid_client"}')

    def say_broken(self):
        self.answer(500, b"")

    def say_moved(self):
        self.answer(302, b"elsewhere", ("Location", "/token"))

    def say_empty(self):
        self.send_response(204)
        self.end_headers()

    def say_chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in b"one ", b"and ", b"two":
            self.wfile.write(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\nTrailer: x\r\n\r\n")

    def say_until_end(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"up to the end")

    def say_slowly(self):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow":
            self.wfile.write(bytes([byte]))
            self.wfile.flush()

    def say_interim(self):
        self.send_response_only(103)
        self.send_header("Link", "</style.css>")
        self.end_headers()
        self.answer(200, b"final")

    def say_cut(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")

    def say_nonsense(self):
        self.wfile.write(b"220 mail.example ESMTP\r\n")

    def say_much(self):
        self.answer(200, b"x" * 2_000_000)

    def say_nothing(self):
        self.server.is_over.wait(WAIT)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, chain = folder / "key.pem", folder / "chain.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain],
        check=True,
        capture_output=True,
        timeout=WAIT,
    )
    return key, chain


class Server(http.server.ThreadingHTTPServer):
    """Speaks TLS where it has a context; ends it with close_notify where it is polite."""

    daemon_threads = True

    def __init__(self, context, is_polite):
        super().__init__(("127.0.0.1", 0), Script)
        self.context, self.is_polite = context, is_polite
        self.requests, self.is_over = [], threading.Event()

    def finish_request(self, request, address):
        if not self.context:
            super().finish_request(request, address)
            return
        with contextlib.suppress(OSError):  # a client that refuses the certificate
            secure = self.context.wrap_socket(request, server_side=True)
            super().finish_request(secure, address)
            if self.is_polite:
                secure.unwrap()
            secure.close()


@contextlib.contextmanager
def serving(context=None, is_polite=True):
    with Server(context, is_polite) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.shutdown()
            thread.join(WAIT)


@pytest.fixture(params=["http", "https"])
def fetch(request, certificate):
    """Yields a function that fetches a path, from a server that keeps the requests."""
    key, chain = certificate
    context = None
    if request.param == "https":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)
    with serving(context) as server:

        def fetch(path, *words, trust=chain):
            url = f"{request.param}://127.0.0.1:{server.server_port}{path}"
            words = [*words, *(["-c", str(trust)] if trust else [])]
            return run(*words, url)

        fetch.server, fetch.scheme = server, request.param
        yield fetch


def run(*words):
    command = [c_example("fetch"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)


def assert_answer(result, status, body):
    assert (result.returncode, result.stderr, result.stdout) == (0, "", f"{status}\n{body}")


def assert_failure(result, *words):
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/token?a=b", 200, '{"access_token":"x"}'),
        ("/bad", 400, '{"error":"invalid_client"}'),
        ("/broken", 500, ""),
        ("/moved", 302, "elsewhere"),
        ("/empty", 204, ""),
        ("/chunked", 200, "one and two"),
        ("/until_end", 200, "up to the end"),
        ("/slowly", 200, "slow"),
        ("/interim", 200, "final"),
    ],
)
def test_answers_come_as_they_were_given(fetch, path, status, body):
    assert_answer(fetch(path), status, body)
    assert len(fetch.server.requests) == 1  # a redirect is not followed


def test_the_request_says_what_was_asked(fetch):
    assert_answer(fetch("/token?a=b", "-X", "POST", "-d", "grant_type=x"), 200, '{"access_token":"x"}')
    assert_answer(fetch("/token", "-X", "HEAD"), 200, "")
    (line, fields, body), (head, *_) = fetch.server.requests
    assert (line, head, body) == ("POST /token?a=b HTTP/1.1", "HEAD /token HTTP/1.1", b"grant_type=x")
    assert fields == [
        ("Host", f"127.0.0.1:{fetch.server.server_port}"),
        ("Content-Length", "12"),
        ("Connection", "close"),
        ("Accept-Encoding", "identity"),
    ]


def test_what_is_no_answer_fails_with_a_sentence(fetch):
    place = f"{fetch.scheme}://127.0.0.1:{fetch.server.server_port}: "
    assert_failure(fetch("/cut?secret"), place, "within the body of its answer")
    assert_failure(fetch("/nonsense?secret"), place, "does not begin with an HTTP version")
    assert_failure(fetch("/much?secret"), place, "the body of the answer is over 1048576 bytes")
    assert_failure(fetch("/nothing?secret", "-t", "300"), place, "the answer was not whole after 0.3 s")
    assert_answer(fetch("/much", "-m", "2000000"), 200, "x" * 2_000_000)


def test_a_body_that_only_tcp_ends_is_refused_over_tls(certificate):
    key, chain = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    with serving(context, is_polite=False) as server:
        url = f"https://127.0.0.1:{server.server_port}"
        assert_failure(run("-c", str(chain), url + "/until_end"), "without the close_notify of TLS")
        assert_answer(run("-c", str(chain), url + "/token"), 200, '{"access_token":"x"}')
        assert_failure(run(url + "/token"), "the certificate of 127.0.0.1")  # by what the system trusts
        assert_failure(run("-c", str(chain), f"https://localhost:{server.server_port}/token"), "localhost")


def test_what_cannot_be_asked_is_refused():
    assert_failure(run("ftp://127.0.0.1/"), "URL scheme is not http or https")
    assert_failure(run("http://me:secret@127.0.0.1/"), "user information stands before the host")
    assert_failure(run("-X", "CONNECT", "http://127.0.0.1/"), "CONNECT")
    assert run().returncode == 2
