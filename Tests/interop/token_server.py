"""A token server by Python's http.server: answers as a test wants, and keeps every byte that it was asked."""

import base64
import contextlib
import http.server
import json
import ssl
import threading
import urllib.parse

from programs import WAIT


class Asked:
    """One request."""

    def __init__(self, line, fields, body):
        self.line, self.fields, self.body = line, fields, body

    def field(self, name):
        values = [value for field, value in self.fields if field.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None

    @property
    def parameters(self):
        """What Python reads in the body: another implementation of the form's encoding than ours."""
        return urllib.parse.parse_qsl(
            self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )

    @property
    def client(self):
        """Who asks, by Basic with both parts form-encoded (RFC 6749 section 2.3.1)."""
        scheme, value = self.field("Authorization").split(" ")
        assert scheme == "Basic"
        name, secret = base64.b64decode(value, validate=True).decode("ascii").split(":")
        return urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.asked.append(Asked(self.requestline, self.headers.items(), body))
            number = len(self.server.asked)
        self.server.answer(self, number)
        self.close_connection = True

    def say(self, status, body, *fields):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Cache-Control", "no-store"), *fields):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say_chunked(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for byte in json.dumps(body).encode():
            self.wfile.write(b"1\r\n%c\r\n" % byte)
        self.wfile.write(b"0\r\n\r\n")

    def say_slowly(self, body):
        body = json.dumps(body).encode()
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body):
            self.wfile.write(bytes([byte]))
            self.wfile.flush()


class TokenServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.context = answer, context
        self.asked, self.lock = [], threading.Lock()

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.server_port}/token"

    def finish_request(self, request, address):
        if not self.context:
            super().finish_request(request, address)
            return
        with contextlib.suppress(OSError):  # a client that refuses the certificate
            secure = self.context.wrap_socket(request, server_side=True)
            super().finish_request(secure, address)
            secure.unwrap()
            secure.close()


@contextlib.contextmanager
def token_server(answer, certificate=None):
    """`answer` gets the handler and the number of the request, from 1; `certificate` is a pair of files."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    with TokenServer(answer, context) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(WAIT)
