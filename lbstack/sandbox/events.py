"""Events that webhooks hear of (API reference 1.6 and 5.8).

What happens to a label leaves a delivery for every webhook that listens, in the same transaction. Every
attempt to deliver it is kept beside it as a notification: request, response and code. Until a served
sandbox sends it (``deliveries.py``), a delivery waits.
"""

from __future__ import annotations

import json
import time

from lbstack.sandbox.context import Context
from lbstack.sandbox.store import Row, Store

# ``nextAttempt`` (seconds since 1970) is null once nothing more is tried, and in the index no longer. The
# request's body is the delivery's own, the same at every attempt.
TABLES = (
    """CREATE TABLE IF NOT EXISTS deliveries (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        webhookId TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL, createdAt TEXT NOT NULL,
        status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, nextAttempt REAL)""",
    """CREATE INDEX IF NOT EXISTS deliveries_next ON deliveries (webhookId, nextAttempt, place)
        WHERE nextAttempt IS NOT NULL""",
    """CREATE TABLE IF NOT EXISTS notifications (
        place INTEGER PRIMARY KEY AUTOINCREMENT, deliveryId TEXT NOT NULL, createdAt TEXT NOT NULL,
        url TEXT NOT NULL, requestHeaders TEXT NOT NULL, responseCode INTEGER, responseHeaders TEXT,
        responseBody TEXT, error TEXT)""",
    "CREATE INDEX IF NOT EXISTS notifications_delivery ON notifications (deliveryId, place)",
)

PENDING, DELIVERED, FAILED, DROPPED = "PENDING", "DELIVERED", "FAILED", "DROPPED"

# Two searches of one index: a condition joined by OR would read every webhook there is.
_LISTENERS = """SELECT rowid AS place, id FROM webhooks
        WHERE projectId {} AND +organizationId = :organization AND status = 'ACTIVE'
        AND EXISTS (SELECT 1 FROM json_each(topics) WHERE value = :event)"""
_WHO = f"{_LISTENERS.format('= :project')} UNION ALL {_LISTENERS.format('IS NULL')} ORDER BY place"

_NEWEST = """
    SELECT d.id, d.event, coalesce(n.url, w.url) AS url, d.status, d.attempts, n.responseCode, n.error
    FROM deliveries d
    LEFT JOIN webhooks w ON w.id = d.webhookId
    LEFT JOIN notifications n
        ON n.place = (SELECT max(place) FROM notifications WHERE deliveryId = d.id)
    ORDER BY d.place DESC LIMIT ?"""


def tell(context: Context, event: str, project: str, body: Row) -> None:
    """Leave ``body`` to be delivered to every active webhook of the project or of its organization that
    listens to ``event``, a webhook topic."""
    asked = {"organization": context.organization_id, "project": project, "event": event}
    text = None
    for webhook in context.store.rows(_WHO, asked):
        text = text or json.dumps(body)
        row = {
            "id": context.new_id(), "organizationId": context.organization_id, "webhookId": webhook["id"],
            "event": event, "body": text, "createdAt": context.now(), "status": PENDING,
            "nextAttempt": time.time(),
        }  # fmt: skip
        context.store.insert("deliveries", row)


def newest(store: Store, count: int) -> list[Row]:
    """Return the newest deliveries, oldest first: ``id event url status attempts responseCode error``.

    The last two are of the last attempt, both None before the first; the URL is where that went, or where
    the first is going to.
    """
    rows = store.rows(_NEWEST, [count])[::-1]
    return [{**row, "url": without_password(row["url"] or "")} for row in rows]


def without_password(url: str) -> str:
    """Return a webhook's URL without the name and password that may stand in it."""
    scheme, slashes, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{place.rpartition('@')[2]}{slash}{path}"
