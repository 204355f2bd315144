"""Integrations, which nothing can delete: replaced, lost, and made without having become valid."""

from __future__ import annotations

import json
from pathlib import Path

from lbstack.plan.saved import bind, read_plan, write_plan
from lbstack.render.json import plan_document
from lbstack.render.progress import event_lines
from lbstack.sandbox import aws
from lbstack.values import Address, Allowed
from tests.conftest import World
from tests.meanwhile import happen

BUCKET = Address("integration", "bucket")
LISTED = "{ iamIntegrations { id provider } }"
GCP = "stack: test\nintegrations:\n  bucket: {provider: gcp, name: Bucket, read_bucket: photos}\n"
AWS = "stack: test\nintegrations:\n  bucket: {provider: aws, name: Bucket}\n"


def providers(world: World) -> list[str]:
    return [each["provider"] for each in world.graphql(LISTED)["iamIntegrations"]]


def valid_gcp(world: World) -> str:
    """An integration that is valid; its id."""
    world.write(GCP)
    assert world.apply().failed  # its account must be let in first
    id = str(world.state.resources[BUCKET].id)
    aws.put_gcp_bucket(world.workspace.conn, "photos", [f"{id}@labelbox-delegated.iam.gserviceaccount.com"])
    assert not world.apply().failed
    return id


def test_what_is_replaced_is_forgotten_and_stays(world: World) -> None:
    old = valid_gcp(world)
    world.write(AWS)
    plan = world.plan()
    assert plan.counts() == {"import": 0, "add": 1, "change": 0, "destroy": 0, "forget": 1}
    (change,) = plan_document(plan)["resource_changes"]
    assert change["change"]["actions"] == ["create", "forget"]
    outcome = world.apply(plan)
    assert (outcome.counts()["added"], outcome.counts()["destroyed"], outcome.counts()["forgotten"]) == (
        1,
        0,
        1,
    )
    told = [line for event in world.events for line, _ in event_lines(event)]
    assert f"integration.bucket (deposed): Forgetting complete after 0s [id={old}]" in told
    assert not any("estr" in line for line in told)
    assert providers(world) == ["GCP", "AWS"]
    assert world.state.resources[BUCKET].deposed == ()
    assert world.state.resources[BUCKET].id != old
    assert world.plan().empty


def test_a_saved_plan_forgets_as_well(world: World, tmp_path: Path) -> None:
    valid_gcp(world)
    world.write(AWS)
    write_plan(tmp_path / "plan", world.plan(), world.state)
    plan = bind(read_plan(tmp_path / "plan"), world.state, "sandbox", {})
    assert world.apply(plan).counts()["forgotten"] == 1
    assert world.plan().empty


def test_what_was_deposed_and_cannot_be_destroyed_is_forgotten_by_the_next_apply(world: World) -> None:
    old = valid_gcp(world)
    world.write(AWS.replace("name: Bucket", "name: Bucket, role_arn: 'arn:aws:iam::123456789012:role/r'"))
    assert world.apply().failed  # the role is not there: made, not valid, and the old one still deposed
    assert [item.id for item in world.state.resources[BUCKET].deposed] == [old]
    world.write(AWS)
    plan = world.plan()
    assert (plan.counts()["destroy"], plan.counts()["forget"]) == (0, 1)
    assert not world.apply(plan).failed
    assert world.state.resources[BUCKET].deposed == ()
    assert providers(world) == ["GCP", "AWS"]
    assert world.plan().empty


def test_what_was_made_counts_as_added_even_if_it_is_not_valid(world: World) -> None:
    world.write(GCP)
    outcome = world.apply()
    assert [str(step.address) for step in outcome.failed] == ["integration.bucket"]
    assert outcome.counts()["added"] == 1
    assert providers(world) == ["GCP"]
    assert world.apply().counts()["added"] == 0  # it was there before, and is still not valid


def test_what_was_not_made_counts_as_nothing(world: World) -> None:
    world.write(GCP)
    world.workspace.run(
        "CREATE TRIGGER fail BEFORE INSERT ON iam_integrations BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    assert world.apply().counts()["added"] == 0


def test_what_the_cloud_needs_is_said_at_the_end_with_the_id(world: World) -> None:
    world.write(AWS + "datasets:\n  teeth: {name: Teeth, integration: bucket}\n")
    outcome = world.apply()
    id = world.state.resources[BUCKET].id
    assert outcome.notes == (
        f"integration.bucket is awaiting a role that trusts AWS account 340636424752 with external id {id}: "
        "make one, then set role_arn. dataset.teeth will follow then.",
    )
    assert json.dumps(id)[1:-1] in next(e.text for e in world.events if e.type == "said")


def test_one_that_is_gone_keeps_nobody_else_from_being_planned(world: World) -> None:
    text = AWS + "datasets:\n  a: {name: A, integration: bucket}\n  b: {name: %s}\n"
    world.write(text % "B")
    assert not world.apply().failed
    happen(world, {"lose_integration": "<integration.bucket>"})
    world.write(text % "B2")
    for targets in ((), (Address("dataset", "a"),)):
        (refusal,) = world.plan(targets=targets).refusals
        assert refusal.problem.address == BUCKET
        assert refusal.allowed == Allowed(recreate=(BUCKET,))
    plan = world.plan(targets=(Address("dataset", "b"),))
    assert [str(change.address) for change in plan.actions] == ["dataset.b"]
    assert not plan.refusals and not world.apply(plan).failed


def test_one_that_was_gone_and_is_made_anew_tells_both_ids(world: World) -> None:
    world.write(AWS + "datasets:\n  a: {name: A, integration: bucket}\n")
    assert not world.apply().failed
    old = world.state.resources[BUCKET].id
    happen(world, {"lose_integration": "<integration.bucket>"})
    plan = world.plan(allowed=Allowed(recreate=(BUCKET,)))
    assert not plan.refusals
    (change,) = plan.actions
    assert f"it had the id {old}" in change.reason and "external id" in change.reason
    assert not world.apply(plan).failed
    new = world.state.resources[BUCKET].id
    assert new != old
    said = [event.text for event in world.events if event.type == "said"]
    assert f"has the id {new}; the one that is gone had {old}" in said
    assert world.plan().empty
