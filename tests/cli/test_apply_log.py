"""The log of applies: who did what of which plan, and when; appended, and without any value."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.conftest import Cli

STACK = """\
stack: signs
variables: {hook: {secret: true}}
datasets:
  signs: {name: Street signs, description: "Only-here"}
ontologies:
  damage: {name: Damage, media_type: IMAGE, tools: [{tool: polygon, name: Crack}]}
projects:
  step: {name: Step, media_type: IMAGE, ontology: damage, datasets: [signs]}
webhooks:
  told: {project: step, url: "https://relay.example.com/told", topics: [LABEL_CREATED], secret: "${var.hook}"}
"""
HOOK = {"LBSTACK_VAR_hook": "whsec-that-nobody-logs"}
APPLY = ("apply", "--auto-approve", "--sandbox", "--state", "state.json")


def lines(cli: Cli) -> list[dict[str, Any]]:
    path = cli.folder / "state.json.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_apply_is_written_down_when_it_begins_and_when_it_ends(cli: Cli) -> None:
    cli.write(STACK)
    assert cli(*APPLY, env=HOOK).returncode == 0
    begun, ended = lines(cli)
    state = json.loads((cli.folder / "state.json").read_text())
    known = state.get("state", state)
    assert (
        begun["begins"]
        and begun["actor"] == known["actor"]
        and begun["organization"] == known["organization"]
    )
    assert begun["lineage"] == known["lineage"] and begun["plan"].startswith("1.") and begun["at"] > 0
    assert ended["apply"] == begun["apply"] and ended["exit"] == 0 and ended["unknown"] == []
    told = {(step["verb"], step["address"], step["end"]) for step in ended["steps"]}
    assert told == {
        ("create", a, "done") for a in ("dataset.signs", "ontology.damage", "project.step", "webhook.told")
    }
    assert {step["id"] for step in ended["steps"]} == {entry["id"] for entry in known["resources"].values()}
    text = (cli.folder / "state.json.log").read_text()
    assert not [word for word in ("Only-here", "whsec", "Street signs", "relay.example.com") if word in text]
    assert (cli.folder / "state.json.log").stat().st_mode & 0o777 == 0o600


def test_what_was_written_stays_and_nothing_to_do_is_no_line(cli: Cli) -> None:
    assert cli(*APPLY).returncode == 0
    first = lines(cli)
    assert cli(*APPLY).returncode == 0
    assert lines(cli) == first
    cli.write(STACK.replace("Only-here", "Else").split("ontologies:")[0])
    assert cli(*APPLY, env=HOOK).returncode == 0
    assert lines(cli)[:2] == first
    assert [(s["verb"], s["address"]) for s in lines(cli)[3]["steps"]] == [("update", "dataset.signs")]


def test_where_nothing_can_be_written_down_nothing_is_sent(cli: Cli) -> None:
    (cli.folder / "state.json.log").mkdir()
    refused = cli(*APPLY)
    assert refused.returncode != 0 and "state.json.log" in refused.stderr
    (cli.folder / "state.json.log").rmdir()
    (cli.folder / "state.json.log").symlink_to(cli.folder / "elsewhere")
    refused = cli(*APPLY)
    assert refused.returncode != 0 and "state.json.log" in refused.stderr
    assert not (cli.folder / "elsewhere").exists()
    (cli.folder / "state.json.log").unlink()
    again = cli(*APPLY)
    assert again.returncode == 0 and "1 added" in again.stdout
