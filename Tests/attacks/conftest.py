"""Servers to attack, each a new process, and the table of what the attacks have cost them."""

import pathlib
import resource
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "interop"))

import victim  # noqa: E402

DESCRIPTORS = 8192

# The attackers and, as they inherit it, the servers.
resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@pytest.fixture(params=victim.KINDS)
def start(request):
    """Starts a server of each kind in turn, with options of that kind: `with start() as server`."""
    return victim.KINDS[request.param]


@pytest.fixture
def server(start):
    with start() as running:
        yield running


def pytest_terminal_summary(terminalreporter):
    if not victim.COSTS:
        return
    terminalreporter.section("what the attacks have cost")
    terminalreporter.write_line(
        f"{'attack':52} {'server':13} {'sent kB':>9} {'grown kB':>9} {'at most':>8} {'CPU ms':>7} {'at most':>8}"
        " others ms"
    )
    for cost in victim.COSTS:
        terminalreporter.write_line(
            f"{cost.attack:52} {cost.server:13} {cost.sent_kb:9.0f} {cost.grown_kb:9} {cost.most_kb:8}"
            f" {cost.cpu_ms:7.0f} {cost.most_ms:8} {cost.others_ms:9.0f}"
        )
