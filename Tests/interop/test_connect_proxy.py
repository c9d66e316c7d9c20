"""`weft connect` through a proxy that others wrote: proxy.py."""

import contextlib
import pathlib
import subprocess
import sys
import time

import pytest

from programs import WAIT, assert_refused, weft


@contextlib.contextmanager
def proxying(directory, *options):
    """Yields the port; the proxy writes it into a file once it listens."""
    port_file = pathlib.Path(directory, "port")
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--port-file", str(port_file)]
    with subprocess.Popen([*command, "--num-workers", "1", "--log-level", "e", *options]) as process:
        try:
            give_up = time.monotonic() + WAIT
            while not (port_file.exists() and port_file.read_text().strip()):
                assert process.poll() is None and time.monotonic() < give_up
                time.sleep(0.02)
            yield int(port_file.read_text())
        finally:
            process.terminate()
            process.wait(WAIT)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with proxying(tmp_path_factory.mktemp("open")) as port:
        yield port


@pytest.fixture(scope="module")
def strict_proxy(tmp_path_factory):
    with proxying(tmp_path_factory.mktemp("strict"), "--basic-auth", "ada:open sesame") as port:
        yield port


def test_lines_come_back_through_the_tunnel(proxy, demo):
    url = f"ws://localhost:{demo.port}/ws"  # the proxy resolves the name
    result = weft("connect", "--proxy", f"127.0.0.1:{proxy}", url, stdin="hello\ngrüße\n" + "x" * 60000 + "\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["hello", "grüße", "x" * 60000]


def test_credentials_open_the_tunnel(strict_proxy, demo):
    url = f"ws://127.0.0.1:{demo.port}/ws"
    words = ["--proxy", f"127.0.0.1:{strict_proxy}", "--proxy-user", "ada:open sesame"]
    result = weft("connect", *words, url, stdin="hello\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\n", "")


@pytest.mark.parametrize("words", [[], ["--proxy-user", "ada:guess"]], ids=["none", "wrong"])
def test_without_the_right_credentials_the_proxy_refuses(strict_proxy, demo, words):
    url = f"ws://127.0.0.1:{demo.port}/ws"
    result = weft("connect", "--proxy", f"127.0.0.1:{strict_proxy}", *words, url)
    assert_refused(result, "proxy", "407")
    assert "guess" not in result.stderr


def test_refusal_of_the_server_behind_the_proxy_is_the_servers(proxy, demo):
    result = weft("connect", "--proxy", f"127.0.0.1:{proxy}", f"ws://127.0.0.1:{demo.port}/nowhere")
    assert_refused(result, "404")
    assert "proxy" not in result.stderr


def test_proxy_that_is_not_there_is_named():
    result = weft("connect", "--proxy", "127.0.0.1:1", "ws://127.0.0.1:80/ws")
    assert_refused(result, "refused", "127.0.0.1:1")


@pytest.mark.parametrize("address", ["somewhere", "host:port", "host:0", "host:65536"])
def test_address_that_is_none_is_refused(address):
    assert_refused(weft("connect", "--proxy", address, "ws://127.0.0.1:80/ws"), "proxy")
