"""A workspace that can be put back, and the real command at work on it in processes of its own.

A `Bench` serves one sandbox, with its control port. `keep` remembers the workspace and the folder of the
stack as they are, `back` puts them so again, in milliseconds: thousands of trials share one server.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.seed import open_store
from lbstack.sandbox.server import Served, misbehaving
from lbstack.sandbox.store import Store
from tests import loopback
from tests.reliability import story
from tests.reliability.children import Child, Children

SETTLE = 0.3
"""Seconds after which the served sandbox is sure to show what was committed: its searches do not lag."""

APPLY = ("apply", "stack.yaml", "--auto-approve", "--allow-mass-change")
DESTROY = ("destroy", "stack.yaml", "--auto-approve")

_KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Moment:
    """A workspace and a folder as they were."""

    rows: sqlite3.Connection
    files: Mapping[str, bytes]


@dataclass
class Bench:
    """One served sandbox, one folder with a stack and its state, and the command."""

    folder: Path
    store: Store
    served: Served
    env: dict[str, str]
    control: httpx2.Client
    children: Children

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    # -- the command --------------------------------------------------------------------------------

    def start(self, *words: str, held: bool = False, **env: str) -> Child:
        """Begin a command line; one that is `held` waits for CONT."""
        return self.children.start(words, self.folder, {**self.env, **env}, held=held)

    def command(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Carry a command line out to its end, however that is."""
        return self.start(*words, **env).result()

    def whole(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Begin a command line as a shell does: a process that starts from nothing, with pipes."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | more
        command = [sys.executable, "-m", "lbstack", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, text=True, preexec_fn=_listen, **pipes
        )

    def done(self, *words: str) -> None:
        """A command that must succeed."""
        result = self.command(*words)
        assert result.returncode == 0, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"

    def write(self, text: str) -> None:
        (self.folder / "stack.yaml").write_text(text)

    # -- the sandbox --------------------------------------------------------------------------------

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.control.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, at: str, *do: Mapping[str, Any], **match: Any) -> None:
        """Let this be the only thing that goes wrong."""
        self.tell("PUT", "/faults", [{"match": match, "at": at, "do": list(do)}])

    def behave(self) -> None:
        self.tell("DELETE", "/faults")
        self.tell("POST", "/world", {"role": None, "org": None, "revoke_key": None, "expire_key_after": None})

    def ledger(self, after: int = 0) -> list[dict[str, Any]]:
        """What was executed, in order: ``{seq, op, ids, outcome, …}``."""
        return [entry for entry in self.tell("GET", "/ledger") if entry["seq"] > after]

    def requests(self) -> list[dict[str, Any]]:
        """What was asked, the refused requests included: ``{type, ops, status, …}``."""
        asked: list[dict[str, Any]] = self.tell("GET", "/requests")
        return asked

    def reached(self, barrier: str) -> bool:
        """Wait until a request stands before a barrier; says whether one does."""
        return bool(self.tell("GET", f"/barrier/{barrier}?waiting=1&seconds=20")["waiting"])

    def seq(self) -> int:
        """Where the ledger ends now."""
        return int(self.store.value("SELECT coalesce(max(seq), 0) FROM ledger"))

    # -- again and again ----------------------------------------------------------------------------

    def keep(self) -> Moment:
        rows = sqlite3.connect(":memory:", check_same_thread=False)
        self.store.conn.backup(rows)
        files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        return Moment(rows, files)

    def back(self, moment: Moment) -> None:
        with self.store._writing:
            moment.rows.backup(self.store._writer)
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        for name, data in moment.files.items():
            path = self.folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(0o600)
            path.write_bytes(data)


def _listen() -> None:
    """Whoever runs the tests may ignore these signals, and what is ignored is inherited."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_DFL)


@contextmanager
def a_bench(folder: Path, *, shim: str = "", **conditions: Any) -> Iterator[Bench]:
    """A bench with a fresh workspace; the folder of the stack is ``folder/work``. Its commands have read
    the module `shim`."""
    work = folder / "work"
    work.mkdir(mode=0o700)
    store = open_store(folder / "data")
    settings = Conditions(**{"search_lag_ms": 0, "invite_lag_ms": 0, **conditions})
    story.prepare(store)
    with misbehaving(store, conditions=settings) as served:
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        env |= {
            "HOME": str(folder),
            "LABELBOX_ENDPOINT": served.endpoint,
            "LABELBOX_API_KEY": served.key,
            "LBSTACK_STATE": str(work / "state.json"),
            "LBSTACK_SETTLE": str(SETTLE),
            "LBSTACK_VAR_hook": story.SECRET,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        control = loopback.client(
            base_url=served.control, headers={"authorization": f"Bearer {served.token}"}, timeout=60
        )
        children = Children(folder, shim)
        bench = Bench(work, store, served, env, control, children)
        bench.write(story.FIRST)
        try:
            yield bench
        finally:
            children.close()
            control.close()
    store.close()
