"""TLS with a headless Chromium: a page and its WebSocket from a server whose authority it trusts, and one that it does not."""

import pytest

import devtools
from page_socket import run
from secure import serving


@pytest.fixture(scope="module")
def browser(authority):
    with devtools.browser(trusting=authority.path("ca.pem")) as running:
        yield running


@pytest.fixture(scope="module", params=[[], ["--inline"]], ids=["async", "inline"])
def page(request, authority):
    with serving(authority, *request.param) as running:
        yield running


def test_text_and_bytes_come_back_and_the_close_is_clean(browser, page):
    steps = """
        finishAtClose();
        socket.onreceived = () => messages.length === 4 && socket.close(3000, 'done ä');
        socket.send('hello');
        socket.send('aäß€\U0001f600 '.repeat(4000));
        socket.send(new Uint8Array(65536).fill(7));
        socket.send('');
    """
    long = "aäß€\U0001f600 " * 4000
    code, _, was_clean, messages = run(browser, page, steps)
    assert (code, was_clean) == (3000, True)
    assert messages == ["hello", long, ["bytes", 65536, 7 * 65536], ""]


def test_messages_come_back_in_order(browser, page):
    steps = """
        socket.onreceived = () => messages.length === 1000 && finish(messages);
        for (let i = 0; i < 1000; i++) socket.send('message ' + i);
    """
    assert run(browser, page, steps) == [f"message {i}" for i in range(1000)]


def test_end_of_the_server_is_a_clean_1001(browser, authority):
    with serving(authority) as server:
        tab = browser.open(server.page_url)
        tab.wait_until("document.getElementById('state').textContent === 'open'")
        assert server.stop() == 0
        tab.wait_until("document.getElementById('state').textContent.startsWith('closed 1001')")


CONNECT = """
new Promise(resolve => {
  const socket = new WebSocket('%s');
  socket.onopen = () => resolve('open');
  socket.onclose = ({ code, wasClean }) => resolve([code, wasClean]);
})
"""


def test_a_strange_authority_is_refused_and_the_log_says_why(authority, demo):
    with serving(authority, "--allow-origin", "*") as server, devtools.browser() as stranger:
        assert stranger.open(demo.page_url).evaluate(CONNECT % server.echo_url) == [1006, False]
        server.await_error('the peer sent the alert "certificate unknown" (46)')
