"""Batches: how data rows are sent to a project, and taken back (API reference 1.9 and 6.2)."""

from __future__ import annotations

from collections.abc import Sequence

from lbstack.sandbox import batches
from lbstack.sandbox.annotations import keeping
from lbstack.sandbox.batches import BATCHES
from lbstack.sandbox.context import Context, Info, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import MalformedError, NotAllowedError, malformed_if
from lbstack.sandbox.kinds import task
from lbstack.sandbox.listing import PAGE_SIZE, Clause, both
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import DATASETS, USERS

_JOB = "add-data-rows-to-batch"  # the job, and the type of its task
_MOST_BATCHES = 10_000  # their names end in four digits
_AS_TEMPLATES = "RequeueDataWithLabelAsTemplate"

_ROWS = "dataRowIds: [ID!]\n  globalKeys: [ID!]\n  priority: Int!"
_CONSENSUS = "consensusSettings: ConsensusSettingsInput"

SDL = f"""
enum DeleteBatchLabelsType {{ RequeueData RequeueDataWithLabelAsTemplate }}
type Batch {{
  id: ID!
  name: String!
  size: Int!
  consensusSettingsJson: Json
  createdAt: DateTime!
  updatedAt: DateTime!
  createdBy: User
}}
type BatchPageInfo {{ endCursor: String }}
type BatchPage {{ nodes: [Batch!]!, pageInfo: BatchPageInfo! }}
type CreatedBatch {{ batch: Batch!, failedDataRowIds: [ID!]! }}
type BatchRef {{ id: ID! }}
type StartedTask {{ taskId: ID! }}
type BatchTask {{ batchUuid: ID!, taskId: ID! }}
type BatchTasks {{ tasks: [BatchTask!]! @listSize(assumedSize: 10) }}
type DeletedBatch {{ deletedBatchId: ID! }}
type DeletedBatchLabels {{ deletedLabelIds: [ID!]! }}
{BATCHES.where_sdl()}
input ConsensusSettingsInput {{ numberOfLabels: Int!, coveragePercentage: Float! }}
input CreateBatchInput {{
  name: String!
  {_ROWS}
  {_CONSENSUS}
}}
input CreateEmptyBatchInput {{ name: String!, {_CONSENSUS} }}
input AddDataRowsToBatchInput {{
  batchId: ID!
  {_ROWS}
}}
input CreateBatchesInput {{
  batchNamePrefix: String!
  {_ROWS}
  {_CONSENSUS}
}}
input CreateBatchesFromDatasetInput {{
  batchNamePrefix: String!
  datasetId: ID!
  priority: Int!
  {_CONSENSUS}
}}
input DeleteBatchLabelsInput {{ type: DeleteBatchLabelsType! }}
extend type Project {{ batches(where: BatchWhereInput, after: String, first: PageSize): BatchPage! }}
extend type ProjectActions {{
  createBatchV2(input: CreateBatchInput!): CreatedBatch
  createEmptyBatch(input: CreateEmptyBatchInput!): BatchRef
  addDataRowsToBatchAsync(input: AddDataRowsToBatchInput!): StartedTask
  createBatches(input: CreateBatchesInput!): BatchTasks
  createBatchesFromDataset(input: CreateBatchesFromDatasetInput!): BatchTasks
  removeQueuedDataRowsFromBatch(batchId: ID!): BatchRef
  deleteBatch(batchId: ID!): DeletedBatch
  deleteBatchLabels(batchId: ID!, data: DeleteBatchLabelsInput!): DeletedBatchLabels
}}
"""


@mutation("project.createBatchV2", MANAGE_PROJECTS)
def _create(project: Row, info: Info, input: Row) -> Row:
    """Make a batch and fill it at once; what could not be added is told, unless nothing could (6.8)."""
    context = info.context
    made = batches.make(context, project["id"], input["name"], input.get("consensusSettings"))
    ids = _asked(context, input)
    failed = batches.add(context, made, ids, input["priority"])
    return {"batch": batches.find(context, project["id"], made["id"]), "failedDataRowIds": failed}


@mutation("project.createEmptyBatch", MANAGE_PROJECTS)
def _create_empty(project: Row, info: Info, input: Row) -> Row:
    made = batches.make(info.context, project["id"], input["name"], input.get("consensusSettings"))
    return {"id": made["id"]}


@mutation("project.addDataRowsToBatchAsync", MANAGE_PROJECTS)
def _add(project: Row, info: Info, input: Row) -> Row:
    context = info.context
    batch = batches.find(context, project["id"], input["batchId"])
    ids = _asked(context, input)
    return {"taskId": _fill(context, batch, ids, input["priority"], made=False)}


@mutation("project.createBatches", MANAGE_PROJECTS)
def _create_many(project: Row, info: Info, input: Row) -> Row:
    return _split(info.context, project, input, _asked(info.context, input))


@mutation("project.createBatchesFromDataset", MANAGE_PROJECTS)
def _create_from_dataset(project: Row, info: Info, input: Row) -> Row:
    """Send those rows of a dataset that are in no batch of the project yet."""
    context = info.context
    dataset = context.find(DATASETS, input["datasetId"])
    sql = """SELECT id FROM data_rows WHERE datasetId = ? AND NOT EXISTS (SELECT 1 FROM project_rows
        WHERE projectId = ? AND dataRowId = data_rows.id AND batchId IS NOT NULL) ORDER BY place"""
    found = context.store.rows(sql, [dataset["id"], project["id"]])
    malformed_if(not found, batches.NONE_LEFT)
    return _split(context, project, input, [row["id"] for row in found])


def _asked(context: Context, input: Row) -> list[str]:
    ids = batches.named(context, input.get("dataRowIds"), input.get("globalKeys"))
    malformed_if(not ids, batches.NONE_GIVEN)
    return ids


def _split(context: Context, project: Row, input: Row, ids: Sequence[str]) -> Row:
    """Make as many batches as the rows need, ``PREFIX0000`` and so on, each filled by a task of its own."""
    parts = [ids[start : start + batches.MOST_ROWS] for start in range(0, len(ids), batches.MOST_ROWS)]
    malformed_if(len(parts) > _MOST_BATCHES, f"At most {_MOST_BATCHES} batches can be created at once")
    prefix = input["batchNamePrefix"]
    malformed_if(not prefix.strip(), "Batch name prefix must not be empty")
    tasks = []
    for place, part in enumerate(parts):
        batch = batches.make(context, project["id"], f"{prefix}{place:04d}", input.get("consensusSettings"))
        ident = _fill(context, batch, part, input["priority"], made=True)
        tasks.append({"batchUuid": batch["id"], "taskId": ident})
    return {"tasks": tasks}


def _fill(context: Context, batch: Row, ids: Sequence[str], priority: int, *, made: bool) -> str:
    """Begin the task that adds rows to a batch; with ``made`` an empty batch is not left behind."""
    told = {"project": batch["projectId"], "batch": batch["id"], "priority": priority, "made": made}
    return task.start_rows(context, _JOB, _JOB, f"Add data rows to batch {batch['name']}", ids, **told)


def _step(context: Context, payload: Row, ids: list[str]) -> int:
    batch = batches.find(context, payload["project"], payload["batch"])
    try:
        return len(ids) - len(batches.add(context, batch, ids, payload["priority"]))
    except batches.NothingToAddError:
        return 0


def _failed(context: Context, payload: Row) -> None:
    """Take back the batch that was made for a task, when nothing came into it."""
    sql = "SELECT * FROM batches WHERE id = ?"
    batch = context.store.row(sql, [payload["batch"]]) if payload["made"] else None
    if batch is not None and not batches.size(context, batch["id"]):
        batches.delete(context, batch)


@mutation("project.removeQueuedDataRowsFromBatch", MANAGE_PROJECTS)
def _remove_queued(project: Row, info: Info, batchId: str) -> Row:  # noqa: N803
    context = info.context
    batch = batches.find(context, project["id"], batchId)
    batches.remove_queued(context, batch)
    return {"id": batch["id"]}


@mutation("project.deleteBatch", MANAGE_PROJECTS)
def _delete(project: Row, info: Info, batchId: str) -> Row:  # noqa: N803
    """Delete a batch that has no labels; its data rows stay, and are no longer the project's."""
    context = info.context
    batch = batches.find(context, project["id"], batchId)
    if batches.labels(context, batch):
        raise NotAllowedError("A batch that has labels cannot be deleted")
    batches.delete(context, batch)
    return {"deletedBatchId": batch["id"]}


@mutation("project.deleteBatchLabels", MANAGE_PROJECTS)
def _delete_labels(project: Row, info: Info, batchId: str, data: Row) -> Row:  # noqa: N803
    """Delete the labels of a batch's rows, which wait to be labelled again."""
    context = info.context
    batch = batches.find(context, project["id"], batchId)
    found = batches.labels(context, batch)
    keeping.remove(context, found, as_templates=data["type"] == _AS_TEMPLATES)
    return {"deletedLabelIds": [each["id"] for each in found]}


def _page(
    project: Row, info: Info, where: Row | None = None, after: str | None = None, first: int | None = None
) -> Row:
    """A page of a project's batches, oldest first; the cursor outlives the batch it points to."""
    size = PAGE_SIZE if first is None else first
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise MalformedError(f"Invalid cursor: {after}")
    among = both(Clause("projectId = ?", [project["id"]]), Clause("place > ?", [int(after or 0)]))
    rows = info.context.page(BATCHES, where, first=size + 1, among=among, order="place")
    nodes = rows[:size]
    more = len(rows) > size and bool(nodes)
    return {"nodes": nodes, "pageInfo": {"endCursor": str(nodes[-1]["place"]) if more else None}}


def _consensus(batch: Row, _: Info) -> Row | None:
    if batch["numberOfLabels"] is None:
        return None
    return {
        "number_of_labels": batch["numberOfLabels"],
        "coverage_percentage": batch["coveragePercentage"],
    }


KIND = Kind(
    "batch",
    SDL,
    batches.TABLES,
    {
        "Project": {"batches": _page},
        "ProjectActions": {
            "createBatchV2": _create,
            "createEmptyBatch": _create_empty,
            "addDataRowsToBatchAsync": _add,
            "createBatches": _create_many,
            "createBatchesFromDataset": _create_from_dataset,
            "removeQueuedDataRowsFromBatch": _remove_queued,
            "deleteBatch": _delete,
            "deleteBatchLabels": _delete_labels,
        },
        "Batch": {
            "createdBy": to_one(USERS, "createdById"),
            "size": lambda batch, info: batches.size(info.context, batch["id"]),
            "consensusSettingsJson": _consensus,
        },
    },
    jobs={_JOB: task.over_rows(_step, batches.NONE_LEFT, _failed)},
)
