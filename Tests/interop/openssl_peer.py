"""The `openssl` command as a peer that is talked to."""

import contextlib
import os
import re
import subprocess

from programs import WAIT


class Running:
    """An `openssl` that is talked to: what is said is sent, but for its commands, which are single letters."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            ["openssl", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.heard = b""

    def until(self, pattern):
        """Waits for words of its or of the peer's; what comes behind them is for later."""
        while not (found := re.search(pattern, self.heard, re.DOTALL)):
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, self.heard
            self.heard += more
        self.heard = self.heard[found.end() :]
        return found

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()


@contextlib.contextmanager
def running(*words):
    one = Running(*words)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.communicate(timeout=WAIT)
