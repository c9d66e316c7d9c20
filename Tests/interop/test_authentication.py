"""How a client says who it is: Python's websockets reads it on the wire, and joserfc judges the tokens."""

import contextlib
import json
import queue
import time
import warnings

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, OctKey, RSAKey

from programs import WAIT, assert_refused, interop_client, weft
from test_connect import Peer, serving

SECRET = "0123456789abcdef" * 4
PASSWORD = "open sesame"


class Asked:
    """A server that ends its first connections with 1001, and keeps what each request said."""

    def __init__(self, ends):
        self.ends = ends
        self.fields = queue.Queue()

    def handle(self, connection):
        self.fields.put(connection.request.headers.get_all("Authorization"))
        if self.ends > 0:
            self.ends -= 1
            connection.close(1001)
        for _ in connection:
            pass


def authorizations(ends, **auth):
    """What the requests of a client say that comes back after each end of its connection."""
    asked = Asked(ends)
    with serving(asked.handle) as url, interop_client({"url": url, **auth}):
        fields = [asked.fields.get(timeout=WAIT) for _ in range(ends + 1)]
    assert all(len(values) == 1 for values in fields)
    return [values[0] for values in fields]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def curve_key():
    return ec.generate_private_key(ec.SECP256R1())


def pem(folder, name, key, form=serialization.PrivateFormat.PKCS8, password=None):
    encryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    path = folder / name
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return str(path)


def key_store(folder, name, key, alias):
    path = folder / name
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(alias.encode(), key, None, None, encryption))
    return str(path)


def public(kind, key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return kind.import_key(key.public_key().public_bytes(serialization.Encoding.PEM, form))


def verified(authorization, key, algorithm):
    """The token's claims, after joserfc has judged its signature and its times."""
    scheme, token = authorization.split(" ")
    assert scheme == "Bearer"
    parsed = jwt.decode(token, key, algorithms=[algorithm])
    assert parsed.header == {"alg": algorithm, "typ": "JWT", "kid": "key 1"}
    now = int(time.time())
    jwt.JWTClaimsRegistry(
        now=now,
        iss={"essential": True, "value": "https://login.example"},
        sub={"essential": True, "value": "ada"},
        aud={"essential": True, "value": "chat"},
        exp={"essential": True},
        nbf={"essential": True},
        iat={"essential": True},
    ).validate(parsed.claims)
    claims = dict(parsed.claims)
    made = claims.pop("iat")
    assert now - WAIT <= made <= now
    assert (claims.pop("nbf"), claims.pop("exp")) == (made, made + 60)
    return claims


CLAIMS = {
    "sub": "ada",
    "iss": "https://login.example",
    "aud": "chat",
    "jti": "42",
    "scope": 'read "all"\n\u0001ä\U0001f600',
    "level": -3,
    "ratio": 2.5e-7,
    "large": 1e300,
    "admin": True,
    "nothing": None,
    "groups": ["staff", 7, []],
    "address": {"city": "Zürich", "lines": {}},
}


def test_basic_is_sent_with_each_connection():
    expected = "Basic " + "dGVzdDoxMjPCow=="  # RFC 7617 section 2.1
    assert authorizations(2, basic=["test", "123£"]) == [expected] * 3


def test_bearer_is_sent_with_each_connection():
    token = "mF_9.B5f-4.1JqM"  # RFC 6750 section 2.1
    assert authorizations(2, bearer=token) == [f"Bearer {token}"] * 3


def test_each_connection_has_a_token_of_its_own(folder, curve_key):
    order = {"algorithm": "ES256", "audience": ["chat"], "keyFile": pem(folder, "own.pem", curve_key)}
    fields = authorizations(1, token=order)
    assert len(set(fields)) == 2  # ECDSA never signs twice alike
    for field in fields:
        assert verified(field, public(ECKey, curve_key), "ES256") == CLAIMS


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_rsa_tokens_are_valid(algorithm, folder, rsa_key):
    path = pem(folder, "traditional.pem", rsa_key, serialization.PrivateFormat.TraditionalOpenSSL)
    order = {"algorithm": algorithm, "audience": ["chat"], "keyFile": path}
    (field,) = authorizations(0, token=order)
    assert verified(field, public(RSAKey, rsa_key), algorithm) == CLAIMS


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_hmac_tokens_are_valid(algorithm):
    order = {"algorithm": algorithm, "audience": ["chat"], "secret": SECRET}
    (field,) = authorizations(0, token=order)
    assert verified(field, OctKey.import_key(SECRET), algorithm) == CLAIMS
    with pytest.raises(BadSignatureError):
        verified(field, OctKey.import_key(SECRET[::-1]), algorithm)


def test_key_may_be_locked(folder, rsa_key):
    path = pem(folder, "locked.pem", rsa_key, password=PASSWORD)
    order = {"algorithm": "RS256", "audience": ["chat"], "keyFile": path, "password": PASSWORD}
    (field,) = authorizations(0, token=order)
    assert verified(field, public(RSAKey, rsa_key), "RS256") == CLAIMS


@pytest.mark.parametrize("alias", [None, "mine", "MINE"])
def test_key_may_be_in_a_store(alias, folder, curve_key):
    path = key_store(folder, "store.p12", curve_key, "Mine")
    order = {"algorithm": "ES256", "audience": ["chat"], "keyStore": path, "password": PASSWORD, "alias": alias}
    (field,) = authorizations(0, token=order)
    assert verified(field, public(ECKey, curve_key), "ES256") == CLAIMS


def test_audiences_may_be_several():
    order = {"algorithm": "HS256", "audience": ["files", "chat"], "secret": SECRET}
    (field,) = authorizations(0, token=order)
    assert verified(field, OctKey.import_key(SECRET), "HS256") == {**CLAIMS, "aud": ["files", "chat"]}


def test_unsigned_token_ends_with_a_dot():
    (field,) = authorizations(0, token={"algorithm": "none", "audience": ["chat"]})
    assert field.endswith(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is insecure
        parsed = jws.deserialize_compact(field.removeprefix("Bearer "), OctKey.import_key(SECRET), algorithms=["none"])
    assert parsed.headers()["alg"] == "none"
    assert json.loads(parsed.payload)["sub"] == "ada"


# -- weft connect


def said_by(*words, monkeypatch=None, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    peer = Peer()
    with serving(peer.handle) as url:
        result = weft("connect", *words, url)
    assert (result.returncode, result.stderr) == (0, "")
    return peer.requests[0].headers.get_all("Authorization")


def test_connect_says_who_it_is(monkeypatch):
    basic, bearer = ["Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ=="], ["Bearer mF_9.B5f-4.1JqM"]
    assert said_by() == []
    assert said_by("--user", "Aladdin:open:sesame") == basic
    assert said_by("--bearer", "mF_9.B5f-4.1JqM") == bearer
    assert said_by("--user", "Aladdin:open:sesame", monkeypatch=monkeypatch, WEFT_BEARER="other") == basic
    monkeypatch.delenv("WEFT_BEARER")
    assert said_by(monkeypatch=monkeypatch, WEFT_USER="Aladdin:open:sesame") == basic
    monkeypatch.delenv("WEFT_USER")
    assert said_by(monkeypatch=monkeypatch, WEFT_BEARER="mF_9.B5f-4.1JqM") == bearer


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--user", "secret"], "name:password"),
        (["--user", ":secret"], "username"),
        (["--user", "secret:"], "password"),
        (["--bearer", "secret secret"], "token"),
        (["--bearer", "secret", "--header", "Authorization: secret"], "Authorization"),
    ],
)
def test_what_cannot_be_said_is_refused_and_not_told(words, cause):
    result = weft("connect", *words, "ws://127.0.0.1:9/")
    assert_refused(result, cause)
    assert "secret" not in result.stderr


def test_two_ways_to_say_it_are_refused():
    assert weft("connect", "--user", "a:b", "--bearer", "c", "ws://127.0.0.1:9/").returncode == 64
