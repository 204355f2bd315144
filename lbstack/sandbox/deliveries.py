"""What ``events.tell`` left is sent to the webhooks' URLs (API reference 1.6 and 5.8).

A served sandbox sends; an embedded one leaves its deliveries to the next that is served. Each arrives at
least once, with the same ``X-Labelbox-Id`` at every attempt, and a webhook's are sent one after the other
in the order they came about; one that has to be repeated lets the others pass. Webhooks wait for their
own receivers only. Nothing of it is in the ledger, since nothing in the workspace changes: what the
ledger is to mutations, ``notifications`` are to attempts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx2

from lbstack.sandbox import hosts, posting
from lbstack.sandbox.conditions import Conditions
from lbstack.sandbox.events import DELIVERED, DROPPED, FAILED, PENDING, without_password
from lbstack.sandbox.ids import print_time
from lbstack.sandbox.posting import Answer
from lbstack.sandbox.store import Row, Store

T = TypeVar("T")

log = logging.getLogger(__name__)

ATTEMPTS = 8
FIRST_WAIT = 1.0  # seconds before the second attempt; each further wait is twice the one before
_LEASE_SECONDS = 2 * posting.ATTEMPT_SECONDS  # how long what is being sent is nobody else's to send
_GLANCE_SECONDS = 0.25  # events come from requests, from jobs, and from other processes
_GRACE_SECONDS = 3.0  # for receivers that are answering while the sandbox is being stopped
_AT_ONCE = 200  # webhooks that are being posted to
_A_TURN = 20  # deliveries of one webhook before another that waits may have its place

# Steps from one webhook that has something left to the next, however much that is.
_WAITING = """WITH RECURSIVE waiting (id) AS (
        SELECT min(webhookId) FROM deliveries WHERE nextAttempt IS NOT NULL
        UNION ALL
        SELECT (SELECT min(webhookId) FROM deliveries
            WHERE nextAttempt IS NOT NULL AND webhookId > waiting.id)
        FROM waiting WHERE waiting.id IS NOT NULL),
    due (id, since) AS (
        SELECT id, (SELECT min(nextAttempt) FROM deliveries
            WHERE nextAttempt IS NOT NULL AND webhookId = waiting.id) FROM waiting WHERE id IS NOT NULL)
    SELECT id FROM due WHERE since <= ? ORDER BY since"""
_NEXT = """SELECT d.*, w.url, w.secret, w.status AS webhookStatus
    FROM deliveries d LEFT JOIN webhooks w ON w.id = d.webhookId
    WHERE d.webhookId = ? AND d.nextAttempt <= ? ORDER BY d.nextAttempt, d.place LIMIT 1"""
_DROP = f"""UPDATE deliveries SET status = '{DROPPED}', nextAttempt = NULL
    WHERE webhookId = ? AND nextAttempt IS NOT NULL"""  # noqa: S608 - a constant
_CLAIM = "UPDATE deliveries SET attempts = attempts + 1, nextAttempt = ? WHERE id = ?"
_SETTLE = "UPDATE deliveries SET status = ?, nextAttempt = ? WHERE id = ?"

_INTERRUPTED = Answer(error="The sandbox was stopped", again=True)


def waiting(store: Store) -> list[str]:
    """Return the webhooks with a delivery that is due, the one that has waited for longest first."""
    return [row["id"] for row in store.rows(_WAITING, [time.time()])]


def claim(store: Store, webhook: str) -> Row | None:
    """Take the webhook's next delivery that is due, with the webhook's ``url`` and ``secret``.

    It counts as attempted from now on: should nobody live to say what became of it, it is due again when
    the lease is over. What waits for a webhook that is no longer active is dropped.
    """
    with store.transaction():
        found = store.row(_NEXT, [webhook, time.time()])
        if found is None:
            return None
        if found["webhookStatus"] != "ACTIVE":
            store.run(_DROP, [webhook])
            return None
        if found["attempts"] >= ATTEMPTS:  # the last one ended with the process that made it
            store.run(_SETTLE, [FAILED, None, found["id"]])
            return None
        store.run(_CLAIM, [time.time() + _LEASE_SECONDS, found["id"]])
    return {**found, "attempts": found["attempts"] + 1}


def settle(store: Store, delivery: Row, headers: Row, answer: Answer) -> None:
    """Keep what became of an attempt, and say whether and when there is another."""
    notification = {
        "deliveryId": delivery["id"], "createdAt": print_time(time.time()),
        "url": without_password(delivery["url"]), "requestHeaders": json.dumps(headers),
        "responseCode": answer.code, "responseHeaders": json.dumps(dict(answer.headers)),
        "responseBody": answer.body, "error": answer.error,
    }  # fmt: skip
    status, due = DELIVERED if answer.good else FAILED, None
    if answer is _INTERRUPTED:
        status, due = PENDING, time.time()
    elif answer.again and delivery["attempts"] < ATTEMPTS:
        wait = FIRST_WAIT * 2 ** (delivery["attempts"] - 1)
        status, due = PENDING, time.time() + max(wait, answer.wait)
    with store.transaction():
        store.insert("notifications", notification)
        store.run(_SETTLE, [status, due, delivery["id"]])


class Sender:
    """Sends what is due, in a thread of its own; receivers are waited for side by side."""

    def __init__(self, store: Store, conditions: Conditions) -> None:
        self.store = store
        self.conditions = conditions
        self._stopping = False
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: httpx2.AsyncClient | None = None

    def start(self) -> None:
        """Send from now on."""
        self._loop = asyncio.new_event_loop()
        # One thread for the store: it waits for those who write, and the loop must not.
        self._rows = ThreadPoolExecutor(1, "sandbox deliveries")
        self._names = ThreadPoolExecutor(32, "sandbox deliveries names")
        self._thread = threading.Thread(target=self._run, name="sandbox deliveries", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give receivers that are answering a moment, and end the thread."""
        if self._thread is None or self._loop is None:
            return
        self._stopping = True
        self._loop.call_soon_threadsafe(self._wake.set)
        self._thread.join()
        self._loop.close()
        self._thread = None

    def _run(self) -> None:
        assert self._loop
        self._loop.run_until_complete(self._serve())
        self._rows.shutdown()
        self._names.shutdown(wait=False)

    async def _serve(self) -> None:
        busy: dict[str, asyncio.Task[None]] = {}
        while not self._stopping:
            self._wake.clear()
            try:
                for webhook in await self._at_store(lambda: waiting(self.store)):
                    if webhook not in busy and len(busy) < _AT_ONCE:
                        busy[webhook] = asyncio.create_task(self._turn(webhook))
            except Exception:
                log.exception("the sandbox's deliveries stopped for a moment")
            glance = asyncio.create_task(self._glance())
            await asyncio.wait({glance, *busy.values()}, return_when=asyncio.FIRST_COMPLETED)
            glance.cancel()
            busy = {webhook: task for webhook, task in busy.items() if not task.done()}
        if busy:
            await asyncio.wait(busy.values(), timeout=_GRACE_SECONDS)
        for task in busy.values():
            task.cancel()
        await asyncio.gather(*busy.values(), return_exceptions=True)
        if self._client:
            await self._client.aclose()

    async def _glance(self) -> None:
        """Wait until it is worth looking again."""
        try:
            async with asyncio.timeout(_GLANCE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _turn(self, webhook: str) -> None:
        """Send some of what is due at one webhook, one after the other."""
        try:
            for _ in range(_A_TURN):
                delivery = await self._at_store(lambda: claim(self.store, webhook))
                if delivery is None:
                    return
                await self._send(delivery)
                if self._stopping:
                    return
        except Exception:
            log.exception("the deliveries of webhook %s stopped for a moment", webhook)
            await asyncio.sleep(_GLANCE_SECONDS)

    async def _send(self, delivery: Row) -> None:
        body = delivery["body"].encode()
        headers = posting.signed(delivery["secret"], delivery["event"], delivery["id"], body)
        self._client = self._client or posting.client()
        try:
            answer = await posting.post(self._client, delivery["url"], headers, body, self._resolve)
        except asyncio.CancelledError:
            answer = _INTERRUPTED
        except Exception as error:  # what it says may hold what no log may: the webhook's url or secret
            log.error("delivery %s failed: %s", delivery["id"], type(error).__name__)
            answer = Answer(error="The sandbox could not send it", again=True)
        await self._at_store(lambda: settle(self.store, delivery, headers, answer))

    async def _resolve(self, host: str) -> list[str]:
        outbound = self.conditions.outbound
        return await asyncio.get_running_loop().run_in_executor(self._names, hosts.addresses, host, outbound)

    async def _at_store(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._rows, work)
