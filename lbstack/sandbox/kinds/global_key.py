"""Global keys in bulk: find rows by them, give rows keys, take keys away (API reference 1.8, 5.7, 6.8).

Each is a job whose result is asked for by its id. They are done when they are asked for, so that a
client that polls finds them complete; only the latest are remembered.
"""

from __future__ import annotations

import json
from typing import Any

from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind, Resolver
from lbstack.sandbox.errors import NotFoundError
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.roles import MANAGE_DATASETS
from lbstack.sandbox.rows import spec, storage
from lbstack.sandbox.store import Row

TABLES = (
    """CREATE TABLE IF NOT EXISTS collection_jobs (
        place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, organizationId TEXT NOT NULL,
        kind TEXT NOT NULL, result TEXT NOT NULL)""",
)

_REMEMBERED = 1_000

SDL = """
enum CollectionJobStatus { IN_PROGRESS COMPLETE FAILED }
type CollectionJob { jobId: ID! }
input GlobalKeysWhereInput { ids: [ID!]! }
input AssignGlobalKeyToDataRowInput { dataRowId: ID!, globalKey: String! }
input AssignGlobalKeysToDataRowsInput { assignInputs: [AssignGlobalKeyToDataRowInput!]! }
"A row that was found; its id is empty in the place of a key that leads to none."
type FetchedDataRow { id: ID! }
type DataRowsForGlobalKeys {
  fetchedDataRows: [FetchedDataRow!]!
  notFoundGlobalKeys: [String!]!
  accessDeniedGlobalKeys: [String!]!
}
type DataRowsForGlobalKeysResult { jobStatus: CollectionJobStatus!, data: DataRowsForGlobalKeys }
type GlobalKeyAssignment { dataRowId: ID!, globalKey: String! }
type GlobalKeyAssignments {
  sanitizedAssignments: [GlobalKeyAssignment!]!
  unmodifiedAssignments: [GlobalKeyAssignment!]!
  invalidGlobalKeyAssignments: [GlobalKeyAssignment!]!
  accessDeniedAssignments: [GlobalKeyAssignment!]!
}
type AssignGlobalKeysToDataRowsResult { jobStatus: CollectionJobStatus!, data: GlobalKeyAssignments }
type ClearedGlobalKeys {
  clearedGlobalKeys: [String!]!
  failedToClearGlobalKeys: [String!]!
  notFoundGlobalKeys: [String!]!
  accessDeniedGlobalKeys: [String!]!
}
type ClearGlobalKeysResult { jobStatus: CollectionJobStatus!, data: ClearedGlobalKeys }
extend type Query {
  dataRowsForGlobalKeys(where: GlobalKeysWhereInput!): CollectionJob
  dataRowsForGlobalKeysResult(jobId: WhereUniqueIdInput!): DataRowsForGlobalKeysResult
  assignGlobalKeysToDataRowsResult(jobId: WhereUniqueIdInput!): AssignGlobalKeysToDataRowsResult
  clearGlobalKeysResult(jobId: WhereUniqueIdInput!): ClearGlobalKeysResult
}
extend type Mutation {
  assignGlobalKeysToDataRows(data: AssignGlobalKeysToDataRowsInput!): CollectionJob
  clearGlobalKeys(where: GlobalKeysWhereInput!): CollectionJob
}
"""


def _find(_: Any, info: Info, where: Row) -> Row:
    """Look rows up, in the order of the keys. A query, and yet it leaves a job to be asked for."""
    context = info.context
    found: Row = {"fetchedDataRows": [], "notFoundGlobalKeys": [], "accessDeniedGlobalKeys": []}
    for key in where["ids"]:
        row = storage.by_key(context, key)
        found["fetchedDataRows"].append({"id": row["id"] if row else ""})
        if row is None:
            found["accessDeniedGlobalKeys" if _taken(context, key) else "notFoundGlobalKeys"].append(key)
    with context.store.transaction():
        return _job(context, "find", found)


@mutation("assignGlobalKeysToDataRows", MANAGE_DATASETS)
def _assign(_: Any, info: Info, data: Row) -> Row:
    """Give rows keys, one after the other; a key that is taken, or none, is invalid. None is changed to
    fit: blanks too many make it invalid."""
    context = info.context
    names = ("sanitized", "unmodified", "invalidGlobalKey", "accessDenied")
    result: dict[str, list[Row]] = {f"{name}Assignments": [] for name in names}
    for wish in data["assignInputs"]:
        try:
            row = context.find(DATA_ROWS, wish["dataRowId"])
        except NotFoundError:
            result["invalidGlobalKeyAssignments"].append(wish)
            continue
        key = wish["globalKey"]
        mine = row["globalKey"] == key
        if not mine and (not spec.is_key(key) or _taken(context, key)):
            result["invalidGlobalKeyAssignments"].append(wish)
            continue
        if not mine:
            context.change(DATA_ROWS, row["id"], {"globalKey": key})
        result["unmodifiedAssignments"].append(wish)
    return _job(context, "assign", result)


@mutation("clearGlobalKeys", MANAGE_DATASETS)
def _clear(_: Any, info: Info, where: Row) -> Row:
    context = info.context
    names = ("cleared", "failedToClear", "notFound", "accessDenied")
    result: dict[str, list[str]] = {f"{name}GlobalKeys": [] for name in names}
    for key in where["ids"]:
        row = storage.by_key(context, key)
        if row is None:
            result["accessDeniedGlobalKeys" if _taken(context, key) else "notFoundGlobalKeys"].append(key)
            continue
        context.change(DATA_ROWS, row["id"], {"globalKey": None})
        result["clearedGlobalKeys"].append(key)
    return _job(context, "clear", result)


def _taken(context: Context, key: str) -> bool:
    """Say whether any row of the organization has the key, be it hidden from the caller."""
    sql = "SELECT 1 FROM data_rows WHERE organizationId = ? AND globalKey = ?"
    return bool(context.store.value(sql, [context.organization_id, key]))


def _job(context: Context, kind: str, result: Row) -> Row:
    row = {"id": context.new_id(), "organizationId": context.organization_id, "kind": kind}
    context.store.insert("collection_jobs", {**row, "result": json.dumps(result)})
    forget = "DELETE FROM collection_jobs WHERE place <= (SELECT max(place) FROM collection_jobs) - ?"
    context.store.run(forget, [_REMEMBERED])
    return {"jobId": row["id"]}


def _result(kind: str) -> Resolver:
    def resolve(_: Any, info: Info, jobId: Row) -> Row:  # noqa: N803
        context = info.context
        sql = "SELECT result FROM collection_jobs WHERE id = ? AND organizationId = ? AND kind = ?"
        result = context.store.value(sql, [jobId["id"], context.organization_id, kind])
        if result is None:
            raise NotFoundError(f"Job not found: {jobId['id']}")
        return {"jobStatus": "COMPLETE", "data": json.loads(result)}

    return resolve


KIND = Kind(
    "global_key",
    SDL,
    TABLES,
    {
        "Query": {
            "dataRowsForGlobalKeys": _find,
            "dataRowsForGlobalKeysResult": _result("find"),
            "assignGlobalKeysToDataRowsResult": _result("assign"),
            "clearGlobalKeysResult": _result("clear"),
        },
        "Mutation": {"assignGlobalKeysToDataRows": _assign, "clearGlobalKeys": _clear},
    },
)
