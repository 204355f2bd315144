"""The example's receiver believes nothing that its secret did not sign, whatever is sent to it."""

from __future__ import annotations

import ast
import hashlib
import hmac
import importlib.util
import io
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.conftest import Report
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

FILE = Path(__file__).parents[2] / "stacks" / "multi-step-labeling" / "receiver.py"
spec = importlib.util.spec_from_file_location("verified_receiver", FILE)
assert spec and spec.loader
receiver = importlib.util.module_from_spec(spec)
sys.modules["verified_receiver"] = receiver
spec.loader.exec_module(receiver)

SECRET = b"a secret that signs"
BODY = b'{"label": "{}", "dataRow": {"rowData": "https://x.example/1.png"}}'


def sign(body: bytes, secret: bytes = SECRET) -> str:
    return "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest()


def ask(body: bytes, signature: str | None, secret: bytes = SECRET) -> int:
    """The status that a delivery is answered with; its event is one that needs no further action."""
    made = receiver.Receiver(receiver.Settings(secret, "dataset", "key", "http://127.0.0.1:1/graphql"))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": receiver.PATH, "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "HTTP_X_LABELBOX_EVENT": "LABEL_DELETED",
    }  # fmt: skip
    if signature is not None:
        environ["HTTP_X_HUB_SIGNATURE"] = signature
    said: list[str] = []
    list(made(environ, lambda status, headers: said.append(status)))
    return int(said[0].split()[0])


def test_what_is_signed_is_taken_and_the_signature_is_the_published_one() -> None:
    # RFC 2202's second case for HMAC-SHA-1.
    assert sign(b"what do ya want for nothing?", b"Jefe") == "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert (
        ask(b"what do ya want for nothing?", "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", b"Jefe") == 200
    )
    assert ask(BODY, sign(BODY)) == 200


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


TAMPERINGS: list[Callable[[bytes, random.Random], bytes]] = [
    flipped,
    lambda data, chance: data[: chance.randrange(len(data))],
    lambda data, chance: data + chance.randbytes(chance.randint(1, 9)),
    lambda data, chance: chance.randbytes(chance.randint(0, 90)),
    lambda data, chance: data * 2,
    lambda data, chance: data.upper(),
]


def test_nothing_tampered_with_is_taken(report: Report) -> None:
    chance, count, taken = random.Random(1), size(1_000, 10_000), 0
    for number in range(count):
        tamper = TAMPERINGS[number // 2 % len(TAMPERINGS)]
        if number % 2:
            taken += ask(tamper(BODY, chance), sign(BODY)) == 200
        else:
            signature = tamper(sign(BODY).encode(), chance).decode("latin-1")
            taken += ask(BODY, signature) == 200
    report(n=count, taken=taken)
    assert taken == 0


ODD = [
    None, "", " ", "sha1=", "sha1", "=", "sha256=" + "0" * 64, sign(BODY)[5:], sign(BODY).upper(), sign(BODY) + " ",
    " " + sign(BODY), sign(BODY) + "," + sign(BODY), sign(b"") + "," + sign(BODY), sign(BODY, b""), sign(BODY, b"\0"),
    "sha1=é" + "0" * 39, "sha1=\udcff", "\ud800", "sha1=" + "\u0660" * 40, "sha1=" + "0" * 100_000, "\0", "sha1=None",
]  # fmt: skip


@pytest.mark.parametrize("signature", ODD, ids=[f"{n}" for n, _ in enumerate(ODD)])
def test_an_odd_header_is_refused_and_breaks_nothing(signature: str | None) -> None:
    assert ask(BODY, signature) == 403


def test_an_empty_secret_proves_nothing() -> None:
    assert ask(BODY, sign(BODY, b""), b"") == 403
    with pytest.raises(SystemExit, match="WEBHOOK_SECRET"):
        receiver.Settings.of({"WEBHOOK_SECRET": "", "STEP_2_DATASET": "d", "LABELBOX_API_KEY": "k"})


def test_signatures_are_compared_in_one_way_only() -> None:
    tree = ast.parse(FILE.read_text())
    check = next(
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "check"
    )
    calls = [ast.unparse(node.func) for node in ast.walk(check) if isinstance(node, ast.Call)]
    assert calls.count("hmac.compare_digest") == 1
    assert not [node for node in ast.walk(check) if isinstance(node, ast.Compare)]
