"""Starts and ends the programs under test. Waits are for lines, connections and exits, never for time."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

WAIT = 20  # seconds until a test gives up; nothing waits so long when all is well

TOOLS = pathlib.Path(sys.executable).parent


class Server:
    """A running server that has said where it listens."""

    def __init__(self, command, echo_path, **options):
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        self.errors = []
        self.has_new_error = threading.Condition()
        self.error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self.error_reader.start()
        self.line = self.process.stdout.readline()
        found = re.search(r"(?:http|ws)(s?)://(\S+):(\d+)/", self.line)
        if not found:
            self.process.kill()
            self.process.wait(WAIT)
            self.error_reader.join(WAIT)
            raise RuntimeError(f"{command} said {self.line!r}, {self.error_text()!r}")
        self.secure = found.group(1)  # "s" over TLS, as in the schemes of URLs
        self.port = int(found.group(3))
        self.echo_path = echo_path

    def _read_errors(self):
        for line in self.process.stderr:
            with self.has_new_error:
                self.errors.append(line)
                self.has_new_error.notify_all()

    def error_text(self):
        return "".join(self.errors)

    def await_error(self, text):
        """Waits until the server has said this on its standard error."""
        with self.has_new_error:
            assert self.has_new_error.wait_for(lambda: text in self.error_text(), WAIT), self.error_text()

    @property
    def echo_url(self):
        return f"ws{self.secure}://127.0.0.1:{self.port}{self.echo_path}"

    @property
    def page_url(self):
        return f"http{self.secure}://127.0.0.1:{self.port}/"

    def stop(self, number=signal.SIGTERM):
        """Asks for the end and returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(WAIT)
        self.error_reader.join(WAIT)
        return code


@contextlib.contextmanager
def running(command, echo_path, **options):
    server = Server(command, echo_path, **options)
    try:
        yield server
        if server.process.poll() is None:
            # Under the sanitizers a leak, too, ends with another code.
            assert server.stop() == 0, server.error_text()
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(WAIT)
        server.process.stdout.close()


def program(variable):
    path = os.environ.get(variable)
    if not path:
        raise RuntimeError(f"{variable} is not set: run scripts/test interop")
    return path


def c_echo(*options):
    return running([program("WEFT_C_ECHO"), "0", *options], "/ws")


def c_example(name):
    """A program of Examples/c; they are built beside the echo server."""
    return pathlib.Path(program("WEFT_C_ECHO")).with_name(f"weft-c-{name}")


def running_example(name, *words):
    return running([c_example(name), *words], "/")


def serve(*options, port=0):
    return running([program("WEFT_TOOL"), "serve", "--host", "127.0.0.1", "--port", str(port), *options], "/ws")


def weft(*words, stdin=""):
    """Runs the tool to its end."""
    return subprocess.run(
        [program("WEFT_TOOL"), *words], input=stdin, capture_output=True, text=True, timeout=WAIT, check=False
    )


@contextlib.contextmanager
def interop_client(order):
    """A client that comes back when its connection is lost; see client/InteropClient.swift for the order."""
    with subprocess.Popen(
        [program("WEFT_INTEROP_CLIENT")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            yield process
            process.stdin.close()
            assert process.wait(WAIT) == 0, process.stderr.read()
        finally:
            process.kill()


def assert_refused(result, *words):
    """The tool failed with one clear line that has these words in it."""
    assert result.returncode != 0
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]


class Talk:
    """A client with its input still open: lines go in, messages come out."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.__exit__(*_)

    def say(self, *lines):
        for line in lines:
            self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().removesuffix("\n")

    def wait(self):
        """The exit code and what else was printed."""
        code = self.process.wait(WAIT)
        return code, self.process.stdout.read(), self.process.stderr.read()

    def end(self):
        self.process.stdin.close()
        return self.wait()

    def assert_failed(self, *words):
        code, _, errors = self.wait()
        assert_refused(subprocess.CompletedProcess([], code, "", errors), *words)


def connecting(*words):
    return Talk(program("WEFT_TOOL"), "connect", *words)


def c_connecting(url, *subprotocols):
    return Talk(c_example("client"), url, *([",".join(subprotocols)] if subprotocols else []))
