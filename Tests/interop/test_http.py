"""Plain HTTP on the WebSocket's port, as curl sees it."""

import subprocess

from programs import WAIT
from wire import Answer


def curl(server, path, *options):
    """Status, fields and body of one request."""
    result = subprocess.run(
        ["curl", "--silent", "--include", *options, f"http://127.0.0.1:{server.port}{path}"],
        capture_output=True,
        timeout=WAIT,
        check=True,
    )
    head, body = result.stdout.split(b"\r\n\r\n", 1)
    answer = Answer(head, body.decode())
    return answer.status, answer.fields, answer.body


def test_page_is_served(demo):
    status, fields, body = curl(demo, "/")
    assert status == 200
    assert fields["content-type"].startswith("text/html")
    assert int(fields["content-length"]) == len(body.encode())
    for element in ("message", "send", "log", "chat-message", "chat-send", "chat-log"):
        assert f'id="{element}"' in body


def test_head_of_the_page_has_no_body_or_is_refused(demo):
    status, _, body = curl(demo, "/", "--head")
    assert status in (200, 405)
    assert "<html" not in body


def test_unknown_path_is_404(demo):
    status, fields, body = curl(demo, "/nowhere")
    assert status == 404
    assert body.strip()
    assert "content-length" in fields


def test_plain_request_to_a_websocket_is_426(server):
    status, fields, _ = curl(server, server.echo_path)
    assert status == 426
    assert fields["upgrade"] == "websocket"


def test_post_to_a_websocket_is_405(server):
    status, fields, _ = curl(server, server.echo_path, "--request", "POST", "--header", "Upgrade: websocket")
    assert status == 405
    assert "GET" in fields["allow"]


def test_long_target_is_414(demo):
    assert curl(demo, "/?" + "a" * 5000)[0] == 414


def test_long_fields_are_431(demo):
    assert curl(demo, "/", "--header", "X-Filler: " + "a" * 9000)[0] == 431


def test_connection_is_kept_for_the_next_request(demo):
    address = f"http://127.0.0.1:{demo.port}/"
    result = subprocess.run(
        ["curl", "--silent", "--output", "/dev/null", "--output", "/dev/null"]
        + ["--write-out", "%{num_connects} ", address, address],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=True,
    )
    assert result.stdout.split() == ["1", "0"]


def test_upgrade_by_curl_is_switched(server):
    fields = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    command = ["curl", "--silent", "--verbose"]
    command += [word for field in fields for word in ("--header", field)]
    command += [server.echo_url.replace("ws:", "http:")]
    # curl stays in the connection, so what it says of it is read as it comes.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.strip() == "<":
                break
        process.kill()
    answer = "".join(line for line in lines if line.startswith("< "))
    assert answer.startswith("< HTTP/1.1 101 ")
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
