"""Datasets: a name, a description, and the integration that signs the URLs of its rows.

API reference 1.1 (operations), 6.2 (soft delete), 6.3 (what may change).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from lbstack.errors import ChecksFailed
from lbstack.kinds.contract import Fields, Kind, Live, Reading, Search, Tracked, Work
from lbstack.kinds.fields import RefTo, Spec, Text
from lbstack.kinds.marks import (
    MARKER,
    retagged,
    tag_of,
    tagged,
    tagged_sighting,
    untagged,
    updated,
    without_tag,
)
from lbstack.kinds.reading import made_since, read_listed

CREATE = """mutation CreateDataset($name: String!, $description: String!) {
  createDataset(data: {name: $name, description: $description}) { id }
}"""
UPDATE = """mutation UpdateDataset($id: ID!, $name: String, $description: String) {
  updateDataset(where: {id: $id}, data: {name: $name, description: $description}) { id }
}"""
DELETE = """mutation DeleteDataset($id: ID!) {
  updateDataset(where: {id: $id}, data: {deleted: true}) { id }
}"""
SET_SIGNER = """mutation SetSigner($id: ID!, $signer: ID!) {
  setSignerForDataset(where: {id: $id}, data: {signerId: $signer}) { id }
}"""
CLEAR_SIGNER = """mutation ClearSigner($id: ID!) { clearSignerForDataset(where: {id: $id}) { id } }"""
ROWS = """query CountRows($id: ID!) { dataset(where: {id: $id}) { id rowCount } }"""
VALIDATE = """mutation ValidateDataset($id: ID!) {
  validateDataset(where: {id: $id}) { valid checks { name success } }
}"""
SELECTION = "id name description updatedAt rowCount signer { id }"


class DatasetSpec(Spec):
    """A collection of data rows."""

    name: Text = Field(description="Shown in Labelbox; names need not be unique")
    description: Text | None = Field(None, description="null says none")
    integration: Annotated[str, RefTo("integration", waits=True)] | None = Field(
        None, description="The integration that signs the URLs of the rows; null says none"
    )


class Dataset(Kind):
    """Soft-deleted; a dataset that holds rows is validated when its signer changes."""

    name, plural, Spec = "dataset", "datasets", DatasetSpec
    holds, lost = "rows", "its rows do not come back"
    tags = True

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        want = super().wanted(key, spec)
        if "description" in want:
            want["description"] = without_tag(want["description"]) or ""
        return want

    def natural(self, key: str, want: Fields) -> Fields:
        return {"name": want["name"]}

    def search(self, since: str | None, lost: bool) -> Search:
        nodes = yield from made_since("datasets", "id name description createdAt createdBy { id }", since)
        return [tagged_sighting(node, {"name": node["name"]}) for node in nodes]

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        return (yield from read_listed(tracked, "dataset", "datasets", SELECTION, _live))

    async def create(self, work: Work, want: Fields) -> Fields:
        description = want.get("description", "")
        tag = tagged(description, work.owner, work.marker)
        answer = await work.wire.mutate(CREATE, name=want["name"], description=tag)
        id = answer["createDataset"]["id"]
        work.made(id, name=want["name"], description=description)
        if want.get("integration"):
            await _sign(work, id, want["integration"])
        return {}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        names = {key: want[key] for key in ("name", "description") if key in changed}
        if "description" in names:
            names["description"] = retagged(work, names["description"], have)
        if names:  # a variable that is left out leaves its field alone
            await work.wire.mutate(UPDATE, id=id, **names)
            work.did("name", "description")
        if "integration" in changed:
            await _sign(work, id, want["integration"])
        return {}

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        await work.wire.mutate(DELETE, id=id)

    async def count(self, work: Work, id: str) -> int:
        return await _rows(work, id)


def _live(node: dict[str, Any]) -> Live:
    owner, marker = tag_of(node["description"])
    return Live(
        node["id"],
        {
            "name": node["name"],
            "description": untagged(node["description"] or ""),
            "integration": (node["signer"] or {}).get("id"),
            MARKER: marker,
        },
        contents=node["rowCount"] or 0,
        stake=node["rowCount"] or 0,
        updated=updated(node),
        owner=owner,
    )


async def _rows(work: Work, id: str) -> int:
    return int((await work.wire.query(ROWS, id=id))["dataset"]["rowCount"] or 0)


async def _sign(work: Work, id: str, signer: str | None) -> None:
    """Set or clear the signer; validate where that tells something (API reference 1.2: with rows)."""
    if signer is None:
        await work.wire.mutate(CLEAR_SIGNER, id=id)
        return
    await work.wire.mutate(SET_SIGNER, id=id, signer=signer)
    if await _rows(work, id):
        outcome = (await work.wire.mutate(VALIDATE, id=id))["validateDataset"]
        failed = [(check["name"], "") for check in outcome["checks"] if not check["success"]]
        if failed or not outcome["valid"]:
            raise ChecksFailed(str(work.address), failed, "mend the bucket or the role, then run apply again")
