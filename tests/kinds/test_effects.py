"""What cannot be read back is looked up where the service keeps it: shares, secrets, who was validated."""

from __future__ import annotations

from typing import Any

from lbstack.sandbox import aws
from lbstack.values import Address
from tests.conftest import World
from tests.meanwhile import ADD_ROW

ROLE = "arn:aws:iam::123456789012:role/r"


def id_of(world: World, text: str) -> str:
    return str(world.state.resources[Address.parse(text)].id)


def one(world: World, sql: str, *params: Any) -> Any:
    return world.workspace.value(sql, list(params))


def applied(world: World, text: str) -> None:
    world.write("stack: test\n" + text)
    assert not world.apply().failed, world.events


def test_the_share_to_review_is_the_one_that_is_written(world: World) -> None:
    share = "SELECT quotaFactor FROM review_queues"
    project = "projects: {p: {name: P, media_type: IMAGE, review: %s}}\n"
    for written in (0.1, 0.25, 1, 0):
        applied(world, project % written)
        assert one(world, share) == written
    applied(world, project % "null")
    assert one(world, "SELECT count(*) FROM review_queues") == 0
    applied(world, project % 0.5)
    assert one(world, share) == 0.5


def test_the_secret_of_a_webhook_is_the_one_that_is_written(world: World) -> None:
    hook = "webhooks: {w: {url: 'https://a.example/w', topics: [LABEL_CREATED], secret: %s}}\n"
    stored = "SELECT secret FROM webhooks WHERE id = ?"
    applied(world, hook % "one")
    old = id_of(world, "webhook.w")
    assert one(world, stored, old) == "one"
    applied(world, hook % "two")
    assert one(world, stored, id_of(world, "webhook.w")) == "two"
    assert one(world, "SELECT status FROM webhooks WHERE id = ?", old) == "INACTIVE"


def test_a_webhook_goes_by_becoming_inactive(world: World) -> None:
    applied(world, "webhooks: {w: {url: 'https://a.example/w', topics: [LABEL_CREATED], secret: s}}\n")
    applied(world, "webhooks: {}\n")
    assert one(world, "SELECT status FROM webhooks") == "INACTIVE"


def test_only_a_dataset_with_rows_is_validated(world: World) -> None:
    validated = "SELECT count(*) FROM ledger WHERE op = 'validateDataset'"
    bucket = "integrations: {b: {provider: aws, name: B, role_arn: %s}}\ndatasets: {d: {name: D, integration: %s}}\n"
    applied(world, bucket % ("null", "b"))
    aws.put_role(world.workspace.conn, ROLE, external_id=id_of(world, "integration.b"))
    applied(world, bucket % (ROLE, "b"))
    signer = "query($d: ID!) { dataset(where: {id: $d}) { signer { id } } }"
    found = world.graphql(signer, d=id_of(world, "dataset.d"))["dataset"]["signer"]
    assert found == {"id": id_of(world, "integration.b")}
    assert one(world, validated) == 0
    applied(world, bucket % (ROLE, "null"))
    world.graphql(ADD_ROW, url="https://teeth.s3.amazonaws.com/1.jpg", dataset=id_of(world, "dataset.d"))
    world.write("stack: test\n" + bucket % (ROLE, "b"))
    world.apply()
    assert one(world, validated) == 1
