"""The stack that the batteries apply: all six kinds, each leaning on another, in two versions.

Between them everything happens that can: an integration is renamed, a dataset described, an ontology
edited, a project replaced (and with it the webhook, and a member's role), and a member leaves.
"""

from __future__ import annotations

from lbstack.sandbox.aws import APP_ORIGIN, put_azure_container
from lbstack.sandbox.store import Store

CONTAINER = "https://teeth.blob.core.windows.net/images"
TENANT = "11111111-2222-3333-4444-555555555555"
SECRET = "whsec-only-for-the-batteries"

FIRST = f"""\
stack: story
variables:
  hook: {{secret: true}}
integrations:
  bucket:
    provider: azure
    name: Teeth
    read_container_url: "{CONTAINER}"
    tenant_id: "{TENANT}"
datasets:
  teeth: {{name: Teeth, description: Raw, integration: bucket}}
ontologies:
  damage:
    name: Damage
    media_type: IMAGE
    tools: [{{tool: polygon, name: Crack}}]
    classifications: [{{type: radio, name: Sound, options: [yes, no]}}]
projects:
  step:
    name: Step
    description: First
    media_type: IMAGE
    quality: {{mode: benchmark}}
    ontology: damage
    datasets: [teeth]
members:
  ann@example.com: {{projects: {{step: REVIEWER}}}}
  bob@example.com: {{role: LABELER}}
webhooks:
  told:
    project: step
    url: "https://relay.example.com/told"
    topics: [LABEL_CREATED]
    secret: ${{var.hook}}
outputs:
  project: ${{project.step.id}}
"""

SECOND = (
    FIRST.replace("name: Teeth\n", "name: Teeth, again\n")
    .replace("description: Raw", "description: X-rays")
    .replace("name: Crack}", "name: Crack, color: '#ff0000'}")
    .replace("mode: benchmark", "mode: consensus, labels: 2, coverage: 0.5")
    .replace("  bob@example.com: {role: LABELER}\n", "")
)

ADDRESSES = (
    "integration.bucket", "dataset.teeth", "ontology.damage", "project.step", "member.ann@example.com",
    "member.bob@example.com", "webhook.told",
)  # fmt: skip


def prepare(store: Store) -> None:
    """What must be so in the cloud before the integration is valid."""
    put_azure_container(store.conn, CONTAINER, [TENANT], [APP_ORIGIN])
