"""A cell in an object store: ``s3://bucket/key``, ``gs://bucket/key``, ``az://container/key``.

Credentials come from the environment, under the names that each provider's own tools use; none is an
argument and none is ever printed, which is why an error of the store is told by its status and code alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from lbstack.errors import AuthError, UsageError
from lbstack.state.cell import Claim, Found, Refused, Trouble, Version, of_this_machine, refuses, unsafe
from lbstack.values import Secret

SCHEMES = ("s3", "gs", "az")
INSTALL = "pip install 'lbstack[remote]'"
SECRET_NAMES = re.compile(r"(AWS|AZURE|GOOGLE)_.*(SECRET|TOKEN|KEY|PASSWORD|SAS)")
NOT_SECRET = re.compile(r".*(_FILE|_KEY_ID|_ENDPOINT|_URI|_URL|_ID)$")
ENDPOINTS = {
    "s3": ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
DENIED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "RequestExpired")
NOWHERE = ("NoSuchBucket", "ContainerNotFound")
TIMEOUT, CONNECT = timedelta(seconds=20), timedelta(seconds=5)


class ObjectCell:
    """One object. Its version is the store's ETag, and on Google Cloud Storage its generation."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.where = url
        bucket, self._key = _split(url)
        try:
            import obstore
            from obstore import exceptions
        except ImportError:
            raise UsageError(f"{url} needs the part of lbstack for object stores", INSTALL) from None
        self._obstore: Any = obstore
        self._errors: Any = exceptions
        for name, value in environ.items():
            if value and SECRET_NAMES.match(name) and not NOT_SECRET.match(name):
                Secret(value)  # from now on no message shows it
        try:
            self._store = _open(bucket, environ)
        except exceptions.BaseError as error:
            raise AuthError(f"{url} cannot be opened: {told(error)}", _credentials(url)) from None

    def get(self) -> Found:
        try:
            result = self._obstore.get(self._store, self._key)
            data = bytes(result.bytes())
        except FileNotFoundError as error:
            if any(code in str(error) for code in NOWHERE):
                raise Trouble(
                    f"{self.where} has no bucket of that name", "make it, or name another"
                ) from None
            return Found()
        except (self._errors.BaseError, OSError) as error:
            raise self._trouble("read", error) from None
        return Found(data, Version(result.meta["e_tag"], result.meta["version"]))

    def put(self, data: bytes, expected: Version | None) -> Version:
        try:
            result = self._obstore.put(
                self._store, self._key, data, mode=_mode(expected), use_multipart=False
            )
        except (self._errors.AlreadyExistsError, self._errors.PreconditionError):
            # A conflict of two writes is reported so as well, though nothing was written: the reader decides.
            raise Refused from None
        except (self._errors.BaseError, OSError) as error:
            raise self._trouble("written", error) from None
        return Version(result["e_tag"], result["version"])

    def enter(self, claim: Claim) -> None:
        """The lock is part of what the cell holds."""

    def leave(self, id: str) -> bool:
        """The lock is part of what the cell holds."""
        return False

    def prove(self, data: bytes, version: Version) -> None:
        tag = None if version.tag is None else '"00000000000000000000000000000000"'
        other = Version(tag, None if version.number is None else "1")
        for expected in (None, other):
            if not refuses(lambda expected=expected: self.put(data, expected)):  # type: ignore[misc]
                raise unsafe(self.where, "is written to whatever is there: conditions of writes are ignored")

    def drop(self, data: bytes) -> None:
        if self.get().data == data:
            try:
                self._obstore.delete(self._store, self._key)
            except (self._errors.BaseError, OSError) as error:
                raise self._trouble("removed", error) from None

    def _trouble(self, verb: str, error: Exception) -> Trouble | AuthError:
        what = f"{self.where} cannot be {verb}: {told(error)}"
        denied = isinstance(error, (self._errors.PermissionDeniedError, self._errors.UnauthenticatedError))
        if denied or any(f"<Code>{code}<" in str(error) for code in DENIED):
            return AuthError(what, _credentials(self.where))
        return Trouble(what)


def told(error: Exception) -> str:
    """What of an error of the store may be shown. Its text holds whole requests, with whatever signs them."""
    text = str(error)
    status = re.search(r"status code: (\d{3}[A-Za-z -]*)", text)
    code = re.search(r"<Code>(\w+)</Code>", text)
    if status or code:
        return ", ".join(match[1].strip() for match in (status, code) if match)
    if re.search(r"credential|authorize|token", text, re.I):
        return "there are no credentials, or they cannot be had"
    if re.search(r"Account must be specified|MissingAccount", text):
        return "AZURE_STORAGE_ACCOUNT_NAME is not set"
    return "the store does not answer"


def _split(url: str) -> tuple[str, str]:
    """The bucket's URL and the key in it."""
    parts = urlsplit(url)
    key = parts.path.strip("/")
    if not parts.netloc or not key or parts.query or parts.fragment or "@" in parts.netloc:
        shown = url if "@" not in parts.netloc and not parts.query else f"{parts.scheme}://…"
        raise UsageError(f"--state {shown} names no object", f"write {parts.scheme}://BUCKET/KEY.json")
    return f"{parts.scheme}://{parts.netloc}", key


def _open(bucket: str, environ: Mapping[str, str]) -> Any:
    from obstore.store import from_url

    options: dict[str, Any] = {
        "client_options": {
            "timeout": TIMEOUT,
            "connect_timeout": CONNECT,
            "allow_http": _open_http(urlsplit(bucket).scheme, environ),
        },
        "retry_config": {"max_retries": 0},  # a write that is sent twice is told apart by `swap` alone
    }
    if bucket.startswith("s3:") and environ.get("AWS_PROFILE") and not environ.get("AWS_ACCESS_KEY_ID"):
        options["credential_provider"] = _profile()
    return from_url(bucket, **options)


def _open_http(scheme: str, environ: Mapping[str, str]) -> bool:
    """Whether an endpoint without encryption was named, which may only be one of this machine."""
    plain = {
        name: parts
        for name in ENDPOINTS[scheme]
        if (parts := urlsplit(environ.get(name, ""))).scheme == "http"
    }
    for name, parts in plain.items():
        if not of_this_machine(parts.hostname or ""):
            raise UsageError(f"{name} is not encrypted", "use https; http is for this machine only")
    return bool(plain)


def _profile() -> Any:
    """Profiles and single sign-on are read by Amazon's own library."""
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise UsageError(
            "AWS_PROFILE is set, and reading profiles needs boto3", "pip install boto3"
        ) from None
    return Boto3CredentialProvider()


def _mode(expected: Version | None) -> Any:
    if expected is None:
        return "create"
    mode = {"e_tag": expected.tag, "version": expected.number}
    return {name: value for name, value in mode.items() if value is not None}


def _credentials(url: str) -> str:
    names = {
        "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of the machine",
        "gs": "GOOGLE_APPLICATION_CREDENTIALS, or a service account of the machine",
        "az": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, or an identity of the machine",
    }
    return f"check {names[urlsplit(url).scheme]}"
