"""Where a data row's bytes lie: the bucket and key that a row's URL names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_S3_VIRTUAL = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3([.-][a-z0-9-]+){0,2}\.amazonaws\.com")
_S3_PATH = re.compile(r"s3([.-][a-z0-9-]+){0,2}\.amazonaws\.com")
_AZURE_HOST = re.compile(r"[a-z0-9]{3,24}\.blob\.core\.windows\.net")


@dataclass(frozen=True)
class ObjectLocation:
    """One object in somebody's storage; ``bucket`` of an Azure object is its container's URL."""

    provider: str
    bucket: str
    key: str


def locate(url: str) -> ObjectLocation | None:
    """Return where ``url`` points, or None when it names no object of S3, Cloud Storage or Azure Blob.

    Understood: ``s3://bucket/key``, ``https://bucket.s3[.region].amazonaws.com/key``,
    ``https://s3[.region].amazonaws.com/bucket/key``, ``gs://bucket/key``,
    ``https://storage.googleapis.com/bucket/key`` and ``https://ACCOUNT.blob.core.windows.net/container/key``.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme in ("s3", "gs"):
        return _location("AWS" if parts.scheme == "s3" else "GCP", parts.netloc, path)
    if parts.scheme not in ("http", "https"):
        return None
    virtual = _S3_VIRTUAL.fullmatch(host)
    if virtual:
        return _location("AWS", virtual["bucket"], path)
    first, _, rest = path.partition("/")
    if _S3_PATH.fullmatch(host):
        return _location("AWS", first, rest)
    if host == "storage.googleapis.com":
        return _location("GCP", first, rest)
    if _AZURE_HOST.fullmatch(host):
        return _location("Azure", f"https://{host}/{first}" if first else "", rest)
    return None


def _location(provider: str, bucket: str, key: str) -> ObjectLocation | None:
    return ObjectLocation(provider, bucket, key) if bucket and key else None
