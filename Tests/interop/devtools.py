"""Drives a headless Chromium over the DevTools protocol."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from websockets.sync.client import connect

from programs import WAIT

# Resolves when `condition()` is true, told by each change of the document.
UNTIL = """
new Promise((resolve, reject) => {
  const condition = () => (%s);
  if (condition()) { resolve(true); return; }
  const observer = new MutationObserver(() => {
    if (condition()) { observer.disconnect(); resolve(true); }
  });
  observer.observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
  setTimeout(() => reject(new Error(document.body.innerText)), %d);
})
"""


class Browser:
    def __init__(self, socket):
        self.socket = socket
        self.numbers = itertools.count(1)
        self.events = []

    def call(self, method, session=None, **parameters):
        number = next(self.numbers)
        request = {"id": number, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        self.socket.send(json.dumps(request))
        while True:
            message = json.loads(self.socket.recv(WAIT))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def wait_for(self, method, session):
        while True:
            for event in self.events:
                if event["method"] == method and event.get("sessionId") == session:
                    self.events.remove(event)
                    return event
            message = json.loads(self.socket.recv(WAIT))
            self.events.append(message)

    def open(self, url):
        return Tab(self, url)


class Tab:
    def __init__(self, browser, url):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired", self.session)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_until(self, condition):
        self.evaluate(UNTIL % (condition, WAIT * 500))

    def type_into(self, element, text):
        """Keys as a person's, into the element that has the focus."""
        self.evaluate(f"document.getElementById({json.dumps(element)}).focus()")
        self.call("Input.insertText", text=text)

    def click(self, element):
        self.evaluate(f"document.getElementById({json.dumps(element)}).click()")

    def wait_for_line(self, log, text):
        """Waits for an <li> of the list `log` that has `text` in it."""
        items = f"[...document.querySelectorAll('#{log} li')]"
        self.wait_until(f"{items}.some(item => item.textContent.includes({json.dumps(text)}))")


def find_chromium():
    for name in (os.environ.get("CHROMIUM"), "chromium-headless-shell", "chromium", "google-chrome"):
        if name and shutil.which(name):
            return shutil.which(name)
    raise RuntimeError("no chromium-headless-shell: run scripts/bootstrap --tests")


def trust(home, authority):
    """Puts a PEM file among the authorities that Chromium trusts with this home, which are NSS's."""
    store = pathlib.Path(home, ".pki/nssdb")
    store.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{store}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run([*certutil, "-A", "-n", "authority", "-t", "C,,", "-i", authority], check=True)


@contextlib.contextmanager
def browser(trusting=None):
    """A new Chromium; `trusting` is the PEM file of an authority."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        if trusting:
            trust(profile, trusting)
        process = subprocess.Popen(
            [find_chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            + ["--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": profile},
            start_new_session=True,  # what is on PATH may be a script that waits for the browser
        )
        try:
            for line in process.stderr:
                found = re.search(r"DevTools listening on (ws://\S+)", line)
                if found:
                    break
            else:
                raise RuntimeError("Chromium ended before it listened")
            with connect(found.group(1), max_size=None, compression=None) as socket:
                yield Browser(socket)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(WAIT)
            process.stderr.close()
