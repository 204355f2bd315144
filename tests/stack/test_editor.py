"""The schema in a real editor's language server: valid stacks are clean, and mistakes are flagged at their cells.

The server is the one that editors use (yaml-language-server, from npm); it is spoken to as an editor does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = "yaml-language-server@1.25.0"
ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "stack.schema.json"
STACKS = sorted((ROOT / "stacks").glob("*.yaml"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="there is no npm here"),
]

MISTAKES: dict[str, tuple[str, tuple[str, str]]] = {
    "an unknown section": ("stack: s\ndatasetts: {}\n", ("datasetts", "not allowed")),
    "an unknown field": ("stack: s\ndatasets:\n  d: {name: D, nam: x}\n", ("nam", "not allowed")),
    "a missing name": ("stack: s\ndatasets:\n  d: {description: D}\n", ("d", "name")),
    "a wrong enum": (
        "stack: s\nprojects:\n  p: {name: P, media_type: PICTURE}\n",
        ("PICTURE", ""),
    ),
    "a number for text": ("stack: s\ndatasets:\n  d: {name: [D]}\n", ("[D]", "type")),
    "a bad tool": (
        "stack: s\nontologies:\n  o:\n    name: O\n    media_type: IMAGE\n    tools: [{tool: polygone, name: P}]\n",
        ("polygone", ""),
    ),
    "an unknown topic": (
        "stack: s\nwebhooks:\n  w: {url: 'https://x.example', topics: [LABEL_MADE], secret: '${var.s}'}\n",
        ("LABEL_MADE", ""),
    ),
    "a share over one": (
        "stack: s\nprojects:\n  p: {name: P, media_type: IMAGE, review: 1.5}\n",
        ("1.5", ""),
    ),
    "a name that is none": ("stack: 'no good name'\n", ("'no good name'", "pattern")),
}


class Editor:
    """Opens files in a language server and hears what it has to say of them."""

    def __init__(self, program: Path) -> None:
        self.server = subprocess.Popen(
            ["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        capabilities = {"workspace": {"configuration": True}}
        self.send(
            "initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities}, id=1
        )
        self.await_(lambda message: message.get("id") == 1)
        self.send("initialized", {})

    def send(self, method: str, params: Any, **more: Any) -> None:
        self._write({"jsonrpc": "2.0", "method": method, "params": params, **more})

    def _write(self, message: dict[str, Any]) -> None:
        assert self.server.stdin
        body = json.dumps(message).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.server.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.server.stdout
        size = 0
        while line := self.server.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        assert size, "the language server ended"
        message: dict[str, Any] = json.loads(self.server.stdout.read(size))
        return message

    def await_(self, wanted: Any) -> dict[str, Any]:
        """Answer the server's own questions until the message that is waited for comes."""
        while True:
            message = self._read()
            if "id" in message and "method" in message:
                asked = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
                self._write({"jsonrpc": "2.0", "id": message["id"], "result": [None for _ in asked] or None})
            if wanted(message):
                return message

    def complaints(self, path: Path) -> list[tuple[str, str]]:
        """What is wrong with a file: the text that is underlined, and why."""
        text, uri = path.read_text(), path.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": document})
        told = self.await_(
            lambda m: m.get("method") == "textDocument/publishDiagnostics" and m["params"]["uri"] == uri
        )
        return [(_at(text, each["range"]), each["message"]) for each in told["params"]["diagnostics"]]

    def close(self) -> None:
        self.server.kill()
        self.server.wait()


def _at(text: str, place: dict[str, Any]) -> str:
    lines = text.splitlines()
    start, end = place["start"], place["end"]
    last = end["character"] if end["line"] == start["line"] else None
    return lines[start["line"]][start["character"] : last]


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("editor")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), SERVER]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install {SERVER}: {installed.stderr.strip().splitlines()[-1:]}")
    made = Editor(folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server")
    yield made
    made.close()


def stack(folder: Path, text: str) -> Path:
    """A stack file that names its schema as `lbstack init` writes it."""
    (folder / "lbstack.schema.json").write_text(SCHEMA.read_text())
    path = folder / "stack.yaml"
    path.write_text(f"# yaml-language-server: $schema=./lbstack.schema.json\n{text}")
    return path


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_a_valid_stack_is_clean(editor: Editor, tmp_path: Path, path: Path) -> None:
    assert editor.complaints(stack(tmp_path, path.read_text())) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_flagged_at_its_cell(editor: Editor, tmp_path: Path, name: str) -> None:
    text, (cell, why) = MISTAKES[name]
    told = editor.complaints(stack(tmp_path, text))
    assert len(told) == 1, told
    assert told[0][0] == cell and why.lower() in told[0][1].lower(), told
