"""Canaries: secrets whose every spelling is known, and a search for them in whatever was written or printed.

The spellings are made here and not by lbstack, so that one which it forgot is found.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

ELSEWHERE = ("sandbox.db", "sandbox.db-wal", "sandbox.db-shm", "sandbox.db-journal")
"""What the sandbox keeps, which is the service: it has what it was sent."""

SUITE = {
    "CI_JOB_TOKEN": "canary-of-the-job/+é?1",
    "AZURE_STORAGE_ACCOUNT_KEY": "Y2FuYXJ5LW9mLXN0b3JhZ2U+Lz9hYmM=",
}
"""What the environment of every command of the suite holds."""


def spellings(secret: str) -> dict[str, bytes]:
    """A secret in each spelling it could leave in, by what that is called."""
    data = secret.encode()
    found = {
        "raw": secret,
        "json": json.dumps(secret)[1:-1],
        "url": quote(secret, safe=""),
        "form": quote_plus(secret),
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        "reversed": secret[::-1],
    }
    for skip, drop in enumerate((0, 2, 3)):
        coded = base64.b64encode(bytes(skip) + data).decode()
        kept = coded[drop : len(coded) - (0, 3, 2)[(skip + len(data)) % 3]]
        found[f"base64 at {skip}"] = kept
        found[f"base64url at {skip}"] = kept.replace("+", "-").replace("/", "_")
    return {name: text.encode() for name, text in found.items()}


def leaks(secrets: Iterable[str], artefacts: Mapping[str, bytes]) -> list[str]:
    """Where a secret stands, and in which spelling."""
    needles = [(secret, name, text) for secret in secrets for name, text in spellings(secret).items()]
    return [
        f"{where}: {secret!r} ({name})"
        for where, data in artefacts.items()
        for secret, name, text in needles
        if text in data
    ]


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files in a folder that are not the sandbox's, each with what changes when it is written."""
    found = {}
    for path in folder.rglob("*"):
        if path.name not in ELSEWHERE and "sandbox-files" not in path.parts and path.is_file():
            stat = path.lstat()
            found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def written(folder: Path, before: Mapping[Path, tuple[int, int]]) -> dict[str, bytes]:
    """What was written in a folder since: state, plans, journals, logs, whatever it is."""
    return {str(p): p.read_bytes() for p, mark in files(folder).items() if before.get(p) != mark}
