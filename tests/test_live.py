"""Unknown is not absent: what a read may conclude, from every kind of answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from lbstack.api.wire import Answer
from lbstack.asking import Absence, document, pack
from lbstack.errors import AuthError, ServiceError, StackError, StateError
from lbstack.kinds import KINDS
from lbstack.kinds.contract import Ask, Live, Tracked
from lbstack.live import Snapshot, read
from lbstack.values import Address

HERE = {"user": {"id": "u", "email": "u@x"}, "organization": {"id": "o", "name": "O"}}
NODE = {"name": "Teeth", "description": "", "rowCount": 0, "signer": None}
IDS = ["c" * 24 + str(n) for n in range(3)]


class Reader:
    """Answers a refresh of datasets; `change` may spoil the answer."""

    def __init__(
        self, change: Callable[[dict[str, Any], list[Any]], Any] = lambda data, errors: None
    ) -> None:
        self.change, self.documents = change, []

    def server_now(self) -> float | None:
        return None

    async def read(self, text: str, variables: dict[str, Any]) -> Answer:
        self.documents.append(text)
        data: dict[str, Any] = {**HERE}
        for alias in re.findall(r"(a\d+): dataset\(", text):
            data[alias] = {"id": variables[f"{alias}_id"], **NODE}
        errors: list[Any] = []
        spoiled = self.change(data, errors)
        return spoiled if isinstance(spoiled, Answer) else Answer(data, errors)


def refresh(reader: Reader, organization: str = "", permissions: frozenset[str] = frozenset()) -> Snapshot:
    tracked = {"dataset": [Tracked(Address("dataset", f"d{n}"), id) for n, id in enumerate(IDS)]}
    return asyncio.run(
        read(tracked, KINDS, reader, organization=organization, absence=Absence(0, permissions))
    )


def missing(path: list[Any], code: str = "RESOURCE_NOT_FOUND") -> dict[str, Any]:
    return {"message": "not here", "path": path, "extensions": {"code": code}}


def test_what_is_there_is_found() -> None:
    found = refresh(Reader())
    assert found.organization == "o"
    assert found.resources[Address("dataset", "d1")] == Live(
        IDS[1], {"name": "Teeth", "description": "", "integration": None, "_marker": None}, 0
    )


def test_not_found_at_its_own_alias_is_gone_and_the_others_stay() -> None:
    reader = Reader(lacking(IDS[1]))
    found = refresh(reader).resources
    assert [found[Address("dataset", f"d{n}")] is None for n in range(3)] == [False, True, False]
    assert len(reader.documents) == 2  # it was asked for twice


def test_what_a_second_read_shows_is_not_gone() -> None:
    looks = []

    def change(data: dict[str, Any], errors: list[Any]) -> None:
        looks.append(data)
        if len(looks) == 1:
            lacking(IDS[1])(data, errors)

    assert refresh(Reader(change)).resources[Address("dataset", "d1")] is not None


@pytest.mark.parametrize("told", [["A"], [], None, "no role", "refused"])
def test_who_may_do_less_than_before_proves_nothing_gone(told: Any) -> None:
    def change(data: dict[str, Any], errors: list[Any]) -> None:
        lacking(IDS[1])(data, errors)
        data["organizationRole"] = {"permissions": told} if isinstance(told, list) else None
        if told == "refused":
            errors.append(missing(["organizationRole"], "AUTHORIZATION_ERROR"))

    with pytest.raises(ServiceError, match=r"dataset\.d1: .*hidden.*may (A, )?B"):
        refresh(Reader(change), permissions=frozenset({"A", "B"}))


def test_who_may_do_as_much_as_before_may_find_something_gone() -> None:
    def change(data: dict[str, Any], errors: list[Any]) -> None:
        lacking(IDS[1])(data, errors)
        data["organizationRole"] = {"permissions": ["C", "B", "A"]}

    found = refresh(Reader(change), permissions=frozenset({"A", "B"}))
    assert found.resources[Address("dataset", "d1")] is None
    assert found.permissions == ("A", "B", "C")


def test_a_failed_read_says_what_was_asked_for() -> None:
    with pytest.raises(ServiceError, match=r"^dataset\.d1: "):
        refresh(Reader(nested))
    with pytest.raises(ServiceError, match=r"^dataset\.d0, dataset\.d1, dataset\.d2: "):
        refresh(Reader(no_canary))


def lacking(id: str) -> Callable[[dict[str, Any], list[Any]], None]:
    """The service as it answers when this object is gone."""

    def change(data: dict[str, Any], errors: list[Any]) -> None:
        for alias in [alias for alias, node in data.items() if node and node.get("id") == id]:
            data[alias] = None
            errors.append(missing([alias]))

    return change


def nulled(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = None


def nested(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = None
    errors.append(missing(["a1", "signer"]))


def two_errors(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = None
    errors += [missing(["a1"]), missing(["a1"], "INTERNAL_SERVER_ERROR")]


def no_path(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = None
    errors.append({"message": "x", "extensions": {"code": "RESOURCE_NOT_FOUND"}})


def no_code(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = None
    errors.append({"message": "x", "path": ["a1"]})


def no_canary(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = None
    data["organization"] = None
    errors.append(missing(["a1"]))


def empty(data: dict[str, Any], errors: list[Any]) -> Answer:
    return Answer({}, [])


def nothing(data: dict[str, Any], errors: list[Any]) -> Answer:
    return Answer(None, [missing(["a1"])])


def list_for_an_object(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = [data["a1"]]


def number_for_an_object(data: dict[str, Any], errors: list[Any]) -> None:
    data["a1"] = 7


def half_an_object(data: dict[str, Any], errors: list[Any]) -> None:
    del data["a1"]["name"]


@pytest.mark.parametrize(
    "change",
    [
        nulled, nested, two_errors, no_path, no_code, no_canary, empty, nothing,
        list_for_an_object, number_for_an_object, half_an_object,
    ],
)  # fmt: skip
def test_anything_less_than_proof_fails_the_read(change: Any) -> None:
    with pytest.raises(StackError):
        refresh(Reader(change))


@pytest.mark.parametrize("code", ["AUTHENTICATION_ERROR", "AUTHORIZATION_ERROR"])
def test_a_key_that_may_not_see_is_told_as_such(code: str) -> None:
    def change(data: dict[str, Any], errors: list[Any]) -> None:
        data["a1"] = None
        errors.append(missing(["a1"], code))

    with pytest.raises(AuthError):
        refresh(Reader(change))


def test_another_organisation_than_states_is_refused() -> None:
    with pytest.raises(StateError) as caught:
        refresh(Reader(), organization="another")
    assert caught.value.exit == 7


def test_another_object_than_asked_for_is_refused() -> None:
    def change(data: dict[str, Any], errors: list[Any]) -> None:
        data["a1"]["id"] = "somebody-elses"

    with pytest.raises(ServiceError):
        refresh(Reader(change))


def test_a_document_that_is_too_complex_is_halved() -> None:
    def change(data: dict[str, Any], errors: list[Any]) -> Answer | None:
        if len(data) > 3:
            code = {"code": "GRAPHQL_VALIDATION_FAILED"}
            return Answer(None, [{"message": "Query complexity limit exceeded", "extensions": code}])
        return None

    reader = Reader(change)
    found = refresh(reader).resources
    assert all(isinstance(live, Live) for live in found.values())
    assert len(reader.documents) == 5  # three together, then one and two, then one and one


def test_values_travel_as_variables_and_never_as_text() -> None:
    text, variables = document([Ask("x(where: {id: $id}) { id }", {"id": ("ID!", '") { evil }')})])
    assert "evil" not in text
    assert variables == {"a0_id": '") { evil }'}


def test_asks_are_packed_by_cost() -> None:
    asks = [Ask("x { id }", cost=cost) for cost in (3, 3, 3, 9, 1)]
    assert pack(asks, limit=7) == [[0, 1], [2], [3], [4]]
