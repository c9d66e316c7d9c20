"""Our servers over TLS, with what the `authority` fixture has issued."""

import select
import ssl
import threading
import time

from programs import c_echo, program, running


def serving(authority, *options, name="server"):
    files = ["--tls-cert", authority.path(f"{name}.pem"), "--tls-key", authority.path(f"{name}.key")]
    return running([program("WEFT_TOOL"), "serve", "--host", "127.0.0.1", "--port", "0", *files, *options], "/ws")


def c_serving(authority, *options):
    return c_echo("--tls-cert", authority.path("server.pem"), "--tls-key", authority.path("server.key"), *options)


def inline_serving(authority, *options):
    return serving(authority, "--inline", *options)


KINDS = {"c": c_serving, "async": serving, "inline": inline_serving}


def url_of(server, host="localhost"):
    return f"wss://{host}:{server.port}/ws"


class SharedSSLSocket(ssl.SSLSocket):
    """One that two threads may use, as the reader of `websockets` and its user do: CPython's own guards nothing, and
    now and then loses what one of them sends while the other takes a session ticket."""

    def __new__(cls, *arguments, **options):
        made = super().__new__(cls, *arguments, **options)
        made.turn = threading.Lock()
        made.limit = None
        made.is_shared = False
        return made

    def settimeout(self, limit):
        self.limit = limit
        if not self.is_shared:
            super().settimeout(limit)

    def recv(self, *arguments):
        return self.in_turn(super().recv, *arguments)

    def send(self, *arguments):
        return self.in_turn(super().send, *arguments)

    def shutdown(self, how):
        with self.turn:
            super().shutdown(how)

    def in_turn(self, work, *arguments):
        """Never waits with the lock held."""
        self.is_shared = True
        super().settimeout(0)
        until = None if self.limit is None else time.monotonic() + self.limit
        while True:
            with self.turn:
                try:
                    return work(*arguments)
                except (ssl.SSLWantReadError, BlockingIOError):
                    wanted = select.POLLIN
                except ssl.SSLWantWriteError:
                    wanted = select.POLLOUT
            poll = select.poll()
            poll.register(self, wanted)
            left = None if until is None else max(0, until - time.monotonic()) * 1000
            if not poll.poll(left):
                raise TimeoutError("timed out")


def trusting(authority, **options):
    """Of Python, for a client."""
    context = ssl.create_default_context(cafile=authority.path("ca.pem"))
    context.sslsocket_class = SharedSSLSocket
    for name, value in options.items():
        setattr(context, name, value)
    return context
