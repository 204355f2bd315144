"""Projects: what is labelled (datasets), with what (an ontology), how carefully (quality, review).

API reference 1.3 and 1.4 (operations, editor set-up), 1.7 (review step), 6.2 (soft delete), 6.3 (what
may change), 6.4 (the share to review cannot be read back).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from lbstack.errors import NotFound
from lbstack.kinds import editor
from lbstack.kinds.contract import Ask, Fields, Kind, Live, Reading, Reply, Search, Sighting, Tracked, Work
from lbstack.kinds.fields import (
    Distinct,
    Immutable,
    LowerCase,
    RefTo,
    Spec,
    Text,
    Unordered,
    UpperCase,
    WriteOnly,
)
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
from lbstack.kinds.ontology.fields import MediaType
from lbstack.kinds.reading import (
    PAGE,
    by_id_ask,
    listed_then_by_id,
    made_since,
    page_ask,
    settle,
    until_short,
)
from lbstack.values import Ref

CREATE = """mutation CreateProject(
  $name: String!, $description: String!, $mediaType: MediaType!, $labels: Int!, $coverage: Float!,
  $benchmark: Boolean!, $consensus: Boolean!
) {
  createProject(data: {
    name: $name, description: $description, allowedMediaType: $mediaType, autoAuditNumberOfLabels: $labels,
    autoAuditPercentage: $coverage, isBenchmarkEnabled: $benchmark, isConsensusEnabled: $consensus
  }) { id }
}"""
# A variable that is not sent leaves its field out: only what changed is written.
UPDATE = """mutation UpdateProject(
  $id: ID!, $name: String, $description: String, $mediaType: MediaType, $labels: Int, $coverage: Float
) {
  updateProject(where: {id: $id}, data: {
    name: $name, description: $description, allowedMediaType: $mediaType, autoAuditNumberOfLabels: $labels,
    autoAuditPercentage: $coverage
  }) { id }
}"""
DELETE = """mutation DeleteProject($id: ID!) {
  updateProject(where: {id: $id}, data: {deleted: true}) { id }
}"""
CHANGE_DATASETS = """mutation ChangeDatasets(
  $id: ID!, $come: [WhereUniqueIdInput!], $gone: [WhereUniqueIdInput!]
) {
  updateProject(where: {id: $id}, data: {datasets: {connect: $come, disconnect: $gone}}) { id }
}"""
SET_REVIEW = """mutation SetReview($id: ID!, $share: Float!) {
  upsertReviewQueue(where: {project: {id: $id}}, data: {quotaFactor: $share}) { id }
}"""
LABELS = """query CountLabels($id: ID!) { project(where: {id: $id}) { id labelCount } }"""
END_REVIEW = """mutation EndReview($id: ID!) { deleteReviewQueue(where: {project: {id: $id}}) { id } }"""

FEW = 20
"""Datasets that are read with each project; a project that has so many is asked for the rest."""

SELECTION = f"""id name description updatedAt allowedMediaType autoAuditNumberOfLabels autoAuditPercentage
  isBenchmarkEnabled isConsensusEnabled labelCount ontology {{ id }}
  datasets(where: {{deleted: false}}, skip: 0, first: {FEW}) {{ id rowCount }}"""

BENCHMARK = {"labels": 1, "coverage": 1.0}
CONSENSUS = {"labels": 3, "coverage": 0.0}
"""What the service's own client sends for each quality mode (API reference 1.3)."""
PARTS = {"name": "name", "description": "description", "media_type": "mediaType"}


class Quality(Spec):
    """How agreement is measured: against a reference label, or between several labels of an asset."""

    mode: Annotated[Literal["benchmark", "consensus"], LowerCase]
    labels: int = Field(default=3, ge=1, description="consensus: labels for each covered asset")
    coverage: float = Field(default=0.0, ge=0, le=1, description="consensus: share of assets, 0..1")

    @model_validator(mode="after")
    def _only_consensus_counts(self) -> Quality:
        if self.mode == "benchmark" and self.model_fields_set - {"mode"}:
            raise ValueError("labels and coverage belong to mode: consensus")
        return self


class ProjectSpec(Spec):
    """A place where data is labelled."""

    name: Text = Field(description="Shown in Labelbox; names need not be unique")
    description: Text | None = Field(None, description="null says none")
    media_type: Annotated[MediaType, Immutable(once_used=True), UpperCase] = Field(
        description="What is labelled; cannot change once there are rows or labels"
    )
    quality: Annotated[Quality, Immutable(parts=("mode",))] = Field(
        default_factory=lambda: Quality(mode="benchmark"),
        description="benchmark (as made without) or consensus, for the project's whole life",
    )
    ontology: Annotated[str, RefTo("ontology")] | None = Field(None, description="null says none")
    datasets: Annotated[list[Annotated[str, RefTo("dataset")]], Unordered(), Distinct] | None = Field(
        None, description="The datasets whose rows are labelled"
    )
    review: Annotated[float, WriteOnly(), Field(ge=0, le=1)] | None = Field(
        None, description="Share of assets to review, 0..1; null: no review step"
    )


class Project(Kind):
    """Soft-deleted; holds labels, and queues the rows of its datasets."""

    name, plural, Spec = "project", "projects", ProjectSpec
    holds, lost = "labels", "its labels do not come back"
    tags = True

    def wanted(self, key: str, spec: BaseModel) -> Fields:
        want = super().wanted(key, spec)
        empty = {"description": "", "datasets": []}
        want.update({name: none for name, none in empty.items() if name in want and want[name] is None})
        if "description" in want:
            want["description"] = without_tag(want["description"])
        if "quality" in want:
            want["quality"] = want["quality"].model_dump(exclude_unset=True)
        return want

    def natural(self, key: str, want: Fields) -> Fields:
        return {"name": want["name"]}

    def search(self, since: str | None, lost: bool) -> Search:
        nodes = yield from made_since("projects", "id name description createdAt createdBy { id }", since)
        return [_sighted(node) for node in nodes]

    def check(self, key: str, want: Fields, find: Callable[[Ref], Fields | None]) -> list[tuple[str, str]]:
        ref, ours = want.get("ontology"), want.get("media_type")
        if not isinstance(ref, Ref) or ours is None:
            return []
        # One without a media type fits every project (API reference 1.4).
        theirs = (find(ref) or {}).get("media_type")
        if theirs in (None, ours):
            return []
        return [("ontology", f"{ref.address} is for {theirs}, the project for {ours}")]

    def align(self, want: Fields, have: Fields) -> Fields:
        """Of the quality settings only those that are written are managed."""
        written = want.get("quality")
        if not written or "quality" not in have:
            return have
        return {**have, "quality": {part: v for part, v in have["quality"].items() if part in written}}

    def read(self, tracked: Sequence[Tracked]) -> Reading:
        raw = yield from listed_then_by_id(
            tracked,
            lambda skip: page_ask("projects", SELECTION, skip, cost=5 * PAGE),
            lambda data: list(data),
            lambda id: by_id_ask("project", SELECTION, id, cost=5),
        )
        known = {item.id: len(item.known["datasets"]) for item in tracked if item.known.get("datasets")}
        yield from _rest_of_datasets(raw, known)
        return settle(tracked, raw, _live)

    async def create(self, work: Work, want: Fields) -> Fields:
        quality = want.get("quality", {"mode": "benchmark"})
        consensus = quality["mode"] == "consensus"
        answer = await work.wire.mutate(
            CREATE,
            name=want["name"],
            description=tagged(want.get("description", ""), work.owner, work.marker),
            mediaType=want["media_type"],
            **{**(CONSENSUS if consensus else BENCHMARK), **_counts(quality)},
            benchmark=not consensus,
            consensus=consensus,
        )
        id = answer["createProject"]["id"]
        later = {n for n in ("ontology", "datasets", "review") if want.get(n) not in (None, [])}
        if "ontology" in later:
            note = editor.expected(id, want["name"], work.wire.server_now(), want["ontology"])
            work.memory.update(note)
        work.made(id, **{name: value for name, value in want.items() if name not in later})
        await _relate(work, id, {"datasets": []}, want, later)
        await editor.drop_left(work)
        return {}

    async def update(self, work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> Fields:
        data = {told: want[name] for name, told in PARTS.items() if name in changed}
        if "description" in data:
            data["description"] = retagged(work, data["description"], have)
        if "quality" in changed:
            data.update(_counts(want["quality"]))
        if data:
            await work.wire.mutate(UPDATE, id=id, **data)
        work.did(*(changed & {*PARTS, "quality"}))
        await _relate(work, id, have, want, changed)
        return {}

    def leaves(self, id: str, memory: Fields) -> bool:
        return editor.found(id, memory)

    async def delete(self, work: Work, id: str, have: Fields) -> None:
        await editor.find_own(work, id)
        try:
            await work.wire.mutate(DELETE, id=id)
        except NotFound:  # or an apply was cut off between the two
            await editor.drop_own(work, id)
            raise
        await editor.drop_own(work, id)

    async def count(self, work: Work, id: str) -> int:
        try:
            return int((await work.wire.query(LABELS, id=id))["project"]["labelCount"] or 0)
        except NotFound:
            if self.leaves(id, work.memory):
                return 0
            raise


def _sighted(node: dict[str, Any]) -> Sighting:
    """A project as a search saw it: how far its editor was set up, whoever made it did not tell."""
    seen = tagged_sighting(node, {"name": node["name"]})
    return replace(seen, memory=editor.expected(seen.id, seen.name, seen.created))


def _counts(quality: Fields) -> Fields:
    return {name: value for name, value in quality.items() if name != "mode"}


def _live(node: dict[str, Any]) -> Live:
    datasets = node["datasets"] or []
    owner, marker = tag_of(node["description"])
    modes = {"benchmark": node["isBenchmarkEnabled"], "consensus": node["isConsensusEnabled"]}
    return Live(
        node["id"],
        {
            "name": node["name"],
            "description": untagged(node["description"] or ""),
            MARKER: marker,
            "media_type": node["allowedMediaType"],
            "quality": {
                "mode": " and ".join(mode for mode, on in modes.items() if on) or "none",
                "labels": node["autoAuditNumberOfLabels"],
                "coverage": node["autoAuditPercentage"],
            },
            "ontology": (node["ontology"] or {}).get("id"),
            "datasets": [dataset["id"] for dataset in datasets],
        },
        # Rows count as well as labels: with either, the media type is fixed (API reference 6.3).
        contents=(node["labelCount"] or 0) + sum(dataset["rowCount"] or 0 for dataset in datasets),
        # What goes with a project are its labels alone: rows stay in their datasets, and no source says
        # that a dataset which is disconnected takes labels along (API reference 6.2).
        stake=node["labelCount"] or 0,
        updated=updated(node),
        owner=owner,
    )


def _rest_of_datasets(
    raw: dict[str, dict[str, Any] | None], known: dict[str | None, int]
) -> Generator[list[Ask], list[Reply], None]:
    """Complete the projects of which only the first datasets were read; `known` is how many they had."""
    full = [id for id, node in raw.items() if node and len(node["datasets"] or []) >= FEW]
    if not full:
        return
    rest = yield from until_short(
        {id: _datasets_page(id) for id in full},
        lambda data: data["datasets"] or [],
        "datasets of a project",
        skip=FEW,
        expected={id: max(known[id] - FEW, 0) for id in full if id in known},
    )
    for id, more in rest.items():
        node = raw[id]
        if node is None or more is None:
            raw[id] = None
        else:
            node["datasets"] = [*node["datasets"], *more]


def _datasets_page(id: str) -> Callable[[int, int], Ask]:
    def page(skip: int, first: int) -> Ask:
        datasets = f"datasets(where: {{deleted: false}}, skip: $skip, first: {first}) {{ id rowCount }}"
        text = f"project(where: {{id: $id}}) {{ id {datasets} }}"
        return Ask(text, {"id": ("ID!", id), "skip": ("Int!", skip)}, 1 + first)

    return page


async def _relate(work: Work, id: str, have: Fields, want: Fields, changed: set[str]) -> None:
    """Bring what a project is connected to, and its review step, to what is wanted."""
    if "ontology" in changed:
        if want["ontology"] is None:
            await editor.disconnect(work, id)
        else:
            await editor.connect(work, id, want["name"], want["ontology"])
        work.did("ontology")
    if "datasets" in changed:
        come = [{"id": one} for one in want["datasets"] if one not in have["datasets"]]
        gone = [{"id": one} for one in have["datasets"] if one not in want["datasets"]]
        lists = {name: some for name, some in {"come": come, "gone": gone}.items() if some}
        if lists:
            await work.wire.mutate(CHANGE_DATASETS, id=id, **lists)
        work.did("datasets")
    if "review" in changed:
        await _set_review(work, id, want["review"])
        work.did("review")


async def _set_review(work: Work, id: str, share: float | None) -> None:
    if share is not None:
        await work.wire.mutate(SET_REVIEW, id=id, share=share)
        return
    with suppress(NotFound):  # the review step is off already
        await work.wire.mutate(END_REVIEW, id=id)
