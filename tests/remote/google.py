"""A small Google Cloud Storage: objects with generations, in the XML dialect, for whoever signs with the key of
its one service account. What it does not know it refuses, and whoever made it is told."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.remote.buckets import BUCKET, CREATE, MATCH, Bucket, Cloud, Words, xml
from tests.remote.misbehaving import Answer, Asked, name_of

EMAIL, KEY_ID = "states@project-of-the-test.iam.gserviceaccount.com", "0123456789abcdef"
SCOPES = {
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/devstorage.read_write",
}
AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/ci"
OF_THE_JOB, LENT = "token-of-the-job-that-runs", "token-that-google-lent-to-the-job"
CONDITION, GENERATION = "x-goog-if-generation-match", "x-goog-generation"
HEADERS = {
    "accept",
    "accept-encoding",
    "authorization",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    CONDITION,
}
NOBODY = xml(401, "AuthenticationRequired", "Authentication required.")
REFUSED = xml(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
WORDS = Words(
    xml(429, "SlowDown", "The object exceeded the rate limit for object mutation operations."),
    REFUSED,
    xml(403, "AccessDenied", "Access denied."),
    NOBODY,
    "GOOGLE_APPLICATION_CREDENTIALS",
    GENERATION,
)


@functools.cache
def account(which: str = "right") -> tuple[rsa.RSAPublicKey, str]:
    """The key of a service account, and the file of it that Google hands out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = {
        "type": "service_account",
        "project_id": "project-of-the-test",
        "private_key_id": KEY_ID,
        "private_key": key.private_bytes(*form).decode(),
        "client_email": EMAIL,
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return key.public_key(), json.dumps(file)


class Google(Cloud):
    """One bucket. Numbers are generations."""

    def _serve(self, asked: Asked) -> Answer:
        if asked.method == "POST" and asked.path == "/v1/token":
            return exchanged(asked)
        _, bucket, key = name_of(asked).split("/", 2)
        strange = sorted(set(asked.headers) - HEADERS) or "?" in asked.path
        if strange or asked.method not in ("GET", "PUT", "DELETE"):
            self.unknown.append(f"{asked.method} {asked.path} {strange}")
            return xml(400, "InvalidArgument", "Invalid argument.")
        if not signed(asked.headers.get("authorization", "")):
            return NOBODY
        if bucket != BUCKET:
            return xml(404, "NoSuchBucket", "The specified bucket does not exist.")
        with self._guard:
            if asked.method == "PUT":
                return self._put(key, asked)
            if key not in self.objects:
                return xml(404, "NoSuchKey", "The specified key does not exist.")
            if asked.method == "DELETE":
                return Answer(204) if self.objects.pop(key) else NOBODY
            return Answer(200, self.objects[key][0], self._told(key))

    def _put(self, key: str, asked: Asked) -> Answer:
        wanted = asked.headers.get(CONDITION)
        if wanted is not None and not wanted.isdecimal():
            return xml(400, "InvalidArgument", "Invalid argument.")
        minded = wanted is not None and (CREATE if wanted == "0" else MATCH) not in self.ignored
        if minded and int(wanted or 0) != self.objects.get(key, (b"", 0))[1]:
            return REFUSED
        self._last = max(self._last + 1, time.time_ns() // 1000)
        self.objects[key] = asked.body, self._last
        return Answer(200, b"", self._told(key))

    def _told(self, key: str) -> dict[str, str]:
        data, generation = self.objects[key]
        return {
            "etag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"',
            "last-modified": formatdate(generation / 1e6, usegmt=True),
            "content-type": "application/octet-stream",
            GENERATION: str(generation),
            "x-goog-metageneration": "1",
        }


def signed(authorization: str) -> bool:
    """Whether this is a token that the service account signed for itself, for these hours and this purpose."""
    kind, _, token = authorization.partition(" ")
    if kind == "Bearer" and hmac.compare_digest(token, LENT):
        return True
    parts = token.split(".")
    if kind != "Bearer" or len(parts) != 3:
        return False
    head, claims, signature = _decoded(parts[0]), _decoded(parts[1]), _bytes(parts[2])
    try:
        told = f"{parts[0]}.{parts[1]}".encode()
        account()[0].verify(signature, told, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    lives = claims["iat"] - 60 <= time.time() < claims["exp"] <= claims["iat"] + 3600
    mine = claims["iss"] == claims["sub"] == EMAIL and head["alg"] == "RS256" and head["kid"] == KEY_ID
    return lives and mine and bool(SCOPES & set(claims["scope"].split()))


def exchanged(asked: Asked) -> Answer:
    """A token for one of another service, as workload identities are lent it."""
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    wanted = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    if not wanted.items() <= form.items() or not SCOPES & set(form.get("scope", "").split()):
        return Answer(400, b'{"error": "invalid_request"}', {"content-type": "application/json"})
    if form.get("subject_token") != OF_THE_JOB:
        return Answer(400, b'{"error": "invalid_grant"}', {"content-type": "application/json"})
    told = {"access_token": LENT, "token_type": "Bearer", "expires_in": 3600}
    return Answer(200, json.dumps(told).encode(), {"content-type": "application/json"})


def identity(url: str, job: Path) -> str:
    """The file that a CI service writes for the identity of a job, whose token lies in another."""
    told = {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/v1/token",
        "credential_source": {"file": str(job)},
    }
    return json.dumps(told)


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _decoded(part: str) -> Any:
    return json.loads(_bytes(part))


@contextmanager
def google() -> Iterator[Bucket]:
    """An empty bucket of Google's, and the way of its service account to it."""
    made, file = Google(), account()[1]
    secrets = tuple(line for line in json.loads(file)["private_key"].split("\n") if line and line[0] != "-")
    with made.server.running(), TemporaryDirectory() as folder:
        path = Path(folder) / "service-account.json"
        path.write_text(file)
        environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "GOOGLE_BASE_URL": made.server.url}
        wrong = {"GOOGLE_SERVICE_ACCOUNT_KEY": account("wrong")[1]}
        yield Bucket(made.server, environ, "gs", WORDS, secrets, made.ignored, wrong)
    assert not made.unknown, made.unknown
