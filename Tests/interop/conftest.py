"""The servers under test, one process of each kind for the whole run."""

import pytest

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


@pytest.fixture(scope="session", params=COMMANDS)
def peer(request) -> Peer:
    """Each library of others in turn."""
    with running_peer(request.param) as running:
        yield running
