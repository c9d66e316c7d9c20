"""nginx in front of a server of ours, on sockets that it inherits: no port is chosen twice, none is waited for."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from programs import WAIT

# Of two servers one passes the Host on that the browser named, the other gives its own name for it.
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    upstream weft {{ server 127.0.0.1:{upstream}; keepalive 4; }}
    proxy_http_version 1.1;
    proxy_read_timeout 1s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://weft;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
    server {{
        listen 127.0.0.1:{hiding_port};
        location / {{
            proxy_pass http://weft;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


class Proxy:
    """Ports of a running nginx; a test may use it where it would use a server."""

    def __init__(self, server, port, hiding_port):
        self.server = server
        self.port = port
        self.hiding_port = hiding_port
        self.echo_path = server.echo_path
        self.echo_url = f"ws://127.0.0.1:{port}{server.echo_path}"
        self.page_url = f"http://127.0.0.1:{port}/"


def find_nginx():
    unpacked = pathlib.Path(sys.prefix, "nginx", "usr", "sbin", "nginx")
    found = shutil.which("nginx") or (unpacked.exists() and str(unpacked))
    if not found:
        raise RuntimeError("no nginx: run scripts/bootstrap --tests")
    return found


@contextlib.contextmanager
def proxy_of(server):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        os.chmod(directory, 0o755)  # root's nginx works as nobody
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        port, hiding_port = (one.getsockname()[1] for one in sockets)
        file = pathlib.Path(directory, "nginx.conf")
        file.write_text(
            CONFIGURATION.format(directory=directory, upstream=server.port, port=port, hiding_port=hiding_port)
        )
        numbers = [one.fileno() for one in sockets]
        process = subprocess.Popen(
            [find_nginx(), "-p", directory, "-c", file, "-e", "stderr"],
            stdin=subprocess.DEVNULL,
            pass_fds=numbers,
            env={**os.environ, "NGINX": "".join(f"{number};" for number in numbers)},
        )
        try:
            yield Proxy(server, port, hiding_port)
            assert process.poll() is None, process.returncode
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT)
