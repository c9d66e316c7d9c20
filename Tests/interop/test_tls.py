"""TLS between ours and Python's, curl's and websocat's: who is trusted, what is refused, and how it ends."""

import contextlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect
from websockets.sync.server import serve as websockets_serve

from authority import openssl
from programs import WAIT, TOOLS, assert_refused, connecting, serve, weft
from secure import SharedSSLSocket, serving, trusting, url_of

NAMES = "DNS:localhost,IP:127.0.0.1"


@pytest.fixture
def server(secure_server):
    return secure_server


# -- our server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_websockets_connects(server, authority, host):
    with connect(url_of(server, host), ssl=trusting(authority), max_size=None) as client:
        for text in ("hello", "äß\U0001f600", "x" * 60000):
            client.send(text)
            assert client.recv(WAIT) == text
        client.send(bytes(range(256)) * 200)
        assert client.recv(WAIT) == bytes(range(256)) * 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(server, authority, version):
    context = trusting(authority, minimum_version=version, maximum_version=version)
    with connect(url_of(server), ssl=context) as client:
        assert client.socket.version() == version.name.replace("_", ".")
        assert client.socket.selected_alpn_protocol() in (None, "http/1.1")
        client.send("hello")
        assert client.recv(WAIT) == "hello"


def test_curl_gets_the_page(authority):
    with serving(authority) as server:
        page = curl(server, authority)
    assert "<!DOCTYPE html>" in page


def curl(server, authority):
    command = ["curl", "-sS", "--cacert", authority.path("ca.pem"), f"https://localhost:{server.port}/"]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=True).stdout


def websocat(server, **environment):
    command = [TOOLS / "websocat", "-1", url_of(server)]
    return subprocess.run(
        command, input="hello\n", env=environment, capture_output=True, text=True, timeout=WAIT, check=False
    )


def test_websocat_connects(server, authority):
    result = websocat(server, SSL_CERT_FILE=authority.path("ca.pem"))
    assert result.stdout == "hello\n", result.stderr
    assert "certificate verify failed" in websocat(server).stderr


def test_strangers_are_refused_and_the_log_says_why(authority):
    with serving(authority, "--client-ca", authority.path("ca.pem")) as server:
        known = trusting(authority)
        known.load_cert_chain(authority.path("client.pem"), authority.path("client.key"))
        with connect(url_of(server), ssl=known) as client:
            with pytest.raises((WebSocketException, OSError)):
                connect(url_of(server), ssl=trusting(authority))
            strange = trusting(authority)
            strange.load_cert_chain(authority.path("stranger.pem"), authority.path("stranger.key"))
            with pytest.raises((WebSocketException, OSError)):
                connect(url_of(server), ssl=strange)
            server.await_error("the peer has shown no certificate")
            server.await_error("the certificate of the client is refused: self-signed certificate")
            client.send("still here")
            assert client.recv(WAIT) == "still here"


def test_half_open_handshakes_hold_nobody_up(server, authority):
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), WAIT)).send(b"\x16\x03")
        with connect(url_of(server), ssl=trusting(authority)) as client:
            client.send("hello")
            assert client.recv(WAIT) == "hello"


@pytest.mark.parametrize("step", [1, 7, 100])
def test_records_may_be_cut_anywhere(server, authority, step):
    """A relay hands the client's first bytes on in pieces, in both directions."""
    with socket.create_server(("127.0.0.1", 0)) as relay:

        def copy(source, target):
            rest = 3000
            while data := source.recv(65536):
                while data:
                    piece, data = (data[:step], data[step:]) if rest > 0 else (data, b"")
                    rest -= len(piece)
                    target.sendall(piece)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)

        def accept():
            near, _ = relay.accept()
            far = socket.create_connection(("127.0.0.1", server.port), WAIT)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=copy, args=(far, near), daemon=True)
            back.start()
            copy(near, far)
            back.join(WAIT)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        url = f"wss://localhost:{relay.getsockname()[1]}/ws"
        with connect(url, ssl=trusting(authority)) as client:
            client.send("hello")
            assert client.recv(WAIT) == "hello"
        thread.join(WAIT)


def test_sighup_reads_the_files_anew(authority, tmp_path):
    """Who is connected stays; a file that is not good changes nothing."""
    for kind in ("pem", "key"):
        shutil.copy(authority.path(f"server.{kind}"), tmp_path / f"own.{kind}")
    files = ["--tls-cert", str(tmp_path / "own.pem"), "--tls-key", str(tmp_path / "own.key")]
    authority.issue("renewed", NAMES)

    def shown(server):
        with connect(url_of(server), ssl=trusting(authority)) as client:
            return client.socket.getpeercert()["subject"][0][0][1]

    with serve(*files) as server, connect(url_of(server), ssl=trusting(authority)) as before:
        assert shown(server) == "server"
        (tmp_path / "own.pem").write_text("nothing of the kind")
        server.process.send_signal(signal.SIGHUP)
        server.await_error("own.pem")
        assert shown(server) == "server"
        for kind in ("pem", "key"):
            shutil.copy(authority.path(f"renewed.{kind}"), tmp_path / f"own.{kind}")
        server.process.send_signal(signal.SIGHUP)
        assert server.process.stdout.readline() == "weft: TLS files read anew\n"
        assert shown(server) == "renewed"
        before.send("still here")
        assert before.recv(WAIT) == "still here"


# -- our client ----------------------------------------------------------------------------------------


def echo(connection):
    with contextlib.suppress(ConnectionClosed):
        for message in connection:
            connection.send(message)


@contextlib.contextmanager
def websockets_server(authority, name="server", handler=echo, max_size=2**20, **options):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.sslsocket_class = SharedSSLSocket
    context.load_cert_chain(authority.path(f"{name}.pem"), authority.path(f"{name}.key"))
    for option, value in options.items():
        setattr(context, option, value)
    if options.get("verify_mode"):
        context.load_verify_locations(authority.path("ca.pem"))
    with websockets_serve(handler, "127.0.0.1", 0, ssl=context, max_size=max_size) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(WAIT)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_connect_talks_to_websockets(authority, host):
    with websockets_server(authority) as port:
        result = weft("connect", f"wss://{host}:{port}/", "--ca", authority.path("ca.pem"), stdin="hello\n")
    assert (result.returncode, result.stdout) == (0, "hello\n"), result.stderr


def test_connect_talks_to_websocat(authority, tmp_path):
    store = str(tmp_path / "server.p12")
    files = ["-in", authority.path("server.pem"), "-inkey", authority.path("server.key")]
    openssl("pkcs12", "-export", *files, "-out", store, "-passout", "pass:secret")
    words = ["--pkcs12-der", store, "--pkcs12-passwd", "secret", "ws-upgrade:ssl-accept:inetd:", "mirror:"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"wss://localhost:{listening.getsockname()[1]}/"
        with connecting("--linger", "0", "--ca", authority.path("ca.pem"), url) as talk:
            accepted, _ = listening.accept()
            with accepted, subprocess.Popen([TOOLS / "websocat", *words], stdin=accepted, stdout=accepted) as peer:
                accepted.close()
                talk.say("hello")
                assert talk.hear() == "hello"
                _, _, errors = talk.end()
                assert "code 1005" in errors  # its answer to a close has none
                peer.terminate()


def test_connect_shows_its_certificate(authority):
    shown = []

    def handler(connection):
        shown.append(connection.socket.getpeercert()["subject"])
        echo(connection)

    with websockets_server(authority, handler=handler, verify_mode=ssl.CERT_REQUIRED) as port:
        words = ["connect", f"wss://localhost:{port}/", "--ca", authority.path("ca.pem")]
        own = ["--cert", authority.path("client.pem"), "--key", authority.path("client.key")]
        assert weft(*words, *own, stdin="hello\n").stdout == "hello\n"
        assert shown == [((("commonName", "client"),),)]
        assert_refused(weft(*words, stdin="hello\n"), "certificate required")


@pytest.mark.parametrize(
    "name, names, by, days, words",
    [
        ("expired", NAMES, "ca", -1, ["certificate has expired", "CN=expired"]),
        ("elsewhere", "DNS:example.org", "ca", 2, ["hostname mismatch"]),
        ("strange", NAMES, "stranger", 2, ["unable to get local issuer certificate", "issuer CN=stranger"]),
    ],
)
def test_a_bad_certificate_is_named(authority, name, names, by, days, words):
    authority.issue(name, names, by, days)
    with websockets_server(authority, name) as port:
        result = weft("connect", f"wss://localhost:{port}/", "--ca", authority.path("ca.pem"))
        assert_refused(result, f"localhost:{port} is refused", *words)
        assert weft("connect", f"wss://localhost:{port}/", "--insecure", stdin="hello\n").stdout == "hello\n"


def test_a_strange_authority_is_refused_without_its_file(authority):
    with websockets_server(authority) as port:
        assert_refused(weft("connect", f"wss://localhost:{port}/"), "is refused")


@pytest.mark.parametrize(
    "file, words",
    [("/nowhere.pem", ["/nowhere.pem", "No such file"]), ("/dev/null", ["/dev/null is empty"])],
)
def test_files_that_are_not_good_are_named(authority, file, words):
    assert_refused(weft("connect", "wss://localhost:1/", "--ca", file), *words)
    serve = weft("serve", "--port", "0", "--tls-cert", file, "--tls-key", authority.path("server.key"))
    assert_refused(serve, *words)


def test_a_cut_connection_is_no_clean_close(authority):
    """TCP ends behind a message, without TLS's own end and without a close frame."""

    def handler(connection):
        connection.send("half of what there is to say")
        socket.socket(fileno=connection.socket.detach()).shutdown(socket.SHUT_RDWR)

    with websockets_server(authority, handler=handler) as port:
        result = weft("connect", f"wss://localhost:{port}/", "--ca", authority.path("ca.pem"), "--linger", "20")
    assert result.returncode == 1
    assert result.stdout == "half of what there is to say\n"


def test_plain_and_tls_are_told_apart(server):
    with socket.create_connection(("127.0.0.1", server.port), WAIT) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(4096)[:1] in (b"\x15", b"")  # an alert of TLS, or the end
    assert_refused(weft("connect", f"ws://127.0.0.1:{server.port}/ws"))
