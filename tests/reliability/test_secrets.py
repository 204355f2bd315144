"""Twelve canaries through every command, with the service saying them back: they come out nowhere.

Beside what is printed and written, each process is watched from inside by an audit hook: it starts no other
process, and connects to nobody but the endpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import canaries
from tests.reliability.conftest import Report
from tests.reliability.sizes import size
from tests.sandbox.controlling import Box, controlled

pytestmark = pytest.mark.reliability

WEBHOOK = "canary-1 of/the+webhook?&=%"
CANARIES = {
    "LBSTACK_VAR_first": WEBHOOK,
    "LBSTACK_VAR_second": 'canary-2 "quoted"\\and {braced}',
    "LBSTACK_VAR_third": "canary-3-zähne-歯",
    "AWS_SECRET_ACCESS_KEY": "canary4/AWS+secret/of+forty+characters==",
    "AWS_SESSION_TOKEN": "canary-5-session-token",
    "AZURE_STORAGE_ACCOUNT_KEY": "Y2FuYXJ5LTYtYXp1cmUrLz1hYmNk",
    "TF_HTTP_PASSWORD": "canary-7-state-password",
    "HTTPS_PROXY": "http://proxy:canary-8-of-the-proxy@127.0.0.1:1",
    "GITHUB_TOKEN": "ghs_canary9canary9canary9",
    "STATE_PASSPHRASE": "canary-10 correct horse battery",
}
FILED, LITERAL = "canary-11-from-a-file", "canary-12-in-the-stack"
PASSWORD = "canary-8-of-the-proxy"

STACK = f"""\
stack: secrets
variables:
  first: {{secret: true}}
  second: {{secret: true}}
  third: {{secret: true}}
  filed: {{secret: true}}
datasets:
  mine: {{name: Mine}}
webhooks:
  a: {{url: 'https://a.example/1', topics: [LABEL_CREATED], secret: '${{var.first}}'}}
  b: {{url: 'https://a.example/2', topics: [LABEL_CREATED], secret: '${{var.second}}'}}
  c: {{url: 'https://a.example/3', topics: [LABEL_CREATED], secret: '${{var.third}}'}}
  d: {{url: 'https://a.example/4', topics: [LABEL_CREATED], secret: '${{var.filed}}'}}
  e: {{url: 'https://a.example/5', topics: [LABEL_CREATED], secret: {LITERAL}}}
outputs: {{told: '${{dataset.mine.name}}'}}
"""
NO_LITERAL = "\n".join(line for line in STACK.split("\n") if LITERAL not in line)

AUDIT = """\
import logging, sys
logging.basicConfig(level=1)
def _hook(event, args, log={log!r}):
    if event == "socket.connect" or event in ("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "pty.spawn") or (
        event.startswith(("os.exec", "os.spawn", "os.posix_spawn"))):
        with open(log, "a") as file:
            file.write(event + " " + repr(args) + "\\n")
sys.addaudithook(_hook)
"""
LAST = "{ datasets(where: {deleted: false}, first: 100) { id name } }"


class Watched:
    """The command against a served sandbox, with everything it leaves behind kept for the search."""

    def __init__(self, folder: Path, box: Box) -> None:
        self.folder, self.box = folder, box
        self.work, hook = folder / "work", folder / "hook"
        for each in (self.work, hook, folder / "tmp"):
            each.mkdir()
        self.log = folder / "audit"
        (hook / "sitecustomize.py").write_text(AUDIT.format(log=str(self.log)))
        (self.work / "values").write_text(f"filed: {FILED}\n")
        self.write(STACK)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {
            **kept,
            **CANARIES,
            "PYTHONPATH": f"{hook}:{Path(__file__).parents[2]}",
            "LABELBOX_ENDPOINT": box.served.endpoint,
            "LABELBOX_API_KEY": box.served.key,
            "LBSTACK_DEBUG": "1",
            "TMPDIR": str(folder / "tmp"),
            "NO_PROXY": "127.0.0.1",
        }
        self.secrets = {*CANARIES.values(), PASSWORD, FILED, box.served.key} - {CANARIES["HTTPS_PROXY"]}
        self.artefacts: dict[str, bytes] = {}
        self.runs = 0

    def write(self, text: str) -> None:
        (self.work / "stack.yaml").write_text(text)

    def __call__(self, *words: str, literal: bool = False) -> int:
        before = canaries.files(self.work) | canaries.files(self.folder / "tmp")
        files = (
            ["--var-file", "values"]
            if words[0] in ("validate", "plan", "apply", "drift", "destroy") and "saved" not in words
            else []
        )
        started = subprocess.Popen(
            [sys.executable, "-m", "lbstack", *words, *files],
            cwd=self.work, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        line = Path(f"/proc/{started.pid}/cmdline")
        argv = line.read_bytes() if line.exists() else b""
        out, error = started.communicate(timeout=120)
        self.runs += 1
        name = f"{self.runs} {' '.join(words)}"
        new = canaries.written(self.work, before) | canaries.written(self.folder / "tmp", before)
        self.artefacts |= {f"{name}: {where}": data for where, data in new.items()}
        self.artefacts |= {f"{name}: stdout": out, f"{name}: stderr": error, f"{name}: argv": argv}
        return started.returncode

    def said(self, part: int) -> str:
        return "".join(
            data.decode()
            for name, data in self.artefacts.items()
            if name.startswith(f"{part} ") and ": std" in name
        )


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with controlled(tmp_path / "data") as box:
        yield Watched(tmp_path, box)


def everything(run: Watched) -> None:
    """Each command in each of its faces."""
    for words in (
        "validate", "plan", "plan --json --out saved", "show saved", "apply saved", "show", "show --json", "state list",
        "state show webhook.a", "output", "drift --json", "graph",
    ):  # fmt: skip
        run(*words.split())


def test_no_secret_leaves_by_any_command(watched: Watched, report: Report) -> None:
    watched.write(NO_LITERAL)
    everything(watched)
    watched.write(STACK)
    watched.secrets.add(LITERAL)
    watched("apply", "--auto-approve")
    assert "Apply complete" in watched.said(watched.runs)
    # The service has them now, and says them back wherever it can say anything.
    spoken = [
        text.decode() for secret in sorted(watched.secrets) for text in canaries.spellings(secret).values()
    ]
    for text in spoken[: size(60, len(spoken))]:
        watched.box.create(f"found {text} there")
    listed = watched.box.post(LAST).json()["data"]["datasets"]
    mine = next(each["id"] for each in listed if each["name"] == "Mine")
    listed = [each for each in listed if each["id"] != mine]
    taken = "".join(f"  - {{address: dataset.d{n}, id: {each['id']}}}\n" for n, each in enumerate(listed))
    kept = "".join(f"  d{n}: {{name: Other}}\n" for n, _ in enumerate(listed))
    watched.write(STACK.replace("webhooks:", kept + "webhooks:") + "imports:\n" + taken)
    for words in ("plan", "plan --json"):
        watched(*words.split())
    assert f"Plan: {len(listed)} to import" in watched.said(watched.runs - 1)
    watched.write(STACK)
    rename = (
        "mutation ($id: ID!, $name: String!) { updateDataset(where: {id: $id}, data: {name: $name}) { id } }"
    )
    for text in spoken[:: size(60, 1)]:
        watched.box.post(rename, id=mine, name=f"now {text}!")
        watched("drift")
    assert "(sensitive value)" in watched.said(watched.runs)
    for at, op in (("before_exec", "createWebhook"), ("after_commit", "createWebhook"), ("before_exec", "*")):
        watched.box.fault(at, {"echo_variables": True}, op=op)
        watched.env["LBSTACK_VAR_first"] = WEBHOOK + at
        watched.secrets.add(WEBHOOK + at)
        watched("apply", "--auto-approve", "--json", "--no-wait")
    watched.box.tell("DELETE", "/faults")
    watched("destroy", "--auto-approve")

    hidden = sum(data.count(b"(sensitive value)") for data in watched.artefacts.values())
    found = canaries.leaks(watched.secrets, watched.artefacts)
    report(n=watched.runs, canaries=len(watched.secrets), spellings=len(canaries.spellings("x" * 9)),
           artefacts=len(watched.artefacts), bytes=sum(map(len, watched.artefacts.values())), hidden=hidden, found=len(found))  # fmt: skip
    assert found == []
    assert hidden > 50


def test_a_command_connects_to_its_endpoint_alone_and_starts_nobody(watched: Watched, report: Report) -> None:
    for words in ("plan --json", "apply --auto-approve", "drift", "destroy --auto-approve"):
        watched(*words.split())
    lines = watched.log.read_text().splitlines()
    port = watched.box.served.endpoint.rsplit(":", 1)[1].split("/")[0]
    strangers = [
        line for line in lines if not (line.startswith("socket.connect") and f"('127.0.0.1', {port})" in line)
    ]
    report(n=watched.runs, connections=len(lines), strangers=len(strangers))
    assert strangers == []
    assert len(lines) > 5


def test_the_search_finds_a_canary_in_each_spelling() -> None:
    for name, text in canaries.spellings(WEBHOOK).items():
        assert canaries.leaks([WEBHOOK], {"planted": b"x" + text + b"y"}), name
    assert canaries.leaks([WEBHOOK], {"planted": json.dumps({"a": WEBHOOK[:-1]}).encode()}) == []
