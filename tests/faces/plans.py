"""The ten plans that every face is shown with, and one of any size.

Most are made by planning on the sandbox; ids are numbered afresh in the order in which a plan tells them, so
that a face changes only when what it says does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from lbstack.errors import Problem
from lbstack.plan.changes import (
    ABSENT,
    Action,
    Change,
    Deposed,
    FieldChange,
    OutputChange,
    Pins,
    Plan,
    Refusal,
)
from lbstack.recover import Orphan
from lbstack.values import Address, Digest, Ref, Source, Unknown
from tests.conftest import World
from tests.meanwhile import bound_ids, happen, named

PINS = Pins("org", "sandbox", "lineage", 3)
ID = "c{:024d}"

TEETH = """stack: teeth
datasets:
  photos: {name: Photos, description: "Photos of teeth,\\ntaken in 2024\\nby two dentists"}
  xrays: {name: X-rays}
ontologies:
  damage:
    name: Tooth damage
    media_type: IMAGE
    tools:
      - {tool: polygon, name: Damage, color: "#ff3b30",
         classifications: [{type: checklist, name: Kind, options: [caries, {value: crack, label: Crack}]}]}
      - {tool: rectangle, name: Tooth}
    classifications:
      - {type: radio, name: "Is there damage?", options: [yes, no]}
projects:
  triage: {name: Triage, media_type: IMAGE, ontology: damage, datasets: [photos], quality: {mode: benchmark}}
members:
  ada@example.com: {projects: {triage: LABELER}}
  sue@example.com: {role: LABELER}
webhooks:
  done: {project: triage, url: "https://relay.example.com/done", topics: [LABEL_CREATED], secret: "${var.key}"}
variables: {key: {secret: true}}
outputs: {triage: "${project.triage.id}", fixed: one}
"""
SECRET = "a-secret-of-the-webhook"


def _teeth(world: World, *edits: tuple[str, str]) -> None:
    text = TEETH
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    world.variables = {"key": SECRET, **world.variables}
    world.write(bound_ids(world, named(world, text)))


def _applied(world: World) -> None:
    _teeth(world)
    assert not world.apply().failed


def empty(world: World) -> Plan:
    """Nothing to do, with what is awaited."""
    _applied(world)
    return world.plan()


def creates(world: World) -> Plan:
    """A first apply."""
    _teeth(world)
    return world.plan()


def updates(world: World) -> Plan:
    """A scalar, a text of several lines, a set, a map, an ontology in depth; some of it another hand's."""
    _applied(world)
    happen(
        world, 'mutation { updateDataset(where: {id: "<dataset.xrays>"}, data: {name: "Renamed"}) { id } }'
    )
    _teeth(
        world,
        ("taken in 2024\\nby two", "taken in 2025\\nby two"),
        ("datasets: [photos]", "datasets: [photos, xrays]"),
        ("{triage: LABELER}", "{triage: REVIEWER}"),
        ("topics: [LABEL_CREATED]", "topics: [LABEL_UPDATED, REVIEW_CREATED]"),
        ("label: Crack", "label: Cracked"),
        ("{tool: rectangle, name: Tooth}", "{tool: polygon, name: Jaw, color: '#00ff00', required: true}"),
        ('"Is there damage?"', '"Damaged?", previously: "Is there damage?"'),
        ("fixed: one", "fixed: two"),
    )
    return world.plan()


def replaces(world: World) -> Plan:
    """Another media type and another secret."""
    _applied(world)
    world.variables = {"key": "another-secret-of-the-webhook"}
    _teeth(world, ("media_type: IMAGE", "media_type: VIDEO"))
    return world.plan(refuse=False)


def deletes(world: World) -> Plan:
    """What holds rows leaves the stack, and a guard refuses."""
    _applied(world)
    for number in range(3):
        happen(world, {"add_row": {"dataset": "<dataset.xrays>", "url": f"https://example.com/{number}.jpg"}})
    _teeth(world, ("  xrays: {name: X-rays}\n", ""), ("  sue@example.com: {role: LABELER}\n", ""))
    return world.plan(refuse=False)


def moves(world: World) -> Plan:
    """One is forgotten, one comes from the workspace, one gets another address."""
    _applied(world)
    happen(world, 'mutation { createDataset(data: {name: "Made by hand"}) { id } }')
    _teeth(
        world,
        ("  xrays: {name: X-rays}\n", "  made: {name: Made by hand, description: Now ours}\n"),
        ("  photos: {", "  pictures: {"),
        ("datasets: [photos]", "datasets: [pictures]"),
        (
            "outputs:",
            "moved: [{from: dataset.photos, to: dataset.pictures}]\n"
            "removed: [{address: dataset.xrays, destroy: false}]\n"
            'imports: [{address: dataset.made, id: "<the dataset Made by hand>"}]\noutputs:',
        ),
    )
    return world.plan()


def missing(world: World) -> Plan:
    """Somebody deleted what the stack names."""
    _applied(world)
    happen(world, 'mutation { updateDataset(where: {id: "<dataset.xrays>"}, data: {deleted: true}) { id } }')
    return world.plan(refuse=False)


def orphans(world: World) -> Plan:
    """What was made twice, what an interrupted replacement left, what cannot be destroyed."""
    bucket = Address("integration", "bucket")
    return Plan(
        "teeth",
        PINS,
        (),
        deposed=(
            Deposed(Address("project", "triage"), ID.format(1), {"name": "Triage"}),
            Deposed(bucket, ID.format(2), {}, forgets=True),
        ),
        orphans=(
            Orphan(Address("dataset", "photos"), ID.format(3), "Photos"),
            Orphan(bucket, ID.format(4), "Bucket [lbstack #0a]"),
        ),
        notes=("dataset.photos had been made by an apply that never heard of it (c5): it is taken over.",),
        recovered=((Address("dataset", "photos"), "c5"),),
    )


HOSTILE = [
    "</details><script>alert(1)</script>", "```\n# Owned\n<img src=https://evil.example/x.png onerror=alert(1)>", "<!-- lbstack:plan other -->",
    "-->", "@everyone", "org/repo#123 and #1", "[link](https://evil.example) ![image](https://evil.example/x.png)", "a | b \\| c",
    '"]; click n0 "https://evil.example"; n1["', "::error file=x::owned", "##[error]owned", "\x1b[2J\u202eевил\u2028", "{{ 7 * 7 }}${{ secrets.X }}",
    "=HYPERLINK(\"https://evil.example\")", "`a` ``b``", "&lt;b&gt;", "' onmouseover='alert(1)", "javascript:alert(1)", "x" * 400,
]  # fmt: skip


def hostile(world: World) -> Plan:
    """Names and values that try to be something else, everywhere where a plan has a name or a value."""
    changes = []
    actions = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE)
    for number, text in enumerate(HOSTILE):
        address, action = Address("dataset", f"{text}{number}"), actions[number % 4]
        changes.append(
            Change(
                address,
                action,
                reason=text,
                id=None if action is Action.CREATE else text,
                before={"name": text} if action is not Action.CREATE else None,
                after={"name": text + "!", text: text} if action is not Action.DELETE else None,
                fields=(
                    FieldChange(("name",), text, text + "\n!", replaces=action is Action.REPLACE),
                    FieldChange(("map", text), ABSENT, {text: {text: text}}, note=text),
                )
                if action in (Action.UPDATE, Action.REPLACE)
                else (),
                needs=tuple(change.address for change in changes[-2:]),
                contents=2 if action is Action.DELETE else 0,
                holds="rows",
                source=Source(text, 1, 1),
            )
        )
    return Plan(
        HOSTILE[0] + HOSTILE[2],
        PINS,
        tuple(changes),
        outputs=tuple(OutputChange(text, text, text + "!") for text in HOSTILE),
        notes=tuple(HOSTILE),
        moves=tuple((Address("dataset", text), Address("dataset", text + "2")) for text in HOSTILE),
        orphans=tuple(Orphan(Address("dataset", text), text, text) for text in HOSTILE),
        deposed=tuple(Deposed(Address("dataset", text), text, {text: text}) for text in HOSTILE),
        refusals=tuple(
            Refusal(Problem(text, text, Source(text, 1, 1), Address("dataset", text))) for text in HOSTILE
        ),
    )


def secrets(world: World) -> Plan:
    """What is sensitive and what is not known yet, alone and inside of lists and maps."""
    one, two = Digest("aa" * 32), Digest("bb" * 32)
    photos, hook = Address("dataset", "photos"), Address("webhook", "hook")
    unknown = Unknown(Ref(photos))
    made = Change(photos, Action.CREATE, after={"id": Unknown(), "name": "Photos", "token": one})
    lines = (
        FieldChange(("secret",), one, two),
        FieldChange(("headers", "Authorization"), one, ABSENT),
        FieldChange(("headers", "X-Key"), ABSENT, two),
        FieldChange(("project",), None, unknown),
        FieldChange(("lists",), [one, "plain"], [two, unknown, {"deep": one}]),
        FieldChange(("roles", unknown), ABSENT, "LABELER"),
    )
    changed = Change(
        hook,
        Action.UPDATE,
        id=ID.format(1),
        before={"secret": one, "headers": {"Authorization": one}, "project": None, "lists": [one, "plain"]},
        after={
            "secret": two,
            "headers": {"X-Key": two},
            "project": unknown,
            "lists": [two, unknown, {"deep": one}],
            "roles": {unknown: "LABELER"},
            "url": "https://relay.example.com",
        },
        fields=lines,
        needs=(photos,),
    )
    outputs = (OutputChange("photos", ABSENT, unknown), OutputChange("url", "a", Unknown()))
    return Plan("secrets", PINS, (made, changed), outputs=outputs)


PLANS: dict[str, Callable[[World], Plan]] = {
    make.__name__: make
    for make in (empty, creates, updates, replaces, deletes, moves, missing, orphans, hostile, secrets)
}


def settled(plan: Plan, folder: str) -> Plan:
    """The plan with ids of its own, in the order in which it tells them, and without wishes: they may hold
    secrets, and no face looks at them. Files are told as they would be in that folder."""
    numbers: dict[str, str] = {}

    def numbered(value: Any) -> Any:
        if isinstance(value, str) and not isinstance(value, Enum):
            return re.sub(
                r"\bc[0-9a-z]{24}\b",
                lambda found: numbers.setdefault(found[0], ID.format(len(numbers) + 1)),
                value.replace(f"{folder}/", ""),
            )
        if isinstance(value, Mapping):
            return {numbered(key): numbered(item) for key, item in value.items()}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(numbered, value))
        if isinstance(value, (list, tuple)):
            return type(value)(map(numbered, value))
        if is_dataclass(value) and not isinstance(value, type) and fields(value):
            return replace(value, **{f.name: numbered(getattr(value, f.name)) for f in fields(value)})
        return value

    bare = tuple(replace(change, want=None, memory={}) for change in plan.changes)
    again = numbered(replace(plan, changes=bare, output_wants={}, seen={}))
    assert isinstance(again, Plan)
    return again


def large(count: int) -> Plan:
    """A plan of so many changes, of every kind of change, that depend on each other."""
    actions = [Action.CREATE, Action.UPDATE, Action.UPDATE, Action.CREATE, Action.REPLACE, Action.DELETE]
    changes: list[Change] = []
    for number in range(count):
        action = actions[number % len(actions)]
        kind = ("dataset", "project", "ontology", "webhook")[number % 4]
        after = {
            "id": ID.format(number),
            "name": f"Resource {number}",
            "description": f"What is kept\nfor number {number}",
            "tools": {
                f"polygon {n}": {"tool": "polygon", "name": str(n), "color": "#ff0000"} for n in range(4)
            },
        }
        before = {**after, "name": f"Resource {number} as it was", "description": "What is kept\nfor nobody"}
        lines = (
            FieldChange(("name",), before["name"], after["name"], replaces=action is Action.REPLACE),
            FieldChange(("description",), before["description"], after["description"]),
            FieldChange(("tools", "polygon 1", "color"), "#00ff00", "#ff0000"),
        )
        changes.append(
            Change(
                Address(kind, f"resource-{number}"),
                action,
                id=None if action is Action.CREATE else ID.format(number),
                before=None if action is Action.CREATE else before,
                after=None if action is Action.DELETE else after,
                fields=lines if action in (Action.UPDATE, Action.REPLACE) else (),
                needs=tuple(changes[-n].address for n in (1, 7) if len(changes) >= n and number % 3),
            )
        )
    return Plan("large", PINS, tuple(changes))
