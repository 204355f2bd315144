"""The reference of faults says what there is: every word of the control port, with an example that it takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from controlling import Box, controlled

from lbstack.sandbox.faults import actions, conditions, control, rules
from tests.nursery import bare

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sandbox-faults.md").read_text()


def rows(part: str) -> dict[str, list[str]]:
    """The rows of a table, by the word that each is about."""
    table = DOCUMENT.split(f"<!-- {part} -->")[1].split(f"<!-- /{part} -->")[0]
    cells = [re.split(r"\s*\|\s*", line.strip("| ")) for line in table.strip().splitlines()[2:]]
    return {first.strip("`"): rest for first, *rest in cells}


MATCHES, MOMENTS, ACTIONS, WORLD = rows("match"), rows("at"), rows("do"), rows("world")


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with controlled() as served:
        yield served


def test_every_word_is_told() -> None:
    assert tuple(MOMENTS) == rules.MOMENTS
    assert list(MATCHES) == [each.name for each in fields(rules.Match)]
    assert list(ACTIONS) == list(actions._READ)
    assert list(WORLD) == list(conditions._READ)


def test_every_request_is_told() -> None:
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]+)`", DOCUMENT, re.M))
    assert told == {f"{method} {path.replace('{name}', 'NAME')}" for method, path, _ in control._ROUTES}


@pytest.mark.parametrize("word", MATCHES)
def test_every_match_is_taken(box: Box, word: str) -> None:
    match = json.loads(MATCHES[word][-1].strip("`"))
    assert word in match
    (rule,) = box.tell("PUT", "/faults", [{"match": match, "at": "before_exec", "do": [{"delay_ms": 0}]}])
    assert rule["match"] == match


@pytest.mark.parametrize("moment", MOMENTS)
def test_every_moment_is_taken(box: Box, moment: str) -> None:
    (rule,) = box.tell("PUT", "/faults", [{"at": moment, "do": [{"delay_ms": 0}]}])
    assert rule["at"] == moment


@pytest.mark.parametrize("word", ACTIONS)
def test_every_action_is_taken(box: Box, word: str) -> None:
    told = json.loads(ACTIONS[word][-1].strip("`"))
    assert [*told["do"][0]] == [word]
    (rule,) = box.tell("PUT", "/faults", [told])
    assert rule["do"] == told["do"]


def test_every_choice_of_an_action_is_told() -> None:
    for word, choices in (
        ("garbage", actions._GARBAGE),
        ("signal", actions._SIGNALS),
        ("close", ("rst", "fin")),
    ):
        assert {f"`{choice}`" for choice in choices} <= {*re.findall(r"`\w+`", ACTIONS[word][0])}
    assert {f"`{style}`" for style in conditions.STYLES} <= {*re.findall(r"`\w+`", WORLD["rate_limit"][0])}


@pytest.mark.parametrize("word", WORLD)
def test_every_switch_is_taken(box: Box, word: str) -> None:
    told = json.loads(WORLD[word][-1].strip("`"))
    assert [*told] == [word]
    (value,) = told.values()
    shown = box.tell("POST", "/world", told)[word]
    if word != "org":  # which is answered as an id
        assert shown == value
    box.tell("POST", "/world", {word: None})


def script(part: str) -> str:
    """What the document says to type into a shell."""
    return DOCUMENT.split(f"<!-- {part} -->\n```sh\n")[1].split(f"```\n<!-- /{part} -->")[0]


def typed(box: Box, folder: Path, part: str) -> subprocess.CompletedProcess[str]:
    """Type it, with what the sandbox printed."""
    env = {
        **bare(),
        "HOME": str(folder),  # where the journal of who was killed stays
        "CONTROL": box.served.control,
        "TOKEN": box.served.token,
        "LABELBOX_ENDPOINT": box.served.endpoint,
        "LABELBOX_API_KEY": box.served.key,
        "LBSTACK_SETTLE": "0",
        "NO_PROXY": "*",
    }
    lbstack = f'lbstack() {{ exec "{sys.executable}" -m lbstack "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", lbstack + script(part)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(not shutil.which("curl"), reason="the examples are curl's")
def test_a_client_that_says_who_it_is_is_killed_as_the_example_says(box: Box, tmp_path: Path) -> None:
    box.tell("POST", "/reset", {})
    done = typed(box, tmp_path, "signal")
    assert done.returncode in (137, -9), done.stderr
    assert box.names() == ["Killed"]
    assert box.tell("GET", "/faults")[0]["hit"] == 1


@pytest.mark.skipif(not shutil.which("curl"), reason="the examples are curl's")
def test_an_apply_is_killed_at_a_barrier_as_the_example_says(box: Box, tmp_path: Path) -> None:
    box.tell("POST", "/reset", {})
    (tmp_path / "stack.yaml").write_text("stack: s\ndatasets:\n  a: {name: A}\n")
    done = typed(box, tmp_path, "barrier")
    assert done.returncode == 0, done.stderr
    assert re.search(r'"waiting": ?1\b', done.stdout)
    assert box.names() == ["A"]
    assert "complete" not in done.stdout
