"""A small Azure Blob Storage: block blobs with ETags and versions, for whoever signs with the key of its account
or shows a signature of it. What it does not know it refuses, and whoever made it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.remote.buckets import BUCKET, CREATE, MATCH, Bucket, Cloud, Words, xml
from tests.remote.misbehaving import Answer, Asked, name_of

ACCOUNT, API = "accountofthetest", "2023-11-03"
KEY, OTHER_KEY = (
    base64.b64encode(f"{word} key of the storage account".encode()).decode() for word in ("the", "a")
)
HEADERS = {
    "accept",
    "accept-encoding",
    "authorization",
    "content-length",
    "date",
    "host",
    "if-match",
    "if-none-match",
    "user-agent",
    "x-ms-blob-type",
    "x-ms-version",
}
SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
SHARED = (
    "sp",
    "st",
    "se",
    "",
    "si",
    "sip",
    "spr",
    "sv",
    "sr",
    "",
    "ses",
    "rscc",
    "rscd",
    "rsce",
    "rscl",
    "rsct",
)
RIGHTS = {"GET": "r", "PUT": "w", "DELETE": "d", "POST": "d"}
SKEW = timedelta(minutes=15)


def error(status: int, code: str, message: str) -> Answer:
    told = xml(status, code, f"{message}\nRequestId:7e1b0000-0000-0000\nTime:2026-01-01T00:00:00.0000000Z")
    told.headers["x-ms-error-code"] = code
    return told


EXISTS = error(409, "BlobAlreadyExists", "The specified blob already exists.")
REFUSED = error(
    412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
)
UNSIGNED = error(401, "NoAuthenticationInformation", "Server failed to authenticate the request.")
STRANGE = error(
    400, "UnsupportedHeader", "One of the HTTP headers specified in the request is not supported."
)
WORDS = Words(
    EXISTS,
    REFUSED,
    error(403, "AuthorizationPermissionMismatch", "This request is not authorized."),
    error(401, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired."),
    "AZURE_STORAGE_ACCOUNT_KEY",
    "x-ms-version-id",
)


class Azure(Cloud):
    """One container. Numbers are times, as versions are."""

    def _serve(self, asked: Asked) -> Answer:
        if not allowed(asked):
            return not_allowed(asked)
        query = {
            name: value
            for name, value in parse_qsl(urlsplit(asked.path).query)
            if name not in (*SHARED, "sig")
        }
        batch = asked.method == "POST" and query == {"restype": "container", "comp": "batch"}
        strange = set(asked.headers) - HEADERS - ({"content-type"} if batch else set())
        if strange or (not batch and (query or asked.method not in ("GET", "PUT", "DELETE"))):
            self.unknown.append(f"{asked.method} {urlsplit(asked.path).path} {query} {sorted(strange)}")
            return STRANGE
        container, _, name = name_of(asked).lstrip("/").partition("/")
        if container != BUCKET:
            return error(404, "ContainerNotFound", "The specified container does not exist.")
        if batch:
            return self._batch(asked)
        with self._guard:
            if asked.method == "PUT":
                return self._put(name, asked)
            if name not in self.objects:
                return error(404, "BlobNotFound", "The specified blob does not exist.")
            if asked.method == "DELETE":
                del self.objects[name]
                return Answer(202)
            return Answer(200, self.objects[name][0], self._told(name))

    def _put(self, name: str, asked: Asked) -> Answer:
        if asked.headers.get("x-ms-blob-type") != "BlockBlob" or "content-length" not in asked.headers:
            return error(400, "MissingRequiredHeader", "An HTTP header that's mandatory is not specified.")
        wanted, absent = asked.headers.get("if-match"), asked.headers.get("if-none-match")
        if absent is not None and absent != "*":
            return error(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not valid.")
        if absent and name in self.objects and CREATE not in self.ignored:
            return EXISTS
        there = self._told(name)["etag"] if name in self.objects else None
        if wanted is not None and wanted != there and MATCH not in self.ignored:
            return REFUSED
        self._last = max(self._last + 1, time.time_ns() // 100)
        self.objects[name] = asked.body, self._last
        return Answer(201, b"", self._told(name))

    def _told(self, name: str) -> dict[str, str]:
        number = self.objects[name][1]
        return {
            "etag": f'"0x8D{number:X}"',
            "last-modified": formatdate(number / 1e7, usegmt=True),
            "x-ms-version": API,
            "x-ms-version-id": f"{datetime.fromtimestamp(number // 10**7, UTC):%Y-%m-%dT%H:%M:%S}.{number % 10**7:07}Z",
        }

    def _batch(self, asked: Asked) -> Answer:
        """Requests to delete, each signed by itself, and their answers."""
        bound = asked.headers["content-type"].removeprefix("multipart/mixed; boundary=")
        *parts, end = asked.body.decode().split(f"--{bound}")[1:]
        assert end == "--\r\n", end
        told = ""
        for part in parts:
            head, _, request = part.lstrip("\r\n").partition("\r\n\r\n")
            number = re.search(r"(?m)^Content-ID: (\d+)\r?$", head)
            line, *lines = request.strip().split("\r\n")
            method, path, _ = line.split(" ")
            assert number and method == "DELETE" and "Content-Type: application/http" in head, part
            headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
            answer = self._serve(Asked(method, path, b"", headers))
            told += f"--answers\r\nContent-Type: application/http\r\nContent-ID: {number[1]}\r\n\r\n"
            told += f"HTTP/1.1 {answer.status} Told\r\nx-ms-version: {API}\r\n\r\n"
        body = f"{told}--answers--\r\n".encode()
        return Answer(202, body, {"content-type": "multipart/mixed; boundary=answers"})


def signature(text: str, key: str = KEY) -> str:
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()


def allowed(asked: Asked) -> bool:
    """Whether the request is signed, by whoever sends it or by the signature that it shows."""
    parts, headers = urlsplit(asked.path), asked.headers
    if (shared := dict(parse_qsl(parts.query))) and "sig" in shared:
        right = shared["sig"] == signature(shared_text(shared))
        lives = shared["st"] <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" < shared["se"]
        return right and lives and RIGHTS.get(asked.method, "?") in shared["sp"]
    if headers.get("x-ms-version") != API or "date" not in headers:
        return False
    if abs(datetime.now(UTC) - parsedate_to_datetime(headers["date"])) > SKEW:
        return False
    return headers.get("authorization") == f"SharedKey {ACCOUNT}:{signature(text_of(asked))}"


def text_of(asked: Asked) -> str:
    """What the key of an account signs of a request."""
    parts, headers = urlsplit(asked.path), asked.headers
    values = [headers.get(name, "") for name in SIGNED]
    values[2] = values[2] if values[2] != "0" else ""
    ours = sorted(name for name in headers if name.startswith("x-ms-"))
    query = "".join(f"\n{name}:{value}" for name, value in sorted(parse_qsl(parts.query)))
    told = "".join(f"{name}:{headers[name]}\n" for name in ours)
    return "\n".join([asked.method, *values, told]) + f"/{ACCOUNT}{parts.path}{query}"


def shared_text(values: dict[str, str]) -> str:
    """What the key of an account signs of a shared access signature for the container."""
    texts = [values.get(name, "") for name in SHARED]
    texts[3] = f"/blob/{ACCOUNT}/{BUCKET}"
    return "\n".join(texts)


def shared(rights: str = "rwd", lives: timedelta = timedelta(hours=1)) -> str:
    """A shared access signature, as its owner copies it: percent-encoded."""
    now = datetime.now(UTC)
    times = {"st": now - timedelta(days=1), "se": now + lives}
    values = {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in times.items()}
    values |= {"sp": rights, "sv": API, "sr": "c"}
    return urlencode({**values, "sig": signature(shared_text(values))})


def not_allowed(asked: Asked) -> Answer:
    """With all that the service tells whoever signs wrongly, which no reader of a log should see."""
    if "authorization" not in asked.headers and "sig=" not in asked.path:
        return UNSIGNED
    said = (
        f"The MAC signature found in the HTTP request '{asked.headers.get('authorization')}' is not the same"
    )
    told = error(403, "AuthenticationFailed", "Server failed to authenticate the request.")
    told.body = told.body.replace(
        b"</Error>", f"<AuthenticationErrorDetail>{said}</AuthenticationErrorDetail></Error>".encode()
    )
    return told


@contextmanager
def azure() -> Iterator[Bucket]:
    """An empty container of Azure's, and the key of its account."""
    made = Azure()
    with made.server.running():
        environ = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": made.server.url,
        }
        wrong = {"AZURE_STORAGE_ACCOUNT_KEY": OTHER_KEY}
        yield Bucket(made.server, environ, "az", WORDS, (KEY,), made.ignored, wrong)
    assert not made.unknown, made.unknown
