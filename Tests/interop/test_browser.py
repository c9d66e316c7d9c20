"""The demo page in a headless Chromium."""

import pytest

import devtools


@pytest.fixture(scope="module")
def browser():
    with devtools.browser() as running:
        yield running


def wait_until_open(tab, state="state"):
    tab.wait_until(f"document.getElementById('{state}').textContent === 'open'")


def test_message_typed_into_the_page_comes_back_and_is_shown(browser, demo):
    tab = browser.open(demo.page_url)
    wait_until_open(tab)
    tab.type_into("message", "hello from the page ä\U0001f600")
    tab.click("send")
    tab.wait_for_line("log", "hello from the page ä\U0001f600")


def test_several_messages_are_shown(browser, demo):
    tab = browser.open(demo.page_url)
    wait_until_open(tab)
    for text in ("first", "second", "third"):
        tab.type_into("message", text)
        tab.click("send")
        tab.wait_for_line("log", text)
    assert tab.evaluate("document.querySelectorAll('#log li').length") == 3


def test_text_is_shown_as_text(browser, demo):
    tab = browser.open(demo.page_url)
    wait_until_open(tab)
    tab.type_into("message", "<img src=x onerror=document.title='broken'>")
    tab.click("send")
    tab.wait_for_line("log", "<img src=x")
    assert tab.evaluate("document.querySelectorAll('#log img').length") == 0


def test_two_tabs_chat(browser, demo):
    first, second = browser.open(demo.page_url), browser.open(demo.page_url)
    for tab, text in ((second, "second is here"), (first, "first says hello"), (second, "second answers")):
        wait_until_open(tab, "chat-state")
        tab.type_into("chat-message", text)
        tab.click("chat-send")
        tab.wait_for_line("chat-log", text)
    first.wait_for_line("chat-log", "second answers")
    second.wait_for_line("chat-log", "first says hello")


def test_browsers_own_socket_exchanges_binary_and_closes_clean(browser, demo):
    tab = browser.open(demo.page_url)
    result = tab.evaluate(
        """
        new Promise((resolve, reject) => {
          const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
          socket.binaryType = 'arraybuffer';
          socket.onopen = () => socket.send(new Uint8Array(65536).fill(7));
          socket.onmessage = event => {
            const bytes = new Uint8Array(event.data);
            socket.onclose = end => resolve([bytes.length, bytes.every(b => b === 7), end.code, end.wasClean]);
            socket.close(3000, 'done');
          };
          socket.onerror = () => reject(new Error('socket error'));
        })
        """
    )
    assert result == [65536, True, 3000, True]


def test_page_of_another_origin_cannot_connect(browser, demo):
    tab = browser.open("data:text/html,<p>elsewhere</p>")
    result = tab.evaluate(
        f"""
        new Promise(resolve => {{
          const socket = new WebSocket('{demo.echo_url}');
          socket.onopen = () => resolve('open');
          socket.onclose = () => resolve('refused');
        }})
        """
    )
    assert result == "refused"
