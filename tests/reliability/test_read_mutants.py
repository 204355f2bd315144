"""Unknown is not absent: whatever is wrong with an answer, nothing is planned that deletes or makes anew.

Each mutant spoils what is told of one object of each kind, the first, the middle and the last of three,
or a whole answer. The plan must fail, saying which resource could not be read, or find nothing to do;
and it never touches the state.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbstack.errors import AuthError, StackError, StateError
from lbstack.values import Address
from tests.reliability.bench import a_bench
from tests.reliability.between import Exchange, Spoil, SpoiltWorld
from tests.reliability.conftest import Report
from tests.reliability.sizes import size

pytestmark = pytest.mark.reliability

KINDS = ("integration", "dataset", "ontology", "project", "member", "webhook")
LISTS = {"integration": ("iamIntegrations",), "member": ("users", "organization")}
STACK = "stack: test\nvariables: {secret: {secret: true}}\n" + "".join(
    f"{plural}:\n" + "".join(f"  {line.format(n=n)}\n" for n in range(3))
    for plural, line in {
        "integrations": "i{n}: {{provider: aws, name: I {n}}}",
        "datasets": "d{n}: {{name: D {n}}}",
        "ontologies": "o{n}: {{name: O {n}, media_type: IMAGE, tools: [{{tool: polygon, name: T}}]}}",
        "projects": "p{n}: {{name: P {n}, media_type: IMAGE}}",
        "members": "m{n}@example.com: {{role: LABELER}}",
        "webhooks": "w{n}: {{url: 'https://a.example.com/{n}', topics: [LABEL_CREATED], secret: '${{var.secret}}'}}",
    }.items()
)

Told = dict[str, Any]
ForObject = Callable[[Told, list[Any], str, str], None]


def nope(path: Any, code: str = "RESOURCE_NOT_FOUND", **more: Any) -> Told:
    return {"message": "not here", "path": path, "extensions": {"code": code, **more}}


def nulled(*errors: Callable[[str], Told], **canary: Any) -> ForObject:
    def spoil(data: Told, told: list[Any], alias: str, id: str) -> None:
        data[alias] = None
        told += [error(alias) for error in errors]
        data.update(canary)

    return spoil


def instead(value: Any) -> ForObject:
    """Something else in the object's place, in a list or by itself."""

    def spoil(data: Told, told: list[Any], alias: str, id: str) -> None:
        node = data[alias]
        if isinstance(node, list):
            data[alias] = [value if item["id"] == id else item for item in node]
        elif "invites" in node:
            nodes = node["invites"]["nodes"]
            node["invites"]["nodes"] = [value if item["id"] == id else item for item in nodes]
        else:
            data[alias] = value

    return spoil


def another_id(data: Told, told: list[Any], alias: str, id: str) -> None:
    node = data[alias]
    if isinstance(node, list) or "invites" in node:
        data[alias] = None
    else:
        node["id"] = "c" + "0" * 24


def without_the_alias(data: Told, told: list[Any], alias: str, id: str) -> None:
    del data[alias]


def for_another(data: Told, told: list[Any], alias: str, id: str) -> None:
    data[alias] = None
    other = next((key for key in data if re.fullmatch(r"a\d+", key) and key != alias), "a99")
    told.append(nope([other]))


def present_and_not_found(data: Told, told: list[Any], alias: str, id: str) -> None:
    told.append(nope([alias]))


def gone(alias: str) -> Told:
    return nope([alias])


OBJECTS: dict[str, ForObject] = {
    "null": nulled(),
    "null, nested not found": nulled(lambda alias: nope([alias, "signer"])),
    "null, not found at an index": nulled(lambda alias: nope([alias, 0])),
    "null, not found elsewhere": for_another,
    "null, not found without a path": nulled(lambda alias: nope(None)),
    "null, not found at no path": nulled(lambda alias: nope([])),
    "null, not found at a word": nulled(lambda alias: nope(alias)),
    "null, not found and another error": nulled(gone, lambda alias: nope([alias], "INTERNAL_SERVER_ERROR")),
    "null, not found twice": nulled(gone, gone),
    "null, an inner 404": nulled(
        lambda alias: nope([alias], "INTERNAL_SERVER_ERROR", exception={"status": 404})
    ),
    "null, no code": nulled(lambda alias: {"message": "not found", "path": [alias]}),
    "null, odd extensions": nulled(lambda alias: {"path": [alias], "extensions": ["RESOURCE_NOT_FOUND"]}),
    "null, not authorized": nulled(lambda alias: nope([alias], "AUTHORIZATION_ERROR")),
    "null, not authenticated": nulled(lambda alias: nope([alias], "AUTHENTICATION_ERROR")),
    "not found, fewer permissions": nulled(gone, organizationRole={"permissions": ["LABEL"]}),
    "not found, no permissions": nulled(gone, organizationRole=None),
    "not found, no user": nulled(gone, user=None),
    "not found, no organisation": nulled(gone, organization=None),
    "not found, another organisation": nulled(gone, organization={"id": "other", "name": "x"}),
    "not found, and there": present_and_not_found,
    "a list": instead([]),
    "a number": instead(7),
    "a word": instead("x"),
    "an empty object": instead({}),
    "half an object": instead({"id": "half"}),
    "another object": another_id,
    "not told": without_the_alias,
}


def html(status: int) -> Spoil:
    return lambda told: replace(told, status=status, body=b"<html>no</html>")


def words(status: int, message: str) -> Spoil:
    return lambda told: replace(told, status=status, body=json.dumps({"message": message}).encode())


def body(content: bytes) -> Spoil:
    return lambda told: replace(told, body=content)


def cut(tenths: int) -> Spoil:
    return lambda told: replace(told, body=told.body[: len(told.body) * tenths // 10])


def changed(**data: Any) -> Spoil:
    return lambda told: told.json({"data": {**told.answer()["data"], **data}})


def doubled(told: Exchange) -> Exchange:
    return replace(told, body=told.body.rstrip()[:-1] + b', "data": {}}')


def empty_lists(told: Exchange) -> Exchange:
    data = told.answer()["data"]
    return told.json({"data": {key: [] if isinstance(value, list) else value for key, value in data.items()}})


def bomb(told: Exchange) -> Exchange:
    packed = gzip.compress(b'{"data": {"x": "' + b" " * 2**26 + b'"}}', 1)
    return replace(told, body=packed, headers=(*told.headers, (b"content-encoding", b"gzip")))


DOCUMENTS: dict[str, Spoil] = {
    "data null, an error": lambda told: told.json({"data": None, "errors": [nope(["a0"])]}),
    "no data, an error without a path": lambda told: told.json({"errors": [nope(None)]}),
    "data empty": lambda told: told.json({"data": {}}),
    "an empty object": body(b"{}"),
    "a list": body(b"[]"),
    "null": body(b"null"),
    "a number": body(b"7"),
    "nothing": body(b""),
    **{f"cut at {tenths}/10": cut(tenths) for tenths in range(1, 10)},
    "a web page": html(200),
    **{f"a web page, {status}": html(status) for status in (302, 401, 403, 404, 429, 500, 502, 503)},
    "401": words(401, "no"),
    "403": words(403, "no"),
    "429": words(429, "You have exceeded your limit"),
    "exceeded": words(200, "You have exceeded your limit"),
    "data, but 500": lambda told: replace(told, status=500),
    "data, but 404": lambda told: replace(told, status=404),
    "a name twice": doubled,
    "two documents": lambda told: replace(told, body=told.body * 2),
    "deep": body(b'{"data": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "a byte-order mark": lambda told: replace(told, body=b"\xef\xbb\xbf" + told.body),
    "UTF-16": lambda told: replace(told, body=told.body.decode().encode("utf-16")),
    "bad UTF-8": lambda told: replace(told, body=told.body.replace(b'"id"', b'"id\xff"', 1)),
    "not a number": lambda told: replace(
        told, body=told.body.replace(b"null", b"NaN").replace(b"0", b"NaN", 1)
    ),
    "33 MB": lambda told: replace(told, body=told.body + b" " * (33 * 2**20)),
    "a gzip bomb": bomb,
    "no user": changed(user=None),
    "no organisation": changed(organization=None),
    "another organisation": changed(organization={"id": "other", "name": "O"}),
    "another user": changed(user={"id": "other", "email": "other@example.com"}),
    "all lists empty": empty_lists,
    "fewer permissions": changed(organizationRole={"permissions": ["LABEL"]}),
}

HARMLESS = {"fewer permissions", "all lists empty", "another user"}
"""After these everything is still seen, or is read in another way; or all of it by one and the same user."""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> SpoiltWorld:
    world = SpoiltWorld(tmp_path_factory.mktemp("mutants"))
    world.write(STACK)
    world.variables = {"secret": "whsec-for-the-mutants"}
    outcome = world.apply()
    assert len(outcome.done) == 18
    state = world.state
    everything = world.graphql("{ organizationRole { permissions } }")["organizationRole"]["permissions"]
    world.store.save(replace(state, permissions=tuple(everything)))
    assert world.plan().empty
    return world


def judge(world: SpoiltWorld, spoil: Spoil, address: Address | None) -> str:
    """Plan under a spoilt view: what became of it. Asserts what must never be."""
    before = world.store.path.read_bytes()
    world.between.requests, world.between.spoil = 0, spoil
    try:
        plan = world.plan()
    except (AuthError, StateError) as error:
        assert error.exit in (6, 7)
        return "refused"
    except StackError as error:
        assert error.exit == 1, error
        told = str(error)
        # What touches no single object is told of all that were asked for together.
        names = [str(address)] if address else [str(known) for known in world.state.resources]
        roots = [root for known in LISTS.values() for root in known]
        place = f"{world.stack}:"  # where the stack says what the workspace seems not to have
        assert " more: " in told or [name for name in [*names, *roots, place] if name in told], told
        return "failed"
    finally:
        world.between.spoil = lambda exchange: exchange
        assert world.store.path.read_bytes() == before
    assert plan.empty, [(change.address, change.action) for change in plan.changes]
    return "nothing to do"


def spoiling(kind: str, id: str, mutant: ForObject) -> Spoil:
    """Spoil whatever an answer tells of one object."""

    def spoil(told: Exchange) -> Exchange:
        aliases = [name.removesuffix("_id") for name, value in told.variables.items() if value == id]
        if kind in LISTS:
            aliases += [
                alias for alias, root in re.findall(r"(a\d+): (\w+)", told.text) if root in LISTS[kind]
            ]
        if not aliases or told.status != 200:
            return told
        answer = told.answer()
        data, errors = answer["data"], list(answer.get("errors", []))
        for alias in aliases:
            if isinstance(data[alias], dict) and kind in LISTS and "invites" not in data[alias]:
                continue
            mutant(data, errors, alias, id)
        return told.json({"data": data, **({"errors": errors} if errors else {})})

    return spoil


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_told_of_one_object(applied: SpoiltWorld, name: str, report: Report) -> None:
    entries = applied.state.resources
    trials = 0
    for kind in KINDS:
        addresses = sorted(address for address in entries if address.kind == kind)
        assert len(addresses) == 3
        for address in addresses:
            id = entries[address].id
            assert id is not None
            outcome = judge(applied, spoiling(kind, id, OBJECTS[name]), address)
            assert outcome != "nothing to do", (name, address)
            trials += 1
    report(name="read_mutants_of_one_object", mutants=len(OBJECTS), n=trials * len(OBJECTS))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_whole_answer(applied: SpoiltWorld, name: str, report: Report) -> None:
    applied.between.requests = 0
    assert applied.plan().empty
    count = applied.between.requests
    for at in range(count):
        outcome = judge(
            applied, lambda told, at=at: DOCUMENTS[name](told) if told.number >= at else told, None
        )
        assert name in HARMLESS or outcome != "nothing to do", (name, at)
    report(name="read_mutants_of_a_whole_answer", mutants=len(DOCUMENTS), n=count * len(DOCUMENTS))


def test_what_is_not_found_once_is_looked_for_again(applied: SpoiltWorld, report: Report) -> None:
    """A replica that lags: the second read shows it."""
    trials = 0
    for address, entry in applied.state.resources.items():
        if address.kind in LISTS or entry.id is None:
            continue
        once = [spoiling(address.kind, entry.id, OBJECTS["null"])]
        gone_once = spoiling(address.kind, entry.id, nulled(gone))

        def spoil(told: Exchange, once: list[Any] = once, gone_once: Spoil = gone_once) -> Exchange:
            spoilt = gone_once(told)
            if spoilt.body != told.body and once:
                once.pop()
                return spoilt
            return told

        assert judge(applied, spoil, address) == "nothing to do"
        assert not once
        trials += 1
    report(n=trials)


def test_what_is_truly_gone_is_told_as_that(tmp_path: Path) -> None:
    """The battery could not pass by failing always."""
    world = SpoiltWorld(tmp_path)
    world.write("stack: test\ndatasets:\n  a: {name: A}\n  b: {name: B}\n")
    world.apply()
    id = world.state.resources[Address("dataset", "a")].id
    world.graphql(
        "mutation ($id: ID!) { updateDataset(where: {id: $id}, data: {deleted: true}) { id } }", id=id
    )
    plan = world.plan(refuse=False)
    assert [change.address for change in plan.changes if change.address.key == "a"]
    assert not plan.empty


# -- through the command -------------------------------------------------------------------------------

GARBAGE: dict[str, dict[str, Any]] = {
    "html": {"garbage": "html"},
    "nested": {"gql_error": {"code": "RESOURCE_NOT_FOUND", "path": "nested", "data": "null_root"}},
    "two documents": {"garbage": "two_json"},
    "bad UTF-8": {"garbage": "bad_utf8"},
    "nothing": {"garbage": "empty"},
    "deep": {"garbage": "deep:50000"},
    "bad gzip": {"garbage": "bad_gzip"},
    "NaN": {"garbage": "nan"},
}


def test_some_of_them_through_the_command(tmp_path: Path, report: Report) -> None:
    """The same over a socket, told to the real command by a served sandbox."""
    chosen = list(GARBAGE)[: size(3, len(GARBAGE))]
    with a_bench(tmp_path) as bench:
        bench.done("apply", "stack.yaml", "--auto-approve")
        before, seq = bench.state.read_bytes(), bench.seq()
        for name in chosen:
            bench.fault("after_commit", GARBAGE[name], type="query")
            for words in (("plan", "stack.yaml"), ("apply", "stack.yaml", "--auto-approve")):
                result = bench.command(*words)
                assert result.returncode in (1, 6, 7), (name, result.returncode, result.stderr)
                assert "Error" in result.stderr and "Traceback" not in result.stderr
                assert "will be created" not in result.stdout and "is missing" not in result.stdout
        bench.behave()
        assert bench.ledger(seq) == [] and bench.state.read_bytes() == before
        bench.done("plan", "stack.yaml", "--detailed-exitcode")
    report(name="read_mutants_through_the_command", n=2 * len(chosen))
