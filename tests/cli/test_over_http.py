"""A stack's life through the command line, over HTTP, with another client meddling."""

from __future__ import annotations

import json

from lbstack.render.words import NO_CHANGES
from lbstack.state.store import Store
from tests.cli.conftest import STACK, Cli, graphql


def test_plan_apply_and_an_empty_plan(served: Cli) -> None:
    plan = served("plan")
    assert plan.returncode == 0
    assert plan.stdout.endswith("Plan: 1 to add, 0 to change, 0 to destroy.\n")
    apply = served("apply", "-auto-approve")
    assert apply.returncode == 0, apply.stderr
    assert apply.stdout.endswith("Apply complete! Resources: 1 added, 0 changed, 0 destroyed.\n")
    again = served("plan", "--detailed-exitcode")
    assert (again.returncode, again.stdout) == (0, NO_CHANGES + "\n")


def test_a_change_by_another_hand_is_drift_and_an_update(served: Cli) -> None:
    served("apply", "--auto-approve")
    assert served("drift").returncode == 0
    id = served("output", ".", "dataset", "--raw").stdout.strip()
    rename = 'mutation($id: ID!) { updateDataset(where: {id: $id}, data: {name: "By hand"}) { id } }'
    graphql(served, rename, id=id)
    drift = served("drift")
    assert drift.returncode == 2
    assert '~ name = "Street signs" -> "By hand"' in drift.stdout
    assert json.loads(served("drift", "--json").stdout)["drifted"] is True
    plan = served("plan", "--detailed-exitcode")
    assert plan.returncode == 2
    assert '~ name = "By hand" -> "Street signs"' in plan.stdout


def test_destroy_leaves_the_workspace_as_it_was(served: Cli) -> None:
    count = "query { datasets(where: {deleted: false}, first: 100) { id } }"
    before = graphql(served, count)
    served("apply", "--auto-approve")
    destroy = served("destroy", "--auto-approve")
    assert destroy.stdout.endswith("Apply complete! Resources: 0 added, 0 changed, 1 destroyed.\n")
    assert graphql(served, count) == before
    assert served("state", "list").stdout == ""


def test_a_saved_plan_is_carried_out_once(served: Cli) -> None:
    assert served("plan", "--out", "plan.json").returncode == 0
    document = json.loads(served("show", "--json", "plan.json").stdout)
    assert document["resource_changes"][0]["change"]["actions"] == ["create"]
    assert served("apply", "plan.json").returncode == 0
    again = served("apply", "plan.json")
    assert again.returncode == 7
    assert "carried out already" in again.stderr
    assert len(graphql(served, "query { datasets(first: 100) { id } }")["datasets"]) == 1


def test_a_tampered_plan_is_refused(served: Cli) -> None:
    served("plan", "--out", "plan.json")
    path = served.folder / "plan.json"
    path.write_text(path.read_text().replace("Street signs", "Street Signs"))
    assert served("apply", "plan.json").returncode == 7


def test_json_is_all_there_is_on_stdout(served: Cli) -> None:
    document = json.loads(served("plan", "--json").stdout)
    (change,) = document["resource_changes"]
    assert change["address"] == "dataset.signs"
    assert change["change"]["after"]["name"] == "Street signs"
    assert change["change"]["after_unknown"] == {"id": True}
    assert document["output_changes"]["dataset"]["after_unknown"] is True
    events = [json.loads(line) for line in served("apply", "--json", "--auto-approve").stdout.splitlines()]
    assert [event["type"] for event in events] == [
        "planned_changes", "apply_start", "apply_complete", "outputs", "change_summary",
    ]  # fmt: skip
    assert events[-1]["changes"]["added"] == 1


def test_state_and_show_tell_what_is_remembered(served: Cli) -> None:
    served("apply", "--auto-approve")
    assert served("state", "list").stdout == "dataset.signs\n"
    assert '= "Street signs"' in served("state", "show", "dataset.signs").stdout
    (resource,) = json.loads(served("show", "--json").stdout)["resources"]
    assert resource["values"] == {"description": "Photos", "name": "Street signs"}
    assert served("state", "show", "dataset.other").returncode == 1


def test_what_lost_its_block_is_destroyed_and_a_stack_that_lost_all_is_not(served: Cli) -> None:
    served("apply", "--auto-approve")
    served.write("stack: signs\n")
    refused = served("plan")
    assert refused.returncode == 5
    assert "- dataset.signs will be destroyed" in refused.stdout
    assert refused.stderr.endswith("If that is meant, run:\n    lbstack plan --destroy\n")
    served.write("stack: signs\ndatasets:\n  lamps: {name: Lamps}\n")
    done = served("apply", "--auto-approve")
    assert "Resources: 1 added, 0 changed, 1 destroyed." in done.stdout


def test_two_places_never_share_a_state(served: Cli) -> None:
    served("apply", "--auto-approve")
    plan = served("plan", "--sandbox")
    assert "1 to add" in plan.stdout
    names = sorted(path.name for path in (served.folder / ".lbstack").glob("*.json"))
    assert len(names) == 1
    assert served("apply", "--sandbox", "--auto-approve").returncode == 0
    assert len(list((served.folder / ".lbstack").glob("signs@*.json"))) == 2


def test_the_graph_is_printed(served: Cli) -> None:
    served.write(STACK)
    assert served("graph").stdout.startswith("digraph {")
    assert served("graph", "--format", "mermaid").stdout.startswith("flowchart LR")


def test_an_apply_that_changes_nothing_leaves_saved_plans_valid(served: Cli) -> None:
    served("apply", "--auto-approve")
    served.write(STACK.replace("Photos", "Pictures"))
    assert served("plan", "--out", "plan.json").returncode == 0
    served.write(STACK)
    assert served("apply", "--auto-approve").returncode == 0
    served.write(STACK.replace("Photos", "Pictures"))
    done = served("apply", "plan.json")
    assert done.returncode == 0, done.stderr
    assert '"Photos" -> "Pictures"' in done.stdout


def test_a_saved_plan_takes_no_other_words(served: Cli) -> None:
    served("plan", "--out", "plan.json")
    for words in (["destroy", "plan.json"], ["apply", "plan.json", "--target", "dataset.signs"]):
        done = served(*words, "--auto-approve")
        assert done.returncode == 64
        assert "saved plan" in done.stderr
    assert served("plan", "--out", "nowhere/plan.json").returncode == 1
    assert not (served.folder / "nowhere").exists()


def test_a_plan_saved_before_anything_was_applied_is_carried_out_once(served: Cli) -> None:
    served("plan", "--out", "plan.json")
    assert served("apply", "plan.json", "--state", "elsewhere.json").returncode == 7
    assert served("apply", "plan.json").returncode == 0
    (served.folder / ".lbstack").rename(served.folder / "lost")
    assert served("apply", "plan.json").returncode == 7


def test_an_old_encoding_ends_no_apply(served: Cli) -> None:
    done = served("apply", "--auto-approve", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "Creating\\u2026" in done.stdout


def test_a_create_that_was_cut_off_is_told(served: Cli) -> None:
    served("apply", "--auto-approve")
    (state,) = (served.folder / ".lbstack").glob("*.json")
    store = Store(state, "signs", served.env["LABELBOX_ENDPOINT"])
    _, journal = store.begin(store.load())
    journal.add({"intent": "create", "address": "dataset.other", "id": None})
    journal.close()
    done = served("plan")
    assert done.returncode == 4
    assert "dataset.other may have been made" in done.stderr
    assert "state rm dataset.other" in done.stderr
