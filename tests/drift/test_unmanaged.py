"""What is in the workspace and in no state: found, counted, ignored by pattern, told as another stack's."""

from __future__ import annotations

import json

import jsonschema
import pytest

from lbstack.kinds import KINDS
from lbstack.kinds.contract import Sighting
from lbstack.plan.drift import DriftReport
from lbstack.plan.unmanaged import Unmanaged, unmanaged
from lbstack.rebuild import census
from lbstack.render.drift import coverage, unmanaged_lines
from lbstack.render.drift_json import drift_document
from lbstack.render.drift_markdown import WaysOut, drift_markdown
from lbstack.render.json import schema
from lbstack.stack.ignore import Ignored, parse
from lbstack.values import Address
from tests.cli.conftest import STACK, Cli, graphql, served
from tests.conftest import World
from tests.meanwhile import happen

__all__ = ["served"]

PATTERNS = [
    ("dataset.*", True),
    ("dataset.Old", True),
    ("*.Old", True),
    ("c123", True),
    ("c12?", True),
    ("c[0-9]*", True),
    ("dataset.[ON]ld", True),
    ("project.*", False),
    ("dataset.old", False),
    ("Old", False),
    ("# dataset.*", False),
    ("", False),
    ("dataset.Old   ", True),
    ("dataset.*\n!dataset.Old", False),
    ("!dataset.Old\ndataset.*", True),
    ("*\n!dataset.*\ndataset.O*", True),
    ("\\!x", False),
    ("dataset.\\*", False),
    ("dataset.*\r", True),
]


@pytest.mark.parametrize(("text", "ignored"), PATTERNS)
def test_the_last_pattern_that_fits_counts(text: str, ignored: bool) -> None:
    assert parse(text.split("\n")).has("dataset.Old", "c123") is ignored


def test_what_a_backslash_precedes_stands_for_itself() -> None:
    assert parse(["dataset.\\*"]).has("dataset.*") and not parse(["dataset.\\*"]).has("dataset.x")
    assert parse(["\\#1"]).has("#1") and parse(["\\!1"]).has("!1")


def found(world: World, ignored: Ignored | None = None) -> Unmanaged:
    state = world.state
    seen = world.wired(lambda wire: census(KINDS, wire, state.organization))
    return unmanaged(seen, [state], KINDS, (ignored or Ignored()).has)


def test_everything_there_is_counted_kind_by_kind(world: World) -> None:
    world.write(
        "stack: test\ndatasets:\n  d: {name: Mine}\nmembers:\n  m@example.com: {role: LABELER}\n"
        "integrations:\n  i: {provider: aws, name: I}\nontologies:\n  o: {name: O}\n"
    )
    world.apply()
    for name in ("Theirs", "Old"):
        world.graphql("mutation($n: String!) { createDataset(data: {name: $n}) { id } }", n=name)
    tag = "Of others\n\n[lbstack other/dataset.x #" + "0" * 32 + "]"
    world.graphql('mutation($d: String!) { createDataset(data: {name: "X", description: $d}) { id } }', d=tag)
    told = found(world)
    assert [(each.kind, each.name) for each in told.objects if each.kind == "dataset"] == [
        ("dataset", "Old"), ("dataset", "Theirs"),
    ]  # fmt: skip
    assert [(each.name, each.owner) for each in told.others] == [("X", "other/dataset.x")]
    assert told.kinds["dataset"] == (2, 4)
    assert told.kinds["ontology"] == told.kinds["integration"] == (1, 1)
    assert told.kinds["member"] == (1, 2)  # and who owns the key
    assert (told.managed, told.total) == (5, 8)
    less = found(world, parse(["dataset.*", "!dataset.Old"]))
    assert [each.name for each in less.objects if each.kind == "dataset"] == ["Old"]
    assert less.ignored == 2 and less.kinds["dataset"] == (1, 2)


def test_who_accepted_an_invitation_is_managed_though_state_knows_the_invitation(world: World) -> None:
    world.write("stack: test\nmembers:\n  M@example.com: {role: LABELER}\n")
    world.apply()
    happen(world, {"accept_invite": "M@example.com"})
    assert found(world).kinds["member"] == (1, 2)


def test_what_is_still_to_be_destroyed_is_managed() -> None:
    from lbstack.state.model import DeposedObject, Entry, State

    entry = Entry("new", deposed=(DeposedObject("old"),))
    state = State("s", "l", "e", resources={Address("dataset", "d"): entry})
    seen = {"dataset": [Sighting(id, id, None, {}, 0.0) for id in ("new", "old", "stray")]}
    told = unmanaged(seen, [state], KINDS, Ignored().has)
    assert [each.id for each in told.objects] == ["stray"] and told.kinds["dataset"] == (2, 3)


def test_a_tag_of_this_very_stack_that_no_state_knows_is_nobodys() -> None:
    from lbstack.state.model import State

    seen = {"dataset": [Sighting("a", "A", None, {}, 0.0, owner="s/dataset.a")]}
    told = unmanaged(seen, [State("s", "l", "e")], KINDS, Ignored().has)
    assert [each.owner for each in told.objects] == ["s/dataset.a"] and not told.others


def test_what_is_told_of_it() -> None:
    seen = {
        "dataset": [
            Sighting("a", "A\x1b", None, {}, 0.0),
            Sighting("b", "Long", None, {}, 1.0, owner="o/d.x"),
        ]
    }
    told = unmanaged(seen, [], KINDS, Ignored().has)
    assert [line for line, _ in unmanaged_lines(told)] == [
        "Unmanaged: in the workspace, and in no state of this stack:",
        "",
        '  ? dataset "A\\u001b"  a  # made 1970-01-01 00:00:00 UTC',
        "",
        "Of other stacks, as their ownership tags say:",
        "",
        '  . dataset "Long"  b  # made 1970-01-01 00:00:01 UTC, of o/d.x',
        "",
        "Coverage: 1 of 2 managed (50 %): dataset 1/2.",
    ]
    assert coverage(Unmanaged()) == "Coverage: 0 of 0 managed."
    jsonschema.validate(drift_document(DriftReport("s", "o", "e", unmanaged=told)), schema("drift"))


def test_a_long_name_is_cut_and_what_has_no_room_is_counted() -> None:
    found = [Sighting(f"id{number}", f"{number:03} " + "n" * 300, None, {}, 0.0) for number in range(200)]
    told = unmanaged({"dataset": found}, [], KINDS, Ignored().has)
    lines = [line for line, _ in unmanaged_lines(told)]
    assert all(len(line) < 200 for line in lines) and lines[2].startswith(f'  ? dataset "000 {"n" * 96}…"')
    report = DriftReport("s", "o", "e", unmanaged=told)
    page = drift_markdown(report, WaysOut("accept", "revert"), 4_000)
    assert len(page.encode()) <= 4_000
    shown = page.count("? dataset")
    assert 10 < shown < 40 and f"and {200 - shown} more" in page
    assert page.count("```") == 2 and " more\n```" not in drift_markdown(report, WaysOut("a", "r"))


def test_the_command_lists_what_is_unmanaged_and_does_not_fail_for_it(served: Cli) -> None:
    served("apply", "--auto-approve")
    graphql(served, 'mutation { createDataset(data: {name: "Theirs"}) { id } }')
    done = served("drift", "--unmanaged")
    assert done.returncode == 0
    assert '? dataset "Theirs"' in done.stdout and "dataset 1/2" in done.stdout
    (served.folder / ".lbstackignore").write_text("# people\nmember.*\ndataset.Their*\n")
    done = served("drift", "--unmanaged", "--json", "--markdown", "d.md", "--html", "d.html")
    document = json.loads(done.stdout)
    jsonschema.validate(document, schema("drift"))
    assert document["unmanaged"]["objects"] == [] and document["unmanaged"]["ignored"] == 2
    assert "Coverage: 1 of 1 managed (100 %)" in (served.folder / "d.md").read_text()
    assert "Coverage: 1 of 1 managed (100 %)" in (served.folder / "d.html").read_text()
    assert (served.folder / "stack.yaml").read_text() == STACK
