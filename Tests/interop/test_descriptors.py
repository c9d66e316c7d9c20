"""A server that has run out of descriptors: nobody is turned away, and it does not spin."""

import contextlib
import os
import pathlib
import resource
import socket
import threading

import pytest
from websockets.sync.client import connect

from programs import WAIT, program, running

LIMIT = 64


def cpu_ticks(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.fixture
def limited():
    command = [program("WEFT_TOOL"), "serve", "--host", "127.0.0.1", "--port", "0", "--threads", "2"]
    resource_limit = (LIMIT, LIMIT)
    with running(
        command, "/ws", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, resource_limit)
    ) as server:
        yield server


def test_peers_wait_until_there_are_descriptors_again(limited):
    with contextlib.ExitStack() as opened, connect(limited.echo_url) as early:
        crowd = [opened.enter_context(socket.create_connection(("127.0.0.1", limited.port))) for _ in range(2 * LIMIT)]
        limited.await_error("connections wait to be accepted: too many open files")
        before = cpu_ticks(limited)
        for i in range(200):
            early.send(f"still here {i}")
            assert early.recv(WAIT) == f"still here {i}"
        late = []
        thread = threading.Thread(target=lambda: late.append(connect(limited.echo_url, open_timeout=WAIT)))
        thread.start()
        thread.join(1)
        assert thread.is_alive() and not late
        spent = (cpu_ticks(limited) - before) / os.sysconf("SC_CLK_TCK")
        assert spent < 0.5
        for waiting in crowd:
            waiting.close()
        limited.await_error("connections are accepted again")
        thread.join(WAIT)
        with late[0] as socket_of_late:
            socket_of_late.send("at last")
            assert socket_of_late.recv(WAIT) == "at last"
    assert limited.error_text().count("connections wait") == 1
