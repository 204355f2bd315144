"""A state that is gone: nothing is made twice, and what is there is bound again."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.cli.conftest import Cli, graphql

STACK = """\
stack: signs
datasets:
  street: {name: Street signs, description: Photos}
  shop: {name: Shop signs}
ontologies:
  kinds: {name: Kinds, media_type: IMAGE, tools: [{tool: polygon, name: Sign}]}
projects:
  look: {name: Look, media_type: IMAGE, ontology: kinds, datasets: [street]}
webhooks:
  told:
    project: look
    url: https://relay.example.com/told
    topics: [LABEL_CREATED]
    secret: a-secret-of-sixteen
"""
PLACE = ("--state", "st.json")
DATA = ("--data", "../data")
COUNT = "query { datasets(where: {deleted: false}, first: 100) { id } }"


def test_what_a_state_beside_it_records_is_not_taken_over(served: Cli) -> None:
    """A stack that was copied as a template names an ontology of the same name: that is the first one's."""
    text = (
        "stack: NAME\ndatasets: {d: {name: NAME}}\n"
        + STACK[STACK.index("ontologies") : STACK.index("projects")]
    )
    served.write(text.replace("NAME", "alpha"), "alpha.yaml")
    served.write(text.replace("NAME", "gamma"), "gamma.yaml")
    assert served("apply", "alpha.yaml", "--auto-approve").returncode == 0
    done = served("state", "rebuild", "gamma.yaml")
    assert done.returncode == 0, done.stderr
    assert "ontology.kinds: not bound, for stack alpha records" in done.stdout
    assert "The state has 0 of 2 resources now" in done.stdout
    assert "2 to add, 0 to change" in served("plan", "gamma.yaml").stdout


def lose(cli: Cli) -> None:
    for path in cli.folder.glob("st.json*"):
        if path.is_dir():
            for inner in path.iterdir():
                inner.unlink()
            path.rmdir()
        else:
            path.unlink()


def test_a_lost_state_is_noticed_rebuilt_and_then_nothing_differs(served: Cli) -> None:
    served.write(STACK)
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    before = json.loads((served.folder / "st.json").read_text())["resources"]
    lose(served)
    refused = served("apply", "--auto-approve", *PLACE)
    assert refused.returncode == 7, refused.stdout + refused.stderr
    assert "lbstack state rebuild" in refused.stderr
    assert len(graphql(served, COUNT)["datasets"]) == 2
    done = served("state", "rebuild", *PLACE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dataset.street: " in done.stdout and "by its ownership tag" in done.stdout
    after = json.loads((served.folder / "st.json").read_text())["resources"]
    assert {key: entry["id"] for key, entry in after.items()} == {k: e["id"] for k, e in before.items()}
    assert served("plan", "--detailed-exitcode", *PLACE).returncode == 0


def test_what_cannot_be_told_apart_is_listed_and_never_guessed(served: Cli) -> None:
    served.write(STACK)
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    twin = json.loads((served.folder / "st.json").read_text())["resources"]["ontology.kinds"]["id"]
    graphql(
        served,
        """mutation { upsertOntology(data: {name: "Kinds", mediaType: IMAGE,
        normalized: "{\\"tools\\": [], \\"classifications\\": []}"}) { id } }""",
    )
    lose(served)
    done = served("state", "rebuild", *PLACE)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ontology.kinds: not bound, for these fit" in done.stdout
    assert twin in done.stdout
    assert "ontology.kinds" not in json.loads((served.folder / "st.json").read_text())["resources"]
    refused = served("apply", "--auto-approve", *PLACE)
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert "ontology.kinds may have been made" in refused.stderr
    served.write(f"{STACK}imports:\n  - {{address: ontology.kinds, id: {twin}}}\n")
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    assert served("plan", "--detailed-exitcode", *PLACE).returncode == 0


def test_a_damaged_state_is_rebuilt_and_kept_aside(served: Cli) -> None:
    served.write(STACK)
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    lose(served)
    (served.folder / "st.json").write_text("half a st")
    assert served("state", "rebuild", *PLACE).returncode == 0
    assert (served.folder / "st.json.damaged").read_text() == "half a st"
    assert served("plan", "--detailed-exitcode", *PLACE).returncode == 0


def test_an_intact_state_is_not_rebuilt(served: Cli) -> None:
    served.write(STACK)
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    done = served("state", "rebuild", *PLACE)
    assert done.returncode == 1
    assert "intact" in done.stderr


def test_another_copy_of_a_stack_begins_a_state_of_its_own(served: Cli) -> None:
    served.write(STACK)
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    other = ("--state", "other.json")
    assert served("plan", *other).returncode == 7
    assert served("state", "new", *other).returncode == 0
    assert "5 to add" in served("plan", *other).stdout


UNTAGGED = """\
stack: signs
integrations:
  bucket: {provider: aws, name: Bucket}
ontologies:
  kinds: {name: Kinds, media_type: IMAGE, tools: [{tool: polygon, name: Sign}]}
webhooks:
  told: {url: https://relay.example.com/told, topics: [LABEL_CREATED], secret: a-secret-of-sixteen}
"""
COUNTS = """query {
  iamIntegrations { id }
  ontologies(where: {}, first: 100) { nodes { id } }
  organization { id webhooks(skip: 0, first: 100) { id status } }
}"""
KINDS = """mutation { upsertOntology(data: {name: "Kinds", mediaType: IMAGE,
normalized: "{\\"tools\\": [], \\"classifications\\": []}"}) { id } }"""


def test_of_a_lost_state_what_bears_no_tag_is_not_made_a_second_time(served: Cli) -> None:
    served.write(UNTAGGED)
    assert served("apply", "--auto-approve", *PLACE).returncode == 0
    before = json.loads((served.folder / "st.json").read_text())["resources"]
    there = graphql(served, COUNTS)
    lose(served)
    for command in (("plan",), ("apply", "--auto-approve")):
        refused = served(*command, *PLACE)
        assert refused.returncode == 7, refused.stdout + refused.stderr
        assert all(f"{entry['id']} ({address})" in refused.stderr for address, entry in before.items())
        assert all(f"lbstack state {way}" in refused.stderr for way in ("rebuild", "new"))
    assert graphql(served, COUNTS) == there
    assert served("state", "rebuild", *PLACE).returncode == 0
    after = json.loads((served.folder / "st.json").read_text())["resources"]
    assert {key: entry["id"] for key, entry in after.items()} == {k: e["id"] for k, e in before.items()}


def test_somebody_elses_object_of_the_same_name_keeps_nobody_from_beginning(served: Cli) -> None:
    theirs = graphql(somebody_else(served), KINDS)["upsertOntology"]["id"]
    served.write("stack: signs\nontologies: {kinds: {name: Kinds, media_type: IMAGE}}\n")
    done = served("apply", "--auto-approve", *PLACE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert theirs not in (served.folder / "st.json").read_text()


def somebody_else(cli: Cli) -> Cli:
    """The command with the key of another member of the workspace."""
    cli.write("stack: people\nmembers: {b@example.com: {role: Admin}}\n")
    assert cli("apply", "--auto-approve").returncode == 0
    assert cli("sandbox", "accept-invite", "b@example.com", *DATA).returncode == 0
    key = cli("sandbox", "key", "create", "--role", "Admin", "--email", "b@example.com", *DATA)
    return replace(cli, env={**cli.env, "LABELBOX_API_KEY": key.stdout.strip()})


def test_what_only_looks_like_the_stacks_own_is_left_alone_or_imported(served: Cli) -> None:
    text = "stack: signs\nontologies: {kinds: {name: Kinds, media_type: IMAGE}}\n"
    served.write(text)
    same = graphql(served, KINDS)["upsertOntology"]["id"]
    refused = served("plan", *PLACE)
    assert refused.returncode == 7 and f"{same} (ontology.kinds)" in refused.stderr
    assert "imports:" in refused.stderr
    assert served("state", "new", *PLACE).returncode == 0
    assert "1 to add" in served("plan", *PLACE).stdout
    served.write(f"{text}imports: [{{address: ontology.kinds, id: {same}}}]\n")
    done = served("plan", "--state", "other.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 to import" in done.stdout
