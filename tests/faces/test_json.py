"""The document of a plan fits its schema, and policies that were written for Terraform's plans read it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import regopy
from hypothesis import given
from hypothesis import strategies as st

from lbstack.plan.changes import Plan
from lbstack.render.json import dumps, plan_document, plan_schema
from tests.cli.conftest import Cli, cli  # noqa: F401
from tests.faces.plans import PLANS, large

POLICIES = Path(__file__).parent.parent.parent / "docs" / "policies.md"
VALIDATOR = jsonschema.Draft202012Validator(plan_schema())


def wrong(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())


@pytest.mark.parametrize("name", PLANS)
def test_a_document_fits_the_schema(name: str, plans: dict[str, Plan]) -> None:
    assert wrong(json.loads(json.dumps(plan_document(plans[name])))) == []


def test_a_large_document_fits_the_schema() -> None:
    assert wrong(plan_document(large(60))) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format_version",), "2.0"),
        (("digest",), "md5:1"),
        (("more",), 1),
        (("resource_changes", 0, "change", "actions"), ["delete", "update"]),
        (("resource_changes", 0, "change", "before"), []),
        (("resource_changes", 0, "address"), "photos"),
        (("summary", "add"), -1),
        (("notes",), [None]),
    ],
)
def test_what_is_no_plan_does_not_fit(path: tuple[Any, ...], value: Any, plans: dict[str, Plan]) -> None:
    document = copy.deepcopy(plan_document(plans["deletes"]))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert wrong(document)


def test_the_command_prints_the_schema(cli: Cli) -> None:  # noqa: F811
    assert json.loads(cli("schema", "--plan").stdout) == plan_schema()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.booleans(), inner),
)


@given(VALUES)
def test_json_is_written_as_the_library_writes_it(value: Any) -> None:
    want = json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False)
    assert dumps(value) == want.replace("##", "#\\u0023")


def test_json_has_no_numbers_that_are_none() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps({"a": [float("nan")]})


def denied(document: Any) -> list[str]:
    """What the policy of the docs says of a plan."""
    found = re.search(r"```rego\n(.*?)```", POLICIES.read_text(), re.DOTALL)
    assert found
    rego = regopy.Interpreter()
    rego.add_module("policy", found[1])
    rego.set_input(document)
    expressions: list[list[str]] = json.loads(str(rego.query("data.main.deny")))["expressions"]
    return sorted(expressions[0])


def test_a_policy_for_terraform_judges_a_plan(plans: dict[str, Plan]) -> None:
    assert denied(plan_document(plans["creates"])) == []
    assert denied(plan_document(plans["updates"])) == []
    assert denied(plan_document(plans["deletes"])) == [
        "dataset.xrays would take 3 rows with it",
        "the plan scores 100, and 30 is allowed",
    ]
    assert denied(plan_document(plans["replaces"])) == ["the plan scores 58, and 30 is allowed"]
    hook = plan_document(plans["secrets"])
    hook["resource_changes"][1]["change"]["after"]["url"] = "https://elsewhere.example.com"
    assert denied(hook) == ["webhook.hook posts to https://elsewhere.example.com"]
