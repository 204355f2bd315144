"""Around the application: rules at work, the rate limit, the clock on answers, and a log of requests."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from lbstack.sandbox.contract import EXCHANGE
from lbstack.sandbox.faults.answers import Outgoing, in_json, page, spoil
from lbstack.sandbox.faults.exchange import Exchange
from lbstack.sandbox.faults.facts import Facts
from lbstack.sandbox.faults.rules import EARLY, Rule
from lbstack.sandbox.faults.waits import Waits
from lbstack.sandbox.faults.wire import Line, Message, Receive, Send

if TYPE_CHECKING:
    from lbstack.sandbox.app import Sandbox

log = logging.getLogger(__name__)

_KEPT_REQUESTS = 10_000
_LIMITED = ("/graphql", "/_gql", "/api/")
_MINUTE = 60.0


class Faults:
    """What a sandbox was told to do wrong, and what it has seen. ``token`` opens the control port."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.token = secrets.token_urlsafe(24)
        self.rules: list[Rule] = []
        self.waits = Waits(lambda: sandbox.store.mint.ticks())
        self.requests: deque[dict[str, Any]] = deque(maxlen=_KEPT_REQUESTS)
        self.seen = 0
        self.answering: set[asyncio.Future[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self._recent: deque[float] = deque()
        self._ended = False

    def strike(self, at: str, facts: Facts, op: str | None = None, *, body: bool | None = None) -> list[Rule]:
        """Return the rules that hit a request at a moment, and count it.

        ``body`` says which of the early rules are asked: those that need the body, or those that do not.
        """
        return [
            rule
            for rule in tuple(self.rules)
            if rule.at == at
            and (at not in EARLY or rule.match.needs_body == body)
            and not self._ended
            and rule.strikes(facts, op)
        ]

    def set_rules(self, rules: list[Rule]) -> None:
        """Replace all rules; whoever waits for one of the old ones goes on."""
        self.rules = rules
        self.waits.behave()

    def forget(self) -> None:
        """Forget what was asked: the workspace, and its clock, have begun anew."""
        self.requests.clear()
        self._recent.clear()

    def later(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do something so much later, unless the sandbox ends before that."""

        async def run() -> None:
            await self.waits.sleep(seconds)
            if not self._ended:
                await work()

        task = asyncio.ensure_future(run())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def end(self) -> None:
        """Wait for nothing any more: the sandbox is about to end."""
        self._ended = True
        self.waits.end()

    async def settle(self, seqs: Sequence[int], outcome: str) -> None:
        """Write into the ledger what became of the answers to what was executed."""
        if seqs:
            await asyncio.to_thread(self.sandbox.store.settle, list(seqs), outcome)

    async def settled(self) -> None:
        """Wait until the ledger says what became of every answer that has gone out."""
        if self.answering:
            await asyncio.wait(list(self.answering))

    def too_many(self, path: str) -> Outgoing | None:
        """Return the refusal of one request too many, if this is one (API reference 5.5)."""
        limit = self.sandbox.conditions.rate_limit
        if limit is None or not path.startswith(_LIMITED):
            return None
        now = self.sandbox.store.mint.ticks()
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        if len(self._recent) < limit.per_min:
            self._recent.append(now)
            return None
        words = f"You have exceeded the rate limit of {limit.per_min} requests per minute"
        out = in_json(429, {"message": words})
        if limit.style == "429_html":
            out = page(429, words)
        elif limit.style == "200_message":
            out = in_json(200, {"message": words})
        left = int(self._recent[0] + _MINUTE - now) + 1 if self._recent else int(_MINUTE)
        return out.header(b"retry-after", str(left).encode()) if limit.retry_after else out

    def dated(self, out: Outgoing) -> Outgoing:
        """Return an answer with the time as this sandbox's clock shows it, or without."""
        if not self.sandbox.conditions.date_header:
            return out.header(b"date", None)
        mint = self.sandbox.store.mint
        told = any(name.lower() == b"date" for name, _ in out.headers)
        if told and not (mint.advanced or mint.skew):
            return out
        return out.header(b"date", formatdate(mint.due() + mint.skew, usegmt=True).encode())


class Proxy:
    """The application as clients meet it."""

    def __init__(self, app: Callable[..., Awaitable[None]], faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, one way or another."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Passage(self.app, self.faults, scope, receive, send).go()


class _Passage:
    """One request from its arrival to the end of its answer."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        faults: Faults,
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.app, self.faults, self.scope, self.send, self._receive = app, faults, scope, send, receive
        self.exchange = Exchange(faults, scope["method"], scope["path"], headers)
        self.line = Line(scope, receive, send, faults.waits)
        self.answer: Outgoing | None = None
        self._streamed = False
        self._middle_passed = False

    async def go(self) -> None:
        exchange, faults = self.exchange, self.faults
        entry = self._entry()
        try:
            refusal = None
            if await exchange.early("accept"):
                refusal = faults.too_many(self.scope["path"])
                if refusal is None:
                    await self.app({**self.scope, EXCHANGE: exchange}, self.receive, self.keep)
            if not self._streamed:
                await self._answer(refusal, entry)
        finally:
            if exchange.seqs and entry["outcome"] is None:
                entry["outcome"] = "lost"
                await faults.settle(exchange.seqs, "lost")
            self._tell(entry)
        if entry["outcome"] == "answered":
            await exchange.moment("after_body")
            self._tell(entry)
            for each in exchange.struck:
                if each.at == "after_body" and each.action.what == "close":
                    await self.line.close(each.action.value)

    async def receive(self) -> Message:
        """Hand a piece of the body to the application."""
        message = await self._receive()
        self.exchange.saw(message.get("body", b""))
        return message

    async def keep(self, message: Message) -> None:
        """Keep what the application answers, or let it through when it is long and not to be spoilt."""
        if self._streamed:
            await self.send(message)
        elif message["type"] == "http.response.start":
            self.answer = Outgoing(message["status"], list(message.get("headers", [])), b"")
        elif message["type"] == "http.response.body" and self.answer is not None:
            if message.get("more_body") and not self.answer.body and not await self._middle():
                self._streamed = True
                out = self.faults.dated(self.answer)
                await self.send({"type": "http.response.start", "status": out.status, "headers": out.headers})
                await self.send(message)
                return
            body = self.answer.body + message.get("body", b"")
            self.answer = Outgoing(self.answer.status, self.answer.headers, body)

    async def _middle(self) -> bool:
        """Pass the moment in the middle of the answer, once; say whether anything is to be spoilt."""
        if not self._middle_passed:
            self._middle_passed = True
            await self.exchange.moment("mid_body")
        return bool(self.exchange.struck or self.exchange.pauses)

    async def _answer(self, refusal: Outgoing | None, entry: dict[str, Any]) -> None:
        exchange, faults = self.exchange, self.faults
        out = refusal
        if out is None:
            out = self.answer if exchange.executed else None
            if out is not None:
                await self._middle()
            if exchange.struck or out is None:
                out = spoil(out, exchange.struck, exchange.facts)
        out = faults.dated(out)
        entry["status"] = None if out.cut is None and (out.close or out.hang) else out.status
        lost = out.lost or self.line.gone
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        faults.answering.add(done)
        try:
            if out.hang or out.close or exchange.pauses or out.chunk_ms:  # it may take long
                entry["outcome"] = "lost" if lost else "answered"
                await faults.settle(exchange.seqs, "lost" if lost else "delivered")
                _finish(faults, done)
            await self.line.go(out, self._pause if exchange.pauses else None)
            entry["outcome"] = "lost" if lost else "answered"
            if not done.done():
                await faults.settle(exchange.seqs, "lost" if lost else "delivered")
        finally:
            _finish(faults, done)

    async def _pause(self) -> None:
        for action in self.exchange.pauses:
            await self.exchange.wait(action)

    def _entry(self) -> dict[str, Any]:
        faults = self.faults
        faults.seen += 1
        entry = {
            "seq": faults.seen, "t": faults.sandbox.store.mint.due(), "method": self.scope["method"],
            "path": self.scope["path"], "run": self.exchange.run, "status": None, "outcome": None,
        }  # fmt: skip
        self._tell(entry)
        faults.requests.append(entry)
        return entry

    def _tell(self, entry: dict[str, Any]) -> None:
        exchange = self.exchange
        entry["type"], entry["ops"] = exchange.facts.type, sorted(exchange.facts.ops)
        entry["request"], entry["rules"] = exchange.request, list(exchange.rules)
        if self._streamed and self.answer is not None:
            entry["status"], entry["outcome"] = self.answer.status, "answered"


def _finish(faults: Faults, done: asyncio.Future[None]) -> None:
    faults.answering.discard(done)
    if not done.done():
        done.set_result(None)
