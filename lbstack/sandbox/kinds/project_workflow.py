"""A project's workflow as a graph of nodes and edges (API reference 1.7; an alpha of the vendor's).

It is made with the project and kept as it is written. What it says does not change which queues the project
has: those are the three it was made with.
"""

from __future__ import annotations

import json
from typing import Any

from lbstack.sandbox import workflow
from lbstack.sandbox.context import Context, Info, mutation
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import NotFoundError, malformed_if
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.scalars import kept
from lbstack.sandbox.store import Row
from lbstack.sandbox.tables import PROJECTS

TABLES = (
    """CREATE TABLE IF NOT EXISTS project_workflows (
        id TEXT PRIMARY KEY, config TEXT NOT NULL, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL)""",
)

_LABELING, _REWORK, _REVIEW = "initial_labeling_task", "initial_rework_task", "review_task"
_DONE, _SEND_BACK = "done", "send_to_rework"
_NODES = {_LABELING, _REWORK, _REVIEW, _DONE, _SEND_BACK, "logic", "custom_rework_task", "auto_qa"}
_MOST_NODES = 1_000

SDL = """
type ProjectWorkflow { projectId: ID!, config: Json!, createdAt: DateTime!, updatedAt: DateTime! }
input UpdateProjectWorkflowInput { projectId: ID!, config: Json!, routeDataRows: [Json!] }
extend type Query { projectWorkflow(projectId: ID!): ProjectWorkflow }
extend type Mutation { updateProjectWorkflow(input: UpdateProjectWorkflowInput!): ProjectWorkflow }
"""


def add_workflow(context: Context, project: str) -> None:
    """Give a new project the workflow that its queues stand for: label, review, rework, done."""
    kinds = {_LABELING: workflow.LABELING, _REWORK: workflow.REWORK, _REVIEW: workflow.REVIEW}
    ids = {node: str(workflow.queue_id(context, project, kind)) for node, kind in kinds.items()}
    ids |= {node: context.store.mint.uuid() for node in (_DONE, _SEND_BACK)}
    places = {
        _LABELING: (0, 0),
        _REWORK: (0, 200),
        _REVIEW: (250, 0),
        _DONE: (500, 0),
        _SEND_BACK: (500, 200),
    }
    edges = (
        (_LABELING, "out", _REVIEW), (_REWORK, "out", _REVIEW), (_REVIEW, "if", _DONE),
        (_REVIEW, "else", _SEND_BACK),
    )  # fmt: skip
    config = {
        "nodes": [
            {"id": ids[node], "definitionId": node, "position": {"x": x, "y": y}}
            for node, (x, y) in places.items()
        ],
        "edges": [_edge(ids[source], handle, ids[target]) for source, handle, target in edges],
    }
    put_workflow(context, project, json.dumps(config))


def put_workflow(context: Context, project: str, config: str) -> None:
    """Keep ``config``, as JSON text, as a project's workflow."""
    sql = """INSERT INTO project_workflows (id, config, createdAt, updatedAt) VALUES (?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET config = excluded.config, updatedAt = excluded.updatedAt"""
    context.store.run(sql, [project, config, context.now(), context.now()])


def copy_workflow(context: Context, project: str, copy: str) -> None:
    """Let a new project have the workflow of another; each node that stands for a queue, for its own."""
    text = json.dumps(read_workflow(context, project)["config"])
    for kind in (workflow.LABELING, workflow.REWORK, workflow.REVIEW):
        own, others = (str(workflow.queue_id(context, each, kind)) for each in (copy, project))
        text = text.replace(others, own)
    put_workflow(context, copy, text)


def _edge(source: str, handle: str, target: str) -> Row:
    ident = f"xy-edge__{source}{handle}-{target}in"
    ends = {"source": source, "target": target, "sourceHandle": handle, "targetHandle": "in"}
    return {"id": ident, **ends}


def read_workflow(context: Context, project: str) -> Row:
    """Return a project's workflow."""
    row = context.store.row("SELECT * FROM project_workflows WHERE id = ?", [project])
    if row is None:
        raise NotFoundError(f"Workflow not found: project {project}")
    return {**row, "projectId": project, "config": json.loads(row["config"])}


def _read(_: Any, info: Info, projectId: str) -> Row:  # noqa: N803
    return read_workflow(info.context, info.context.find(PROJECTS, projectId)["id"])


@mutation("updateProjectWorkflow", MANAGE_PROJECTS)
def _update(_: Any, info: Info, input: Row) -> Row:
    context = info.context
    project = context.find(PROJECTS, input["projectId"])
    context.touch(project["id"])
    # What else it may hold is not documented; the vendor's client sends none.
    malformed_if(bool(input.get("routeDataRows")), "routeDataRows must be empty")
    text = kept(input["config"], "config")
    _check(input["config"])
    put_workflow(context, project["id"], text)
    return read_workflow(context, project["id"])


def _check(config: Any) -> None:
    """Refuse what is no graph, or lacks the two nodes at which data rows enter."""
    nodes, edges = _objects(config, "nodes"), _objects(config, "edges")
    malformed_if(
        max(len(nodes), len(edges)) > _MOST_NODES, f"config has more than {_MOST_NODES} nodes or edges"
    )
    ids = [node.get("id") for node in nodes]
    malformed_if(not all(isinstance(ident, str) for ident in ids), "Every node needs an id")
    malformed_if(len(set(ids)) < len(ids), "The ids of nodes must be unique")
    kinds = [node.get("definitionId") for node in nodes]
    malformed_if(not all(isinstance(kind, str) and kind in _NODES for kind in kinds), "Unknown definitionId")
    for kind in (_LABELING, _REWORK):
        malformed_if(kinds.count(kind) != 1, f"A workflow needs exactly one node {kind}")
    for edge in edges:
        ends = (edge.get("source"), edge.get("target"))
        malformed_if(
            not all(isinstance(end, str) and end in set(ids) for end in ends), "An edge leads nowhere"
        )


def _objects(config: Any, name: str) -> list[Row]:
    found = config.get(name) if isinstance(config, dict) else None
    fits = isinstance(found, list) and all(isinstance(each, dict) for each in found)
    malformed_if(not fits, f"config.{name} must be a list of objects")
    return found or []


KIND = Kind(
    "project_workflow",
    SDL,
    TABLES,
    {"Query": {"projectWorkflow": _read}, "Mutation": {"updateProjectWorkflow": _update}},
)
