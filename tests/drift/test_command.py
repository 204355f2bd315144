"""``lbstack drift`` as people and programs run it: exit codes, streams, files."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from tests.cli.conftest import STACK, Cli, cli, graphql, served

__all__ = ["cli", "served"]

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "lbstack" / "render" / "schemas" / "drift.schema.json").read_text()
)


def rename(served: Cli, name: str) -> None:
    id = served("output", ".", "dataset", "--raw").stdout.strip()
    graphql(
        served,
        "mutation($id: ID!, $n: String!) { updateDataset(where: {id: $id}, data: {name: $n}) { id } }",
        id=id,
        n=name,
    )


def test_from_a_change_by_hand_to_a_clean_stack(served: Cli) -> None:
    assert served("apply", "--auto-approve").returncode == 0
    clean = served("drift")
    assert (clean.returncode, clean.stdout) == (0, "No drift. The workspace is as lbstack left it.\n")
    served.write(STACK.replace("Photos", "Pictures"))
    pending = served("drift")
    assert pending.returncode == 0
    assert "> dataset.signs is pending" in pending.stdout
    served.write(STACK)
    rename(served, "By hand")
    found = served("drift", "--json", "--markdown", "d.md", "--junit", "d.xml", "--sarif", "d.json")
    assert found.returncode == 2
    document = json.loads(found.stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["resources"][0]["fields"][0]["range"] == {
        "filename": "stack.yaml", "start": {"line": 3, "column": 17},
    }  # fmt: skip
    page = (served.folder / "d.md").read_text()
    assert page.startswith("<!-- lbstack:drift signs -->") and "lbstack drift --accept" in page
    assert "<failure" in (served.folder / "d.xml").read_text()
    assert json.loads((served.folder / "d.json").read_text())["runs"][0]["results"]
    done = served("drift", "--accept")
    assert done.returncode == 0, done.stderr
    assert "-  signs: {name: Street signs, description: Photos}" in done.stdout
    assert "+  signs: {name: By hand, description: Photos}" in done.stdout
    assert "Edited stack.yaml; taken over: 1." in done.stdout
    assert served("plan", "--detailed-exitcode").returncode == 0
    assert served("drift").returncode == 0
    assert (served.folder / "stack.yaml").read_text() == STACK.replace("Street signs", "By hand")


def test_accepting_by_address_in_a_program(served: Cli) -> None:
    served("apply", "--auto-approve")
    rename(served, "By hand")
    done = served("drift", "--accept", "dataset.signs", "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert document["accepted"] == {"addresses": ["dataset.signs"], "files": ["stack.yaml"], "refused": []}
    nothing = served("drift", "stack.yaml", "--accept", "dataset.signs")
    assert nothing.returncode == 0
    assert "Edited nothing; taken over: 0." in nothing.stdout


def test_what_cannot_be_taken_over_is_told_and_stays_drifted(served: Cli) -> None:
    served.write(
        "variables: {n: {default: A}}\n"
        + STACK.replace("Street signs", "${var.n}").replace("name: ${var.n}", 'name: "${var.n}"')
    )
    served("apply", "--auto-approve")
    rename(served, "By hand")
    done = served("drift", "--accept")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "stack.yaml:4:17: dataset.signs: name cannot be edited here: it comes from ${var.n}"
    )


def test_addresses_without_accept_are_wrong_usage(cli: Cli) -> None:
    done = cli("drift", ".", "dataset.signs", "--sandbox")
    assert done.returncode == 64
    assert "give --accept" in done.stderr


def test_annotations_stand_beside_what_is_printed(served: Cli) -> None:
    served("apply", "--auto-approve")
    rename(served, "By hand")
    done = served("drift", env={"GITHUB_ACTIONS": "true"})
    assert done.stderr.startswith(
        "::error file=stack.yaml,line=3,col=17,title=lbstack%3A drifted::dataset.signs has drifted"
    )
    assert "::" not in done.stdout
    assert served("drift", "--annotations", "none", env={"GITHUB_ACTIONS": "true"}).stderr == ""


def test_validate_and_plan_annotate_what_they_refuse(cli: Cli) -> None:
    cli.write("stack: s\ndatasets:\n  a: {nam: x}\n")
    for words in (["validate"], ["plan", "--sandbox"]):
        done = cli(*words, "--annotations", "github")
        assert done.returncode == 1
        assert (
            "::error file=stack.yaml,line=3,col=7,title=lbstack%3A invalid::unknown key 'nam'" in done.stderr
        )
    done = cli("validate", "--junit", "v.xml", "--sarif", "v.json", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["error_count"] == 2
    assert (cli.folder / "v.xml").read_text().count("<failure") == 2
    assert len(json.loads((cli.folder / "v.json").read_text())["runs"][0]["results"]) == 2
    cli.write(STACK)
    assert cli("validate", "--junit", "v.xml").returncode == 0
    assert 'name="dataset.signs"' in (cli.folder / "v.xml").read_text()
