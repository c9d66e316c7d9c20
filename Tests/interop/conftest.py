"""The servers under test, one process of each kind for the whole run."""

import pytest

import secure
from authority import Authority
from programs import Server, c_echo, serve
from remote import COMMANDS, Peer, running_peer

KINDS = {
    "c": lambda: c_echo(),
    "swift": lambda: serve(),
    "swift-inline": lambda: serve("--inline"),
}


@pytest.fixture(scope="session", params=KINDS)
def server(request) -> Server:
    """Each echo server in turn."""
    with KINDS[request.param]() as running:
        yield running


@pytest.fixture(scope="session")
def demo() -> Server:
    """`weft serve` alone: the echo, the chat and the page."""
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    """Has issued certificates for a server at this machine, "server", and for a client, "client"."""
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.issue("server", "DNS:localhost,IP:127.0.0.1")
    made.issue("client", "DNS:client")
    return made


@pytest.fixture(scope="session", params=secure.KINDS)
def secure_server(request, authority) -> Server:
    """Each echo server in turn, over TLS."""
    with secure.KINDS[request.param](authority) as running:
        yield running


@pytest.fixture(scope="session", params=COMMANDS)
def peer(request) -> Peer:
    """Each library of others in turn."""
    with running_peer(request.param) as running:
        yield running
