"""One workspace, two hands: what ``lbstack`` makes the vendor's client finds, and the other way round."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lbstack.render.words import NO_CHANGES
from tests.cli.conftest import Cli

labelbox = pytest.importorskip("labelbox")

STACK = """\
stack: both
integrations: {bucket: {provider: aws, name: Bucket, read_bucket: teeth}}
datasets: {teeth: {name: Teeth, description: X-rays}}
ontologies:
  damage:
    name: Damage
    media_type: IMAGE
    tools: [{tool: polygon, name: Crack, color: "#ff0000"}]
    classifications: [{type: radio, name: "damaged?", options: [yes, no]}]
projects:
  step: {name: Step, description: Mark it, media_type: IMAGE, quality: {mode: consensus, labels: 3, coverage: 0.2},
         ontology: damage, datasets: [teeth], review: 0.1}
members:
  lab@x.io: {projects: {step: REVIEWER}}
webhooks:
  told: {project: step, url: "https://a.example/told", topics: [LABEL_CREATED], secret: "${var.s}"}
variables: {s: {secret: true}}
outputs:
  dataset: ${dataset.teeth.id}
  project: ${project.step.id}
"""
IMPORTING = """\
stack: taken
datasets: {d: {name: Made by hand, description: ""}}
ontologies: {o: {name: By hand, media_type: IMAGE, tools: [{tool: rectangle, name: Box, color: "#00ff00"}],
  classifications: []}}
projects: {p: {name: By hand, description: Hands, media_type: IMAGE, ontology: o}}
webhooks: {w: {project: p, url: "https://a.example/w", topics: [LABEL_DELETED], secret: whatever-it-was}}
members: {new@x.io: {role: LABELER}}
imports:
"""


@pytest.fixture
def client(served: Cli) -> Any:
    endpoint = served.env["LABELBOX_ENDPOINT"]
    rest = endpoint.replace("/graphql", "/api/v1")
    return labelbox.Client(served.env["LABELBOX_API_KEY"], endpoint=endpoint, rest_endpoint=rest)


def test_what_was_applied_the_client_finds(served: Cli, client: Any) -> None:
    served.write(STACK)
    served.env["LBSTACK_VAR_s"] = "a-secret-of-this-test"
    done = served("apply", "--auto-approve")
    assert done.returncode == 0, done.stdout + done.stderr
    told = {name: each["value"] for name, each in json.loads(served("output", "--json").stdout).items()}
    (dataset,) = client.get_datasets()
    (project,) = client.get_projects()
    assert (dataset.uid, dataset.name) == (told["dataset"], "Teeth")
    assert dataset.description.startswith("X-rays\n\n[lbstack ")
    assert (project.uid, project.name) == (told["project"], "Step")
    assert project.description.startswith("Mark it\n\n[lbstack ")
    assert (project.auto_audit_number_of_labels, project.auto_audit_percentage) == (3, 0.2)
    normalized = project.ontology().normalized
    assert [tool["name"] for tool in normalized["tools"]] == ["Crack"]
    assert project.labeling_frontend().name == "Editor"
    (webhook,) = project.webhooks()
    assert (webhook.url, webhook.topics) == ("https://a.example/told", ["LABEL_CREATED"])
    organization = client.get_organization()
    assert [each.name for each in organization.get_iam_integrations()] == ["Bucket"]
    (invite,) = organization.get_project_invites(project.uid)
    assert invite.email == "lab@x.io"


def test_what_the_client_made_is_left_alone_until_it_is_imported(served: Cli, client: Any) -> None:
    dataset = client.create_dataset(name="Made by hand", iam_integration=None)
    tool = labelbox.Tool(tool=labelbox.Tool.Type.BBOX, name="Box", color="#00ff00")
    builder = labelbox.OntologyBuilder(tools=[tool]).asdict()
    ontology = client.create_ontology("By hand", builder, media_type=labelbox.MediaType.Image)
    project = client.create_project(name="By hand", description="Hands", media_type=labelbox.MediaType.Image)
    project.connect_ontology(ontology)
    hook = labelbox.Webhook
    webhook = hook.create(client, [hook.LABEL_DELETED], "https://a.example/w", "whatever-it-was", project)
    made = {"dataset.d": dataset, "ontology.o": ontology, "project.p": project, "webhook.w": webhook}

    served.write("stack: nothing\ndatasets: {}\n")
    untouched = served("plan", "--detailed-exitcode")
    assert (untouched.returncode, untouched.stdout) == (0, NO_CHANGES + "\n")

    lines = [f"- {{address: {address}, id: {each.uid}}}\n" for address, each in made.items()]
    served.write(IMPORTING + "".join(lines))
    plan = served("plan")
    assert plan.stdout.endswith("Plan: 4 to import, 1 to add, 0 to change, 0 to destroy.\n"), plan.stdout
    assert served("apply", "--auto-approve").returncode == 0
    again = served("plan", "--detailed-exitcode")
    assert again.stdout.endswith(NO_CHANGES + "\n"), again.stdout
    assert again.returncode == 0
    assert client.get_project(project.uid).ontology().uid == ontology.uid
