"""Plain HTTP on the WebSocket's port, as curl sees it."""

import socket
import subprocess

import pytest

from programs import WAIT
from wire import Answer


def curl(server, path, *options, stdin=b""):
    """Status, fields and body of one request."""
    result = subprocess.run(
        ["curl", "--silent", "--include", *options, f"http://127.0.0.1:{server.port}{path}"],
        input=stdin,
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


def upload(server, body, *fields):
    """What curl says of an upload to the echo, and what came back."""
    headers = [word for field in fields for word in ("--header", field)]
    result = subprocess.run(
        ["curl", "--silent", "--verbose", "--data-binary", "@-", *headers, f"http://127.0.0.1:{server.port}/echo"],
        input=body,
        capture_output=True,
        timeout=WAIT,
        check=True,
    )
    return result.stderr.decode(), result.stdout


@pytest.mark.parametrize("length", [0, 5, 70_000, 1 << 20])
def test_posted_body_comes_back(demo, length):
    body = bytes(number % 251 for number in range(length))
    said, answer = upload(demo, body, "Expect:")
    assert "< HTTP/1.1 200 OK" in said
    assert answer == body


def test_chunked_body_comes_back(demo):
    body = b"0123456789" * 50_000
    said, answer = upload(demo, body, "Transfer-Encoding: chunked", "Expect:")
    assert "> Transfer-Encoding: chunked" in said
    assert answer == body


@pytest.mark.parametrize("coding", [[], ["Transfer-Encoding: chunked"]])
def test_expected_body_is_asked_for(demo, coding):
    said, answer = upload(demo, b"when asked", "Expect: 100-continue", *coding)
    assert said.index("< HTTP/1.1 100 Continue") < said.index("< HTTP/1.1 200 OK")
    assert answer == b"when asked"


def test_body_that_is_too_large_is_not_asked_for(demo):
    said, _ = upload(demo, bytes((1 << 20) + 1), "Expect: 100-continue")
    assert "< HTTP/1.1 413 " in said
    assert "100 Continue" not in said


def test_body_that_is_too_large_is_refused_while_it_comes(demo):
    said, _ = upload(demo, bytes(4 << 20), "Expect:")
    assert "< HTTP/1.1 413 " in said


def test_other_expectations_are_417(demo):
    assert "< HTTP/1.1 417 " in upload(demo, b"", "Expect: a miracle")[0]


def test_head_after_a_body_on_one_connection(demo):
    address = f"http://127.0.0.1:{demo.port}"
    result = subprocess.run(
        ["curl", "--silent", "--write-out", "%{num_connects} ", "--data", "x", f"{address}/echo"]
        + ["--next", "--silent", "--head", "--output", "/dev/null", "--write-out", "%{num_connects}", address],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=True,
    )
    assert result.stdout == "x1 0"


def test_pipelined_requests_are_answered_in_order(demo):
    posts = [f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{number:02}" for number in range(30)]
    last = "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", demo.port), WAIT) as peer:
        peer.sendall("".join([*posts, last]).encode())
        answers = b"".join(iter(lambda: peer.recv(65536), b"")).decode()
    bodies = [answer.split("\r\n\r\n", 1)[1] for answer in answers.split("HTTP/1.1 ")[1:]]
    assert bodies[:-1] == [f"{number:02}" for number in range(30)]
    assert answers.split("HTTP/1.1 ")[-1].startswith("404 ")
