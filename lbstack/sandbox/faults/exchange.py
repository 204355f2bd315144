"""One request on its way through the moments (``rules``), and what is done to it at each."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lbstack.sandbox.faults.actions import PID_HEADER, Action
from lbstack.sandbox.faults.answers import Struck
from lbstack.sandbox.faults.facts import Facts
from lbstack.sandbox.faults.rules import EARLY, Rule

if TYPE_CHECKING:
    from lbstack.sandbox.faults.proxy import Faults

T = TypeVar("T")
log = logging.getLogger(__name__)


class Died(BaseException):
    """The service died while it was executing: whatever transaction is open is undone."""


class Exchange:
    """A request and what has hit it. It looks on while the request writes (``context.Watch``).

    ``run``, ``request`` (a digest of the whole request) and ``outcome`` are what the ledger says of it.
    """

    def __init__(self, faults: Faults, method: str, path: str, headers: dict[str, str]) -> None:
        self.faults = faults
        self.loop = asyncio.get_running_loop()
        self.facts = Facts(headers.get("x-lbstack-run", "")[:200])
        self.run: str = self.facts.run
        self.outcome: str = "executed"
        self.struck: list[Struck] = []
        self.pauses: list[Action] = []  # what is waited for in the middle of the answer
        self.rules: list[str] = []
        self.seqs: list[int] = []
        self.executed = True
        self._pid = headers.get(PID_HEADER.lower(), "")
        self._digest = hashlib.sha256(f"{method} {path}\n".encode("utf-8", "replace"))
        self._replays = 0
        self._late_ms: int | None = None
        self._dying = False

    @property
    def request(self) -> str:
        """A digest of method, path and body, as far as it has been read."""
        return self._digest.hexdigest()

    def saw(self, chunk: bytes) -> None:
        """Note a piece of the body."""
        self._digest.update(chunk)

    @property
    def over(self) -> bool:
        """Whether the request is not to be executed any more."""
        return any(each.action.ends for each in self.struck)

    async def early(self, at: str) -> bool:
        """Pass a moment before the body is read; False when that was the end of it."""
        await self._do(self.faults.strike(at, self.facts, body=False), at)
        self.executed = not self.over
        return self.executed

    async def execute(
        self,
        facts: Facts,
        work: Callable[[], T],
        carry_out: Callable[[Callable[[], T | None]], Awaitable[T | None]],
    ) -> T | None:
        """Carry out a request whose body was read; None when that was prevented, or comes later."""
        self.facts = facts
        for at in EARLY:
            await self._do(self.faults.strike(at, facts, body=True), at)
        await self.moment("before_exec")
        if facts.type == "query":
            await self.moment("before_commit")
        if self.over or self._late_ms is not None:
            self.executed = False
            if self._late_ms is not None:
                self.faults.later(self._late_ms / 1000, lambda: self._late(work, carry_out))
            return None
        answer = await carry_out(lambda: self._guarded(work))
        self.executed = answer is not None
        if facts.type == "query" and self.executed:
            await self.moment("after_commit")
        if self._replays:
            self.outcome = "replayed"
            for _ in range(self._replays):
                await carry_out(lambda: self._guarded(work))
        return answer

    async def moment(self, at: str, op: str | None = None) -> None:
        """Let happen what is to happen at a moment."""
        await self._do(self.faults.strike(at, self.facts, op), at, op)

    def before_commit(self, op: str) -> None:
        """A mutation is about to begin; whatever is waited for is waited for now, with no lock held."""
        self._dying = self._in_thread("before_commit", op)

    def committing(self, op: str) -> None:
        """A mutation is about to commit."""
        if self._dying:
            raise Died

    def committed(self, op: str, seq: int) -> None:
        """A mutation has committed."""
        if self.outcome == "executed":
            self.seqs.append(seq)
        self._in_thread("after_commit", op)

    def _in_thread(self, at: str, op: str) -> bool:
        """Pass a moment in a thread that executes; say whether it ends the request."""
        if self.outcome != "executed" or self._late_ms is not None:
            return False
        rules, before = self.faults.strike(at, self.facts, op), len(self.struck)
        if rules:
            asyncio.run_coroutine_threadsafe(self._do(rules, at, op), self.loop).result()
        return any(each.action.ends for each in self.struck[before:])

    def _guarded(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Died:
            return None

    async def _late(
        self,
        work: Callable[[], T],
        carry_out: Callable[[Callable[[], T | None]], Awaitable[T | None]],
    ) -> None:
        await carry_out(lambda: self._guarded(work))
        await self.faults.settle(self.seqs, "lost")

    async def _do(self, rules: list[Rule], at: str, op: str | None = None) -> None:
        for rule in rules:
            self.rules.append(rule.id)
            for action in rule.do:
                if action.what == "commit_after_ms":
                    self._late_ms = action.value
                elif action.what == "replay":
                    self._replays += action.value
                elif not action.waits:
                    named = op or rule.match.op
                    self.struck.append(Struck(action, at, self.facts.root(named)))
                elif at == "mid_body":
                    self.pauses.append(action)
                else:
                    await self.wait(action)

    async def wait(self, action: Action) -> None:
        """Do what lets the request go on afterwards: wait, or send the client a signal."""
        if action.what == "delay_ms":
            await self.faults.waits.sleep(action.value / 1000)
        elif action.what == "barrier":
            await self.faults.waits.barrier(action.value)
        else:
            _signal(self._pid, action.value)


def _signal(pid: str, name: str) -> None:
    """Send a signal to a process that named itself, if it is this user's and not this one."""
    number = int(pid) if pid.isascii() and pid.isdigit() and len(pid) < 10 else 0
    if number <= 1 or number in (os.getpid(), os.getppid()) or not _own(number):
        log.warning("no signal was sent: %s is no process of this user's", number)
        return
    try:
        os.kill(number, getattr(signal, f"SIG{name}"))
    except OSError as error:
        log.warning("no signal was sent to %d: %s", number, error)


def _own(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}").stat().st_uid == os.getuid()
    except OSError:
        # Without /proc the system itself refuses signals to others; an administrator could send them.
        return os.getuid() != 0 and not Path("/proc/self").exists()
