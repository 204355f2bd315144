"""A known secret is found in text whatever way it was written."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbstack import redaction
from lbstack.redaction import HIDDEN, is_secret, know, know_environment, redacted

SECRETS = ["hunter2-is-no-good", 'quo"te\\back/slash', "zähne?&=+ %", "🦷-tooth-歯", "line one 1\nline two 2"]
WAYS = {
    "raw": lambda text: text,
    "json": lambda text: json.dumps({"a": [text]}),
    "json in unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps({"log": json.dumps({"a": text})}),
    "a Python value": repr,
    "url": lambda text: quote(text),
    "url, all": lambda text: quote(text, safe=""),
    "url, in lower case": lambda text: re.sub("%..", lambda byte: byte[0].lower(), quote(text, safe="")),
    "form": quote_plus,
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "backwards": lambda text: text[::-1],
    "base64, 0": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, 1": lambda text: base64.b64encode(b"u" + text.encode() + b"!").decode(),
    "base64, 2": lambda text: base64.b64encode(b"u:" + text.encode() + b"!!").decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"k:" + text.encode()).decode(),
    "one line of it": lambda text: text.splitlines()[-1],
    "folded": lambda text: " ".join(text.split()),
    "backslashed": lambda text: text.encode("ascii", "backslashreplace").decode(),
}


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redaction, "_SPELLINGS", {})
    monkeypatch.setattr(redaction, "_PATTERNS", {})
    yield


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("way", [way for way in WAYS if way != "backslashed"])
def test_a_secret_is_found_in_each_spelling(secret: str, way: str) -> None:
    know(secret)
    written = WAYS[way](secret)
    left = redacted(f"before {written} after")
    assert HIDDEN in left
    assert written not in left
    assert left.startswith("before ") and left.endswith(" after")
    if not way.startswith("base64"):
        assert len(left) <= len("before  after") + len(written) - min(map(len, secret.split())) + len(HIDDEN)


@given(
    st.text(st.characters(codec="utf-8"), min_size=8, max_size=40),
    st.binary(max_size=7),
    st.binary(max_size=7),
)
def test_base64_of_anything_around_a_secret_does_not_tell_it(
    secret: str, before: bytes, after: bytes
) -> None:
    know(secret)
    written = base64.b64encode(before + secret.encode() + after).decode()
    assert redacted(written) != written


def test_the_longest_secret_is_hidden_first() -> None:
    know("a-secret-one")
    know("a-secret-one-and-more")
    assert redacted("x a-secret-one-and-more y a-secret-one z") == f"x {HIDDEN} y {HIDDEN} z"


def test_short_secrets_are_found_in_what_the_service_says_and_words_survive() -> None:
    know("abc")
    know("fourr")
    assert redacted("abc fourr 12fourr34") == f"abc {HIDDEN} 12{HIDDEN}34"
    assert redacted("abc fourr", redaction.LONG) == "abc fourr"
    assert is_secret("abc") and not is_secret("abcd")


def test_text_without_secrets_stays_as_it_is() -> None:
    know("hunter2-is-no-good")
    text = shlex.join(["lbstack", "apply", "hunter2", "is-no-good"])
    assert redacted(text) == text


def test_the_environment_says_by_its_names_what_is_secret() -> None:
    environ = {
        "LABELBOX_API_KEY": "key-key-key-key ",
        "AWS_SECRET_ACCESS_KEY": "aws-aws-aws-aws",
        "AWS_SESSION_TOKEN": "session-session",
        "AZURE_STORAGE_ACCOUNT_KEY": "azure-azure-azure",
        "TF_HTTP_PASSWORD": "state-password",
        "HTTPS_PROXY": "http://me:proxy-password@proxy.example.com:3128",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7",
        "LBSTACK_VAR_access_key": "declared-in-the-stack",
        "HOME": "/home/somebody",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    }
    know_environment(environ)
    told = redacted(" ".join(environ.values()))
    assert told.split(f"http://me:{HIDDEN}@proxy.example.com:3128 ")[1] == (
        "AKIAIOSFODNN7 declared-in-the-stack /home/somebody /var/run/token"
    )
    for secret in ("key-key", "aws-aws", "session-", "azure-", "state-password", "proxy-password"):
        assert secret not in told
