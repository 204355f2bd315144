"""A cell in an object store: ``s3://bucket/key``, ``gs://bucket/key``, ``az://container/key``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from lbstack.errors import AuthError, UsageError
from lbstack.state.cell import Claim, Found, Refused, Trouble, Version, of_this_machine, refuses, unsafe
from lbstack.state.remote_keys import (
    check_keys,
    code_of,
    know_secrets,
    provider,
    refused_token,
    told,
    wants_token,
)

SCHEMES = ("s3", "gs", "az")
INSTALL = "pip install 'lbstack[remote]'"
ENDPOINTS = {
    "s3": ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
EMULATED, EMULATOR = "AZURE_STORAGE_USE_EMULATOR", "AZURITE_BLOB_STORAGE_URL"
DENIED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "RequestExpired")
NOTHING = ("NoSuchKey", "BlobNotFound")
"""Only these say that nothing is there. Any other 404 is of a proxy, or for a stranger."""
NOWHERE = ("NoSuchBucket", "ContainerNotFound")
KEPT = ("LeaseIdMissing", "BlobImmutableDueToPolicy", "RetentionPolicyNotMet", "ObjectUnderActiveHold")
"""Refusals that have nothing to do with who was first."""
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
        know_secrets(environ)
        self._scheme = urlsplit(url).scheme
        try:
            self._store = _open(bucket, environ)
        except exceptions.BaseError as error:
            raise AuthError(f"{url} cannot be opened: {told(error)}", check_keys(self._scheme)) from None

    def get(self) -> Found:
        try:
            result = self._obstore.get(self._store, self._key)
            data = bytes(result.bytes())
        except FileNotFoundError as error:
            if code_of(error) in NOTHING:
                return Found()
            raise self._trouble("read", error) from None
        except (self._errors.BaseError, OSError) as error:
            raise self._trouble("read", error) from None
        return Found(data, Version(result.meta["e_tag"], result.meta["version"]))

    def put(self, data: bytes, expected: Version | None) -> Version:
        try:
            result = self._obstore.put(
                self._store, self._key, data, mode=_mode(expected), use_multipart=False
            )
        except (self._errors.AlreadyExistsError, self._errors.PreconditionError) as error:
            if code_of(error) in KEPT:
                raise self._trouble("written", error) from None
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
        what, code = f"{self.where} cannot be {verb}: {told(error)}", code_of(error)
        if code in NOWHERE:
            return Trouble(f"{self.where} has no bucket of that name", "make it, or name another")
        if code in KEPT:
            return Trouble(
                what, "end the lease, hold or retention that keeps it as it is, and run this again"
            )
        denied = isinstance(error, (self._errors.PermissionDeniedError, self._errors.UnauthenticatedError))
        if denied or code in DENIED or refused_token(error):
            return AuthError(what, check_keys(self._scheme))
        return Trouble(what, check_keys(self._scheme)) if wants_token(error) else Trouble(what)


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

    scheme = urlsplit(bucket).scheme
    options: dict[str, Any] = {
        "client_options": {
            "timeout": TIMEOUT,
            "connect_timeout": CONNECT,
            "allow_http": _open_http(scheme, environ),
        },
        "retry_config": {"max_retries": 0},  # a write that is sent twice is told apart by `swap` alone
    }
    if who := provider(scheme, environ):
        options["credential_provider"] = who
    return from_url(bucket, **options)


def _open_http(scheme: str, environ: Mapping[str, str]) -> bool:
    """Whether an endpoint without encryption was named, which may only be one of this machine."""
    names = (*ENDPOINTS[scheme], *((EMULATOR,) if scheme == "az" and environ.get(EMULATED) else ()))
    plain = {name: parts for name in names if (parts := urlsplit(environ.get(name, ""))).scheme == "http"}
    for name, parts in plain.items():
        if not of_this_machine(parts.hostname or ""):
            raise UsageError(f"{name} is not encrypted", "use https; http is for this machine only")
    return bool(plain)


def _mode(expected: Version | None) -> Any:
    if expected is None:
        return "create"
    mode = {"e_tag": expected.tag, "version": expected.number}
    return {name: value for name, value in mode.items() if value is not None}
