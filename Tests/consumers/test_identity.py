"""Examples/Identity: who is let in, and who is not. Run with Tests/interop on the PYTHONPATH."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import threading
import time

import pytest
from authority import Authority, openssl
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from programs import WAIT, program, running
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ORIGIN = "https://app.example"
CHALLENGE = 'Basic realm="identity", charset="UTF-8", Bearer realm="identity"'
GOOD = {"iss": "https://login.example", "sub": "grace", "aud": ["files", "chat"], "scope": "read chat"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("identity"))
    authority.issue("server", "DNS:localhost")
    for device in ("sensor", "lamp", "thief"):
        authority.issue(device, f"DNS:{device}.example")
    authority.issue("forged", "DNS:sensor.example", by="stranger")
    return authority


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def stored(password):
    """What the server keeps of a password."""
    salt = os.urandom(16)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=16384, r=8, p=1, dklen=32)
    return {"salt": base64.b64encode(salt).decode(), "derived": base64.b64encode(derived).decode()}


def fingerprint(authority, name):
    openssl("x509", "-in", authority.path(f"{name}.pem"), "-outform", "DER", "-out", authority.path(f"{name}.der"))
    with open(authority.path(f"{name}.der"), "rb") as der:
        return hashlib.sha256(der.read()).hexdigest()


@pytest.fixture(scope="module")
def server(authority, key):
    with open(authority.path("issuer.pem"), "wb") as file:
        file.write(public_pem(key))
    settings = {
        "port": 0,
        "certFile": authority.path("server.pem"),
        "keyFile": authority.path("server.key"),
        "deviceAuthorityFile": authority.path("ca.pem"),
        "devices": {f"sha256:{fingerprint(authority, 'sensor')}": "sensor 1", "subject:CN=lamp": "lamp 1"},
        "origins": [ORIGIN],
        "users": {"ada": stored("correct horse"), "grüße": stored("pässwort:mit:Doppelpunkt")},
        "tokens": {
            "publicKeyFile": authority.path("issuer.pem"),
            "issuer": "https://login.example",
            "audience": "chat",
            "scope": "chat",
        },
    }
    with open(authority.path("settings.json"), "w") as file:
        json.dump(settings, file)
    with running([program("WEFT_IDENTITY"), authority.path("settings.json")], "/ws") as server:
        yield server


def trusting(authority, certificate):
    trust = ssl.create_default_context(cafile=authority.path("ca.pem"))
    if certificate:
        trust.load_cert_chain(authority.path(f"{certificate}.pem"), authority.path(f"{certificate}.key"))
    return trust


@pytest.fixture
def enter(server, authority):
    """Connects with a value of Authorization, a certificate, an origin, or without."""

    def enter(authorization=None, certificate=None, **options):
        trust = trusting(authority, certificate)
        # The client reads and writes on two threads, and Python 3.11 does not lock between them: a ticket of TLS 1.3
        # that comes while the request is being sent can make it wait for ever.
        trust.maximum_version = ssl.TLSVersion.TLSv1_2
        fields = {"Authorization": authorization} if authorization else None
        url = f"wss://localhost:{server.port}/ws"
        return connect(url, ssl=trust, additional_headers=fields, open_timeout=WAIT, **options)

    return enter


@pytest.fixture
def refused(server, authority):
    """Asks in the same way, and tells the answer as status, challenge and body."""

    def refused(authorization=None, certificate=None, origin=None):
        context = trusting(authority, certificate)
        with contextlib.closing(http.client.HTTPSConnection("localhost", server.port, timeout=WAIT, context=context)) as asking:
            asking.putrequest("GET", "/ws")
            values = authorization if isinstance(authorization, list) else [authorization]
            fields = [
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Origin", origin),
                *(("Authorization", value) for value in values),
            ]
            for name, value in fields:
                if value is not None:
                    asking.putheader(name, value)
            asking.endheaders()
            answer = asking.getresponse()
            return answer.status, answer.getheader("WWW-Authenticate"), answer.read()

    return refused


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(sign, header=None, without=(), **claims):
    """A token made by hand, so that it can be any kind of wrong."""
    now = int(time.time())
    claims = {**GOOD, "exp": now + 300, "nbf": now, **claims}
    parts = [{"alg": "ES256", "typ": "JWT", **(header or {})}, {k: v for k, v in claims.items() if k not in without}]
    signed = b".".join(base64url(json.dumps(part).encode()) for part in parts)
    return "Bearer " + (signed + b"." + base64url(sign(signed))).decode()


def es256(key):
    def sign(data):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def hs256(secret):
    return lambda data: hmac.digest(secret, data, "sha256")


def says(socket):
    socket.send("hello")
    return socket.recv(WAIT)


UNIDENTIFIED = (401, CHALLENGE, b"say who you are")
NOT_ALLOWED = (403, None, b"you may not enter")


@pytest.mark.parametrize("username, password", [("ada", "correct horse"), ("grüße", "pässwort:mit:Doppelpunkt")])
def test_a_user_enters_with_the_password(enter, username, password):
    with enter(basic(username, password)) as socket:
        assert says(socket) == f"{username} (password): hello"


def test_a_scheme_is_known_in_any_case(enter, key):
    with enter(basic("ada", "correct horse").replace("Basic", "bASIC")) as socket:
        assert says(socket) == "ada (password): hello"
    with enter(token(es256(key)).replace("Bearer", "BEARER")) as socket:
        assert says(socket) == "grace (token): hello"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        basic("ada", "wrong horse"),
        basic("ada", ""),
        basic("ada", "correct horse "),
        basic("eve", "correct horse"),
        basic("", ""),
        "Basic",
        "Basic !!!!",
        "Basic " + base64.b64encode(b"ada").decode(),
        "Basic " + base64.b64encode(b"ada:\xff\xfe").decode(),
        "Basic " + base64.b64encode(b"ada:correct horse\n").decode(),
        "Digest username=ada",
        [basic("ada", "correct horse"), basic("ada", "correct horse")],
    ],
)
def test_others_get_one_answer_whatever_was_wrong(refused, authorization):
    assert refused(authorization) == UNIDENTIFIED


def test_a_token_opens(enter, key):
    with enter(token(es256(key))) as socket:
        assert says(socket) == "grace (token): hello"
    with enter(token(es256(key), aud="chat", without=("nbf",))) as socket:
        assert says(socket) == "grace (token): hello"


def test_a_token_must_be_the_issuers_for_us_and_now(enter, refused, key):
    now, sign = int(time.time()), es256(key)
    wrong = {
        "expired": token(sign, exp=now - 1),
        "expires never": token(sign, without=("exp",)),
        "expiry as text": token(sign, exp=str(now + 300)),
        "not yet": token(sign, nbf=now + 60),
        "another audience": token(sign, aud="files"),
        "a longer audience": token(sign, aud="chat.example"),
        "no audience": token(sign, without=("aud",)),
        "an empty audience": token(sign, aud=[]),
        "another issuer": token(sign, iss="https://evil.example"),
        "no issuer": token(sign, without=("iss",)),
        "nobody": token(sign, without=("sub",)),
        "another's key": token(es256(ec.generate_private_key(ec.SECP256R1()))),
        "no signature": token(lambda _: b""),
        "alg none": token(lambda _: b"", header={"alg": "none"}),
        "alg None": token(lambda _: b"", header={"alg": "None"}),
        "public key as secret": token(hs256(public_pem(key)), header={"alg": "HS256"}),
        "public key as secret, hidden": token(hs256(public_pem(key))),
        "our key, another alg": token(sign, header={"alg": "HS256"}),
        "our key, alg none": token(sign, header={"alg": "none"}),
        "critical extension": token(sign, header={"crit": ["b64"], "b64": True}),
        "changed": token(sign)[:-8] + "AAAAAAAA",
        "not a token": "Bearer abc",
        "nothing": "Bearer ..",
    }
    assert {what: refused(value) for what, value in wrong.items()} == dict.fromkeys(wrong, UNIDENTIFIED)
    with enter(token(sign)) as socket:
        assert says(socket) == "grace (token): hello"


def test_a_token_without_the_scope_is_not_allowed(refused, key):
    assert refused(token(es256(key), scope="read chats")) == NOT_ALLOWED
    assert refused(token(es256(key), without=("scope",))) == NOT_ALLOWED


def test_an_open_connection_ends_with_its_token(enter, key):
    with enter(token(es256(key), exp=int(time.time()) + 3)) as socket:
        answers = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                answers.append(says(socket))
    assert set(answers) == {"grace (token): hello"}
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "your token has expired")


@pytest.mark.parametrize("certificate, name", [("sensor", "sensor 1"), ("lamp", "lamp 1")])
def test_a_device_enters_with_its_certificate(enter, certificate, name):
    with enter(certificate=certificate) as socket:
        assert says(socket) == f"{name} (certificate): hello"


def test_a_certificate_of_the_authority_that_is_not_listed(refused):
    assert refused(certificate="thief") == NOT_ALLOWED


def test_a_certificate_of_another_authority_ends_in_tls(server, refused):
    with pytest.raises((OSError, http.client.BadStatusLine)):
        refused(certificate="forged")
    server.await_error("CN=forged")


def test_wrong_credentials_are_not_mended_by_a_certificate(refused):
    assert refused(basic("ada", "wrong horse"), certificate="sensor") == UNIDENTIFIED


def test_pages_of_other_origins_are_refused_whoever_reads_them(enter, refused):
    with enter(basic("ada", "correct horse"), origin=ORIGIN) as socket:
        assert says(socket) == "ada (password): hello"
    for origin in ("https://evil.example", "https://app.example.evil.example", "http://app.example", "null"):
        status, challenge, _ = refused(basic("ada", "correct horse"), origin=origin)
        assert (status, challenge) == (403, None), origin


def test_the_log_has_the_reason_and_no_secret(server, refused, key):
    wrong = token(es256(key), aud="elsewhere")
    refused(wrong)
    server.await_error("for another audience")
    refused(basic("ada", "open sesame"))
    server.await_error("wrong user name or password")
    assert wrong.split(".")[1] not in server.error_text()
    assert "open sesame" not in server.error_text()


def test_others_are_served_while_a_password_is_checked(enter, refused):
    """A loop that derived keys itself would answer once or twice in that time."""
    answers, ended = 0, threading.Event()

    def log_in():
        try:
            refused(basic("ada", "wrong horse"))
        finally:
            ended.set()

    with enter(basic("ada", "correct horse")) as socket:
        thread = threading.Thread(target=log_in)
        thread.start()
        while not ended.is_set():
            assert says(socket) == "ada (password): hello"
            answers += 1
        thread.join(WAIT)
    assert answers > 10


def test_settings_that_are_not_good_are_an_error(tmp_path):
    ended = subprocess.run(
        [program("WEFT_IDENTITY"), str(tmp_path / "missing.json")], capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert ended.returncode != 0
    assert "missing.json" in ended.stderr
