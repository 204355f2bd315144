"""Events that webhooks hear of (API reference 1.6 and 5.8).

What happens to a label leaves a delivery for every webhook that listens, in the same transaction.
"""

from __future__ import annotations

import json

from lbstack.sandbox.context import Context
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS deliveries (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, webhookId TEXT NOT NULL,
        event TEXT NOT NULL, body TEXT NOT NULL, createdAt TEXT NOT NULL)""",
)


def tell(context: Context, event: str, project: str, body: Row) -> None:
    """Leave ``body`` to be delivered to every active webhook of the project or of its organization that
    listens to ``event``, a webhook topic."""
    sql = """SELECT id FROM webhooks WHERE organizationId = ? AND status = 'ACTIVE'
        AND (projectId IS NULL OR projectId = ?)
        AND EXISTS (SELECT 1 FROM json_each(topics) WHERE value = ?)"""
    for webhook in context.store.rows(sql, [context.organization_id, project, event]):
        row = {"id": context.new_id(), "webhookId": webhook["id"], "event": event}
        context.store.insert("deliveries", {**row, "body": json.dumps(body), "createdAt": context.now()})
