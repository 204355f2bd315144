"""Resources that got other keys in the stack: what would end and be made anew could stay, and that is said."""

from __future__ import annotations

import re

from tests.cli.conftest import Cli

STACK = """\
stack: signs
variables: {s: {secret: true}}
datasets:
  street: {name: Street signs}
  shop: {name: Shop signs}
webhooks:
  told: {url: 'https://a.example.com', topics: [LABEL_CREATED], secret: '${var.s}'}
"""
OTHER = STACK.replace("street:", "roads:").replace("shop:", "shops:").replace("told:", "heard:")


def test_what_only_got_other_keys_stays_as_the_refusal_says(cli: Cli) -> None:
    cli.env["LBSTACK_VAR_s"] = "a-secret-of-sixteen"
    cli.write(STACK)
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    cli.write(OTHER)
    refused = cli("plan", "--sandbox")
    assert refused.returncode == 5
    (told,) = re.findall(r"moved: \[.*?\]", refused.stderr)
    assert told.count("from:") == 3
    assert "{from: webhook.told, to: webhook.heard}" in told
    cli.write(f"{OTHER}{told}\n")
    done = cli("plan", "--sandbox")
    assert done.returncode == 0, done.stderr
    assert "dataset.street has moved to dataset.roads" in done.stdout
    assert "No changes." in done.stdout


def test_what_is_another_thing_is_not_said_to_be_the_same(cli: Cli) -> None:
    cli.env["LBSTACK_VAR_s"] = "a-secret-of-sixteen"
    cli.write(STACK)
    assert cli("apply", "--sandbox", "--auto-approve").returncode == 0
    cli.write(OTHER.replace("name: S", "name: Other s").replace("a.example", "b.example"))
    refused = cli("plan", "--sandbox")
    assert refused.returncode == 5
    assert "to let them, give --allow-mass-change" in refused.stderr
    assert "moved:" not in refused.stderr
