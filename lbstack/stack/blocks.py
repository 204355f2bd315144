"""What stands beside the resources: outputs, and the moved, removed and imports lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lbstack.kinds.contract import Kind
from lbstack.kinds.fields import holds_unset
from lbstack.stack.complaints import complain, refuse_secret
from lbstack.stack.expand import Expander
from lbstack.stack.model import Import, Moved, Output, Removed
from lbstack.stack.problems import Problems, shown
from lbstack.stack.specs import secrets_in
from lbstack.stack.tree import Item, locate
from lbstack.stack.variables import NAME
from lbstack.values import Address

M = TypeVar("M", bound=BaseModel)


class Block(BaseModel):
    """An entry of one of the lists."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True, frozen=True)


class MovedBlock(Block):
    """A resource has a new address."""

    from_: str = Field(alias="from", description="The address it had")
    to: str = Field(description="The address it has")


class RemovedBlock(Block):
    """A resource left the stack."""

    address: str = Field(description="The address it had")
    destroy: bool = Field(False, description="Destroy the object; if not, it is only forgotten")


class ImportBlock(Block):
    """An existing object comes under a resource of the stack."""

    address: str = Field(description="The resource")
    id: str = Field(description="The object's id in Labelbox", min_length=1)
    from_stack: str | None = Field(
        None, description="The stack that made the object, and has forgotten it since"
    )


def outputs(named: Mapping[str, Item], expander: Expander, problems: Problems) -> dict[str, Output]:
    """The outputs, none of which may hold a secret."""
    found = {}
    for name, item in named.items():
        if not NAME.match(name):
            problems.add(
                f"{shown(name)} is no name for an output",
                "letters, digits, _ and -, a letter first",
                item.key,
            )
        value, _, _ = expander.expand(item)
        for secret in secrets_in(value)[:1]:
            refuse_secret(secret, item.place, problems)
        found[name] = Output(name, value, item.key)
    return found


def moved(entries: list[Item], kinds: Mapping[str, Kind], problems: Problems) -> tuple[Moved, ...]:
    """The resources that have a new address."""
    found = []
    for index, item in enumerate(entries):
        block = _block(MovedBlock, item.value, item, f"moved.{index}", problems)
        if block is not None:
            old = _address(block.from_, "from", item, kinds, problems)
            new = _address(block.to, "to", item, kinds, problems)
            if old and new:
                found.append(Moved(old, new, item.place))
    return tuple(found)


def removed(entries: list[Item], kinds: Mapping[str, Kind], problems: Problems) -> tuple[Removed, ...]:
    """The resources that left."""
    found = []
    for index, item in enumerate(entries):
        block = _block(RemovedBlock, item.value, item, f"removed.{index}", problems)
        address = block and _address(block.address, "address", item, kinds, problems)
        if block and address:
            found.append(Removed(address, block.destroy, item.place))
    return tuple(found)


def imports(
    entries: list[Item], kinds: Mapping[str, Kind], expander: Expander, problems: Problems
) -> tuple[Import, ...]:
    """The objects to take over. Their ids differ between workspaces and so may be variables."""
    found = []
    for index, item in enumerate(entries):
        value, _, unset = expander.expand(item, refs=False)
        if unset and holds_unset(value):
            continue
        block = _block(ImportBlock, value, item, f"imports.{index}", problems)
        address = block and _address(block.address, "address", item, kinds, problems)
        if block and address:
            found.append(Import(address, block.id, item.place, block.from_stack))
    return tuple(found)


def _block(model: type[M], value: Any, item: Item, name: str, problems: Problems) -> M | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        complain(error, item, name, problems, model)
        return None


def _address(
    text: str, field: str, item: Item, kinds: Mapping[str, Kind], problems: Problems
) -> Address | None:
    place = locate(item, [field])
    try:
        address = Address.parse(text)
    except ValueError:
        problems.add(f"{shown(text)} is no address", "write KIND.KEY, as lbstack state list does", place)
        return None
    if address.kind in kinds:
        return address
    plural = next((kind.name for kind in kinds.values() if kind.plural == address.kind), None)
    hint = f"did you mean {plural!r}?" if plural else problems.near(address.kind, kinds)
    problems.add(f"unknown kind {shown(address.kind)} in {shown(text)}", hint, place)
    return None
