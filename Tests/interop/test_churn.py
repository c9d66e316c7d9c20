"""A short form of scripts/churn: what a server keeps of connections that come and go. The C one runs under the sanitizers."""

import os
import pathlib
import subprocess
import time

import pytest

from programs import WAIT, c_echo, program, serve

CYCLES = 5000


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def churn(server, cycles):
    command = [pathlib.Path(program("WEFT_C_ECHO")).with_name("churn"), str(server.port), "/ws", str(cycles)]
    subprocess.run(command, timeout=WAIT * 2, check=True)


@pytest.mark.parametrize("start", [c_echo, serve, lambda: serve("--inline")], ids=["c", "swift", "swift-inline"])
def test_nothing_is_kept_of_connections_that_came_and_went(start):
    with start() as server:
        churn(server, CYCLES // 10)
        before = descriptors(server)
        churn(server, CYCLES)
        # The server may hear of the last resets a little later.
        give_up = time.monotonic() + WAIT
        while descriptors(server) != before and time.monotonic() < give_up:
            time.sleep(0.01)
        assert descriptors(server) == before
