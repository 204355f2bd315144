"""What must never leave the process, in every spelling that it may take, and text without it.

A secret is known from the moment it is read. From then on whatever is printed, or told of what the
service said, is searched for it: raw, escaped for JSON, HTML, URLs or Python, as hex, as base64 at each of
its three alignments, line by line, and backwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

HIDDEN = "(sensitive value)"

SHORTEST = 4
"""Characters from which on a secret is looked for in what the service says."""

LONG = 8
"""Characters from which on it is looked for, and its encodings, in all that is printed: a shorter one would
hit ordinary words, numbers in JSON among them."""

NAMED = re.compile(
    r"(API_?KEY|ACCESS_KEY|ACCOUNT_KEY|PRIVATE_KEY|SECRET(_KEY)?|TOKEN|PASSWORD|PASSPHRASE|SAS)\Z",
    re.IGNORECASE,
)
"""Names of environment variables whose values are secrets: the API key, what opens a remote state, and what
a CI service lends its jobs."""
VARIABLE = "LBSTACK_VAR_"
"""Of these the stack says which are secret."""
_URL_PASSWORD = re.compile(r"\A[a-z][a-z0-9+.-]*://[^/?#@]*:([^/?#]+)@", re.IGNORECASE)

_SPELLINGS: dict[str, frozenset[str]] = {}
"""Every known secret with its spellings."""
_PATTERNS: dict[int, re.Pattern[str] | None] = {}
"""What finds the spellings of a length or more; made when it is asked for, and anew when one is added."""


def know(secret: str) -> None:
    """From now on this is a secret."""
    if secret not in _SPELLINGS:
        _SPELLINGS[secret] = frozenset(_spelled(secret))
        _PATTERNS.clear()


def know_environment(environ: Mapping[str, str]) -> None:
    """Know what the environment holds of secrets: by the variables' names, and passwords inside URLs."""
    for name, value in environ.items():
        if name.startswith(VARIABLE):
            continue
        if NAMED.search(name):
            know(value.strip())
        elif match := _URL_PASSWORD.match(value):
            know(match[1])


def count() -> int:
    """How many secrets are known; none is ever forgotten."""
    return len(_SPELLINGS)


def spellings(least: int = SHORTEST) -> frozenset[str]:
    """All spellings of all known secrets, of `least` characters or more."""
    return frozenset(text for texts in _SPELLINGS.values() for text in texts if len(text) >= least)


def redacted(text: str, least: int = SHORTEST) -> str:
    """The text without any known secret."""
    if least not in _PATTERNS:
        texts = sorted(spellings(least), key=len, reverse=True)
        _PATTERNS[least] = re.compile("|".join(map(re.escape, texts))) if texts else None
    pattern = _PATTERNS[least]
    return text if pattern is None else pattern.sub(HIDDEN, text)


def is_secret(text: str) -> bool:
    """Whether text is, or holds, a known secret."""
    return text in _SPELLINGS or redacted(text) != text


def _spelled(secret: str) -> Iterator[str]:
    """The spellings of one secret. A short one is looked for as it is, since its encodings are shorter
    than a word."""
    import html
    import json
    from urllib.parse import quote, quote_plus

    yield secret
    if len(secret) < LONG:
        return
    lines = [line.strip() for line in secret.splitlines()]
    for text in (
        secret,
        secret.strip(),
        " ".join(secret.split()),
        *(each for each in lines if len(each) >= LONG),
    ):
        yield text
        yield text[::-1]
        yield html.escape(text)
        yield repr(text)[1:-1]
        for written in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
            yield written
            yield json.dumps(written)[1:-1]  # JSON inside JSON, as a log shipper writes it
        try:
            coded = (quote(text), quote(text, safe=""), quote_plus(text), quote_plus(text, safe="/"))
        except UnicodeEncodeError:  # half a surrogate pair, which no URL can hold
            continue
        yield from coded
        yield from (re.sub("%[0-9A-F]{2}", lambda byte: byte[0].lower(), each) for each in coded)
    yield from _coded(secret.encode("utf-8", "surrogatepass"))


def _coded(data: bytes) -> Iterator[str]:
    """Bytes as hex, and as base64 wherever they may stand in what is encoded: of its characters those that
    these bytes alone decide."""
    from base64 import b64encode

    yield data.hex()
    yield data.hex().upper()
    for before in range(3):
        text = b64encode(bytes(before) + data).decode()
        first = (0, 2, 3)[before]
        last = len(text) - (0, 3, 2)[(before + len(data)) % 3]
        yield text[first:last]
        yield text[first:last].translate({ord("+"): "-", ord("/"): "_"})
