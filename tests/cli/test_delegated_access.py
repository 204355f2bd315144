"""README's set-up of delegated access in two phases, as commands, with both sides played."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from lbstack.render.words import NO_CHANGES
from tests.cli.conftest import Cli

STACK = """\
stack: teeth
variables: {role: {default: null}}
integrations:
  bucket: {provider: aws, name: Teeth, role_arn: "${var.role}", read_bucket: teeth}
datasets:
  teeth: {name: Teeth, integration: bucket}
outputs:
  external_id: ${integration.bucket.external_id}
"""
ARN = "arn:aws:iam::123456789012:role/labelbox"
WITH_ROLE = ("--sandbox", "--var", f"role={ARN}")


def put_role(cli: Cli, external_id: str) -> None:
    done = cli("sandbox", "aws", "put-role", ARN, "--external-id", external_id, "--read-bucket", "teeth")
    assert (done.returncode, done.stderr) == (0, f"The sandbox's data is in {cli.folder}/.lbstack\n")


def test_two_phases(cli: Cli) -> None:
    cli.write(STACK)
    first = cli("apply", "--sandbox", "--auto-approve")
    assert first.returncode == 0
    waiting = cli("plan", "--sandbox", "--detailed-exitcode")
    assert waiting.returncode == 0
    assert waiting.stdout.startswith(
        "Note: integration.bucket is awaiting a role that trusts AWS account 340636424752"
    )
    assert waiting.stdout.endswith(NO_CHANGES + "\n")
    external_id = cli("output", ".", "external_id", "--raw", "--sandbox").stdout.strip()
    assert external_id in waiting.stdout
    # The apply itself says what to do next, with the id, so that nothing need be looked up.
    assert first.stdout.split("\nOutputs:")[0].count(f"with external id {external_id}") == 1
    *_, note, blank, last = first.stdout.splitlines()
    assert (note, blank) == (waiting.stdout.splitlines()[0], "")
    assert last == "Apply complete! Resources: 2 added, 0 changed, 0 destroyed."

    done = cli("sandbox", "aws", "put-bucket", "teeth", "--cors", "https://app.labelbox.com")
    assert (done.returncode, done.stderr) == (0, f"The sandbox's data is in {cli.folder}/.lbstack\n")
    put_role(cli, "somebody-elses-id")
    refused = cli("apply", *WITH_ROLE, "--auto-approve")
    assert refused.returncode == 1
    assert "AWSExternalID" in refused.stdout
    assert "dataset.teeth: Not started (integration.bucket failed)" in refused.stdout

    put_role(cli, external_id)
    assert cli("apply", *WITH_ROLE, "--auto-approve").returncode == 0
    empty = cli("plan", *WITH_ROLE, "--detailed-exitcode")
    assert (empty.returncode, empty.stdout) == (0, NO_CHANGES + "\n")
    world = json.loads(cli("sandbox", "aws", "list").stdout)
    assert [role["arn"] for role in world["roles"]] == [ARN]
    forgotten = cli("destroy", *WITH_ROLE, "--auto-approve")
    assert forgotten.stdout.endswith("Resources: 0 added, 0 changed, 1 destroyed, 1 forgotten.\n")


def test_drift_tells_of_an_integration_that_is_gone(cli: Cli) -> None:
    cli.write(STACK)
    cli.env["LBSTACK_SETTLE"] = "0s"  # what was made a moment ago is not taken for gone otherwise
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    with closing(sqlite3.connect(cli.folder / ".lbstack" / "sandbox.db")) as database, database:
        assert database.execute("DELETE FROM iam_integrations").rowcount == 1
    drift = cli("drift", "--sandbox")
    assert (drift.returncode, drift.stderr) == (2, "")
    assert "! integration.bucket is missing" in drift.stdout
    plan = cli("plan", "--sandbox")
    assert plan.returncode == 5
    assert plan.stdout.startswith("  ! integration.bucket is missing  # deleted outside lbstack\n")
    assert "\n    lbstack plan --sandbox --recreate integration.bucket\n" in plan.stderr
    assert cli("plan", "--sandbox", "--target", "dataset.teeth").returncode == 5  # it needs the integration
    assert cli("state", "rm", "integration.bucket", "--sandbox").returncode == 0
    again = cli("apply", "--sandbox", "--auto-approve")
    assert "Resources: 1 added" in again.stdout, again.stdout + again.stderr


def test_reset_empties_the_sandbox_and_its_states(cli: Cli) -> None:
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    assert cli("sandbox", "reset").returncode != 0
    assert cli("sandbox", "reset", "--auto-approve").returncode == 0
    assert not list((cli.folder / ".lbstack").glob("*sandbox*"))
    assert "1 to add" in cli("plan", "--sandbox").stdout
