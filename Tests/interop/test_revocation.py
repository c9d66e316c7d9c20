"""Revoked certificates: who is asked, and who is refused; `openssl ocsp` answers, and a list lies on a web server."""

import contextlib
import functools
import http.server
import pathlib
import socket
import subprocess
import threading

import pytest

from authority import Authority, openssl
from openssl_peer import running
from programs import WAIT, assert_refused, connecting, weft
from secure import serving

NAMES = "DNS:localhost,IP:127.0.0.1"
BY_OCSP = "revoked (keyCompromise), as its issuer's OCSP responder says"
BY_LIST = "in its issuer's list of revoked certificates"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Registry(Authority):
    """An authority that knows whom it has revoked."""

    def __init__(self, folder):
        super().__init__(folder)
        self.responder_port = free_port()
        self.folder.joinpath("lists").mkdir()
        handler = functools.partial(QuietHandler, directory=folder / "lists")
        self.lists = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.lists.serve_forever, daemon=True).start()
        addresses = [
            f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{self.responder_port}/",
            f"crlDistributionPoints=URI:http://127.0.0.1:{self.lists.server_port}/list.crl",
        ]
        entries = []
        for name in ("good", "revoked", "client", "revoked-client"):
            self.issue(name, NAMES, also=addresses)
            words = ["openssl", "x509", "-in", self.path(f"{name}.pem"), "-noout", "-serial"]
            serial = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]
            state = "R\t401231235959Z\t200101000000Z,keyCompromise" if "revoked" in name else "V\t401231235959Z\t"
            entries.append(f"{state}\t{serial}\tunknown\t/CN={name}\n")
            both = pathlib.Path(self.path(f"{name}.pem")).read_text() + pathlib.Path(self.path("ca.pem")).read_text()
            pathlib.Path(self.path(f"{name}.pem")).write_text(both)
        folder.joinpath("index.txt").write_text("".join(entries))
        self.write_list()

    def write_list(self):
        self.folder.joinpath("ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.path('index.txt')}\ndefault_md=sha256\n"
        )
        own = ["-keyfile", self.path("ca.key"), "-cert", self.path("ca.pem"), "-config", self.path("ca.cnf")]
        openssl("ca", "-gencrl", *own, "-crldays", "1", "-out", self.path("lists/list.crl"))

    @contextlib.contextmanager
    def responder(self):
        signer = ["-rsigner", self.path("ca.pem"), "-rkey", self.path("ca.key"), "-CA", self.path("ca.pem")]
        port = str(self.responder_port)
        with running("ocsp", "-index", self.path("index.txt"), *signer, "-port", port, "-nmin", "10") as one:
            one.until(b"ACCEPT")
            yield one

    @contextlib.contextmanager
    def without_lists(self):
        list_file = self.folder / "lists" / "list.crl"
        list_file.rename(self.folder / "away.crl")
        yield
        self.folder.joinpath("away.crl").rename(list_file)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    made = Registry(tmp_path_factory.mktemp("registry"))
    yield made
    made.lists.shutdown()
    made.lists.server_close()


def asking(registry, server, *words):
    url = f"wss://localhost:{server.port}/ws"
    return weft("connect", url, "--ca", registry.path("ca.pem"), "--revocation", *words, stdin="hello\n")


def test_the_responder_decides(registry):
    with registry.responder():
        with serving(registry, name="good") as server:
            assert asking(registry, server, "ocsp-crl").stdout == "hello\n"
        with serving(registry, name="revoked") as server:
            assert_refused(asking(registry, server, "ocsp-crl"), BY_OCSP, "CN=revoked", f"localhost:{server.port}")
            assert_refused(asking(registry, server, "stapling"), BY_OCSP, "CN=revoked")


def test_without_a_responder_the_list_decides(registry):
    with serving(registry, name="good") as server:
        assert asking(registry, server, "ocsp-crl").stdout == "hello\n"
    with serving(registry, name="revoked") as server:
        assert_refused(asking(registry, server, "ocsp-crl"), BY_LIST, "CN=revoked")


def test_what_nobody_knows_is_refused(registry):
    with registry.without_lists(), serving(registry, name="good") as server:
        result = asking(registry, server, "ocsp-crl")
        assert_refused(result, "cannot be found out", f"refused by 127.0.0.1:{registry.responder_port}", "404", "CN=good")


def test_our_server_staples(registry):
    words = ["s_client", "-servername", "localhost", "-CAfile", registry.path("ca.pem"), "-status"]
    with registry.responder(), serving(registry, "--revocation", "stapling", name="good") as server:
        for _ in range(50):
            command = ["openssl", *words, "-connect", f"127.0.0.1:{server.port}"]
            result = subprocess.run(command, input="Q\n", capture_output=True, text=True, timeout=WAIT, check=False)
            if "OCSP response: no response sent" not in result.stdout:  # it is on its way
                break
        assert "OCSP Response Status: successful" in result.stdout
        assert "Cert Status: good" in result.stdout


def test_our_client_believes_a_staple(registry, tmp_path):
    for name in ("good", "revoked"):
        staple = str(tmp_path / f"{name}.der")
        with registry.responder():
            where = ["-url", f"http://127.0.0.1:{registry.responder_port}/", "-respout", staple, "-noverify"]
            openssl("ocsp", "-issuer", registry.path("ca.pem"), "-cert", registry.path(f"{name}.pem"), *where)
        own = ["-cert", registry.path(f"{name}.pem"), "-key", registry.path(f"{name}.key"), "-www"]
        with registry.without_lists(), running("s_server", "-accept", "127.0.0.1:0", *own, "-status_file", staple) as server:
            port = server.until(rb"ACCEPT 127.0.0.1:([0-9]+)").group(1).decode()
            words = ["connect", f"wss://localhost:{port}/", "--ca", registry.path("ca.pem"), "--revocation"]
            # Behind TLS there is a web page, which is what a good staple leads to.
            assert_refused(weft(*words, "stapling"), "answered 200" if name == "good" else BY_OCSP)
            assert_refused(weft(*words, "ocsp-crl"), "cannot be found out")


def test_a_revoked_client_is_refused_and_others_go_on(registry):
    options = ["--client-ca", registry.path("ca.pem"), "--revocation", "ocsp-crl"]
    with registry.responder(), serving(registry, *options, name="good") as server:
        words = ["--ca", registry.path("ca.pem")]

        def shown(name):
            return [*words, "--cert", registry.path(f"{name}.pem"), "--key", registry.path(f"{name}.key")]

        url = f"wss://localhost:{server.port}/ws"
        with connecting(*shown("client"), url) as steady:
            steady.say("hello")
            assert steady.hear() == "hello"
            refused = weft("connect", url, *shown("revoked-client"), stdin="hello\n")
            assert refused.returncode != 0 and refused.stdout == ""
            server.await_error("CN=revoked-client")
            steady.say("again")
            assert steady.hear() == "again"
            steady.end()
        assert BY_OCSP in server.error_text()
