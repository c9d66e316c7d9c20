"""The demo page in a headless Chromium."""

import json

import pytest

import devtools
from page_socket import run
from programs import serve


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


@pytest.fixture(scope="module")
def roomy():
    """A server that takes messages of 1 MiB and a little in one frame, and speaks a subprotocol."""
    limits = ("--max-frame-size", "2000000", "--max-message-size", "2000000")
    with serve(*limits, "--subprotocol", "two") as running:
        yield running


@pytest.mark.parametrize("kind", ["arraybuffer", "blob"])
@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_bytes_come_back(browser, demo, kind, length):
    data = f"new Uint8Array({length}).fill(7)"
    sent = data if kind == "arraybuffer" else f"new Blob([{data}])"
    steps = f"""
        socket.binaryType = '{kind}';
        socket.onreceived = () => finish(messages);
        socket.send({sent});
    """
    assert run(browser, demo, steps) == [["bytes", length, 7 * length]]


def test_text_comes_back(browser, demo):
    text = "aäß€\U0001f600 " * 4000
    steps = f"socket.onreceived = () => finish(messages); socket.send({json.dumps(text)});"
    assert run(browser, demo, steps) == [text]


def test_messages_come_back_in_order(browser, demo):
    steps = """
        socket.onreceived = () => messages.length === 1000 && finish(messages);
        for (let i = 0; i < 1000; i++) socket.send('message ' + i);
    """
    assert run(browser, demo, steps) == [f"message {i}" for i in range(1000)]


@pytest.fixture(scope="module")
def chromiums_frames():
    """A server for the frames of Chromium, which cuts messages at 131000 bytes; compressed, noise is a little longer."""
    with serve("--max-frame-size", "135000") as running:
        yield running


@pytest.fixture(scope="module")
def uncompressed():
    """A server to which zeros are as long as anything else."""
    with serve("--no-compression") as running:
        yield running


def test_mebibyte_is_refused_with_a_reason_that_the_page_sees(browser, uncompressed):
    """A browser chooses its frames: whoever needs such messages has to raise the limit, and is told its name."""
    steps = "finishAtClose(); socket.send(new Uint8Array(1048576));"
    # Chromium calls clean only what ends with nothing left to send, so that is not asked here.
    assert run(browser, uncompressed, steps)[:2] == [1009, "frame of 131000 bytes is over maxFrameSize 65536"]


def test_compression_is_agreed(browser, demo):
    steps = """
        socket.onreceived = () => messages.length === 3 && finish([socket.extensions, ...messages]);
        for (let i = 0; i < 3; i++) socket.send('again and '.repeat(1000) + i);
    """
    agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert run(browser, demo, steps) == [agreed, *("again and " * 1000 + str(i) for i in range(3))]


def test_mebibyte_comes_back_from_a_server_for_such_frames(browser, chromiums_frames):
    steps = """
        const noise = Uint8Array.from({ length: 1048576 }, () => Math.random() * 256);
        socket.onreceived = () => finish([messages[0], noise.reduce((sum, byte) => sum + byte, 0)]);
        socket.send(noise);
    """
    (kind, length, total), expected = run(browser, chromiums_frames, steps)
    assert (kind, length, total) == ("bytes", 1048576, expected)


def test_mebibyte_comes_back_with_higher_limits(browser, roomy):
    steps = """
        socket.onreceived = () => messages.length === 2 && finish([messages[0], messages[1].length, socket.bufferedAmount]);
        socket.send(new Uint8Array(1048576).fill(3));
        socket.send('ä'.repeat(524288));
    """
    assert run(browser, roomy, steps) == [["bytes", 1048576, 3 * 1048576], 524288, 0]


def test_what_waits_is_counted_and_leaves(browser, roomy):
    steps = """
        for (let i = 0; i < 20; i++) socket.send(new Uint8Array(1000000));
        const waiting = socket.bufferedAmount;
        socket.onreceived = () => messages.length === 20 && finish([waiting, socket.bufferedAmount]);
    """
    waiting, left = run(browser, roomy, steps)
    assert 0 < waiting <= 20_000_000
    assert left == 0


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_close_code_comes_back_clean(browser, demo, code):
    steps = f"finishAtClose(); socket.close({code}, 'done ä');"
    got, _, was_clean, _ = run(browser, demo, steps)
    assert (got, was_clean) == (code, True)


def test_close_without_a_code_is_1005(browser, demo):
    assert run(browser, demo, "finishAtClose(); socket.close();") == [1005, "", True, []]


def test_messages_before_a_close_are_answered(browser, demo):
    steps = "finishAtClose(); for (let i = 0; i < 3; i++) socket.send('m' + i); socket.close(1000);"
    code, _, was_clean, messages = run(browser, demo, steps)
    assert (code, was_clean) == (1000, True)
    assert messages == ["m0", "m1", "m2"][: len(messages)]


def test_end_of_the_server_is_a_clean_1001(browser):
    with serve() as server:
        tab = browser.open(server.page_url)
        wait_until_open(tab)
        wait_until_open(tab, "chat-state")
        assert server.stop() == 0
        tab.wait_until("document.getElementById('state').textContent.startsWith('closed 1001')")
        tab.wait_until("document.getElementById('chat-state').textContent.startsWith('closed 1001')")


def test_subprotocol_in_common_is_chosen(browser, roomy):
    assert run(browser, roomy, "finish(socket.protocol)", ["one", "two"]) == "two"


def test_no_subprotocol_in_common_fails_in_the_browser(browser, roomy):
    with pytest.raises(AssertionError, match="closed 1006"):
        run(browser, roomy, "finish('open')", ["one"])


def connect_from(browser, page, server):
    """How a page's attempt to connect ends."""
    return browser.open(page.page_url).evaluate(
        f"""
        new Promise(resolve => {{
          const socket = new WebSocket('{server.echo_url}');
          socket.onopen = () => resolve('open');
          socket.onclose = () => resolve('refused');
        }})
        """
    )


def test_page_of_another_origin_cannot_connect(browser, demo, roomy):
    assert connect_from(browser, demo, roomy) == "refused"
    assert connect_from(browser, roomy, roomy) == "open"


def test_page_of_another_origin_can_connect_when_it_is_allowed(browser, demo, roomy):
    origin = demo.page_url.removesuffix("/")
    for allowed in (origin, "*"):
        with serve("--allow-origin", allowed) as server:
            assert connect_from(browser, demo, server) == "open"
    with serve("--allow-origin", origin) as server:
        assert connect_from(browser, roomy, server) == "refused"
