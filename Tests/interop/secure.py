"""Our servers over TLS, with what the `authority` fixture has issued."""

import ssl

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


def trusting(authority, **options):
    """Of Python, for a client."""
    context = ssl.create_default_context(cafile=authority.path("ca.pem"))
    for name, value in options.items():
        setattr(context, name, value)
    return context
