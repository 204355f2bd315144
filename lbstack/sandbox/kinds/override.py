"""Labeling parameter overrides: which data row is labelled first, and how often (API reference 1.7).

Two generations set them: by data row id with a number of labels, and by id or global key without. Setting
succeeds also for data rows that do not exist. A row of a batch is listed with its batch's priority.
"""

from __future__ import annotations

from typing import Any

from lbstack.sandbox import batches, workflow
from lbstack.sandbox.context import Info, mutation, to_one
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.errors import malformed_if
from lbstack.sandbox.kinds.data_row import DATA_ROWS
from lbstack.sandbox.listing import PAGING, Clause, Table
from lbstack.sandbox.roles import MANAGE_PROJECTS
from lbstack.sandbox.store import Row

_MOST = 1_000

# What is listed: a row that has a priority.
_OVERRIDES = Table("project_rows", "LabelingParameterOverride")

SDL = f"""
type LabelingParameterOverride {{ id: ID!, priority: Int!, numberOfLabels: Int!, dataRow: DataRow! }}
type OverridesSet {{ success: Boolean! }}
type AllOverridesUnset {{ success: Boolean!, deletedCount: Int! }}
input LabelingParameterOverrideInput {{ dataRow: WhereUniqueIdInput!, priority: Int!, numLabels: Int }}
input LabelingParameterOverrideIdentifierInput {{ id: ID!, idType: IdType! }}
input LabelingParameterOverrideByIdentifierInput {{
  dataRowIdentifier: LabelingParameterOverrideIdentifierInput!
  priority: Int!
  "Taken for the sake of older clients, and ignored."
  numLabels: Int
}}
input UnsetLabelingParameterOverrideInput {{ dataRowId: ID! }}
extend type Project {{ labelingParameterOverrides({PAGING}): [LabelingParameterOverride!] }}
extend type ProjectActions {{
  setLabelingParameterOverrides(
    data: [LabelingParameterOverrideInput!]
    dataWithDataRowIdentifiers: [LabelingParameterOverrideByIdentifierInput!]
  ): OverridesSet
  unsetLabelingParameterOverrides(data: [UnsetLabelingParameterOverrideInput!]!): OverridesSet
  unsetAllLabelingParameterOverrides: AllOverridesUnset
}}
"""


@mutation("project.setLabelingParameterOverrides", MANAGE_PROJECTS)
def _set(
    project: Row,
    info: Info,
    data: list[Row] | None = None,
    dataWithDataRowIdentifiers: list[Row] | None = None,  # noqa: N803
) -> Row:
    context, named = info.context, dataWithDataRowIdentifiers
    malformed_if(data is None and named is None, "data or dataWithDataRowIdentifiers must be given")
    _check_count([*(data or ()), *(named or ())])
    told = [(each["dataRow"]["id"], each["priority"], each.get("numLabels")) for each in data or ()]
    malformed_if(
        any(labels is not None and labels < 1 for *_, labels in told), "numLabels must be at least 1"
    )
    asked = [(each["dataRowIdentifier"], each["priority"]) for each in named or ()]
    keys = [told["id"] for told, _ in asked if told["idType"] == "GKEY"]
    found = batches.by_keys(context, keys)
    for identifier, priority in asked:
        ident = identifier["id"] if identifier["idType"] == "ID" else found.get(identifier["id"])
        if ident is not None:
            told.append((ident, priority, None))
    context.touch(project["id"])
    workflow.override(context, project["id"], told)
    return {"success": True}


@mutation("project.unsetLabelingParameterOverrides", MANAGE_PROJECTS)
def _unset(project: Row, info: Info, data: list[Row]) -> Row:
    _check_count(data)
    info.context.touch(project["id"])
    workflow.unset(info.context, project["id"], [each["dataRowId"] for each in data])
    return {"success": True}


@mutation("project.unsetAllLabelingParameterOverrides", MANAGE_PROJECTS)
def _unset_all(project: Row, info: Info) -> Row:
    info.context.touch(project["id"])
    return {"success": True, "deletedCount": workflow.unset(info.context, project["id"])}


def _check_count(data: list[Row]) -> None:
    malformed_if(len(data) > _MOST, f"At most {_MOST} data rows can be included at once")


def _overrides(project: Row, info: Info, **page: Any) -> list[Row]:
    context = info.context
    among = Clause("projectId = ? AND priority IS NOT NULL", [project["id"]])
    return context.page(_OVERRIDES, **page, among=among, order="place")


KIND = Kind(
    "override",
    SDL,
    (),
    {
        "Project": {"labelingParameterOverrides": _overrides},
        "ProjectActions": {
            "setLabelingParameterOverrides": _set,
            "unsetLabelingParameterOverrides": _unset,
            "unsetAllLabelingParameterOverrides": _unset_all,
        },
        "LabelingParameterOverride": {
            "numberOfLabels": lambda row, _: row["numberOfLabels"] or 1,
            "dataRow": to_one(DATA_ROWS, "dataRowId"),
        },
    },
)
