"""Two made-up kinds with fields of every role, and short ways to load a stack of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from lbstack.errors import ConfigError
from lbstack.kinds.contract import Fields, Kind
from lbstack.kinds.fields import Immutable, Listed, RefTo, SecretText, Spec, Text, Unordered, WriteOnly
from lbstack.stack.loader import load
from lbstack.stack.model import Stack
from lbstack.values import Address, Ref


class ShelfSpec(Spec):
    """A place for boxes."""

    name: Text
    rows: int | None = Field(None, ge=1, le=9)
    load: float | None = None
    open: bool | None = None
    material: Annotated[Literal["WOOD", "STEEL"], Immutable()] | None = None


class Shelf(Kind):
    name, plural, Spec = "shelf", "shelves", ShelfSpec
    computed = ("serial",)


class Label(Spec):
    """What is written on a box."""

    text: str
    colour: str | None = None


class BoxSpec(Spec):
    """Something on a shelf."""

    name: Text
    shelf: Annotated[str, RefTo("shelf")] | None = None
    near: Annotated[list[Annotated[str, RefTo("box")]], Unordered()] | None = None
    keepers: Annotated[dict[Annotated[str, RefTo("shelf")], str], Listed()] | None = None
    labels: list[str | Label] | None = None
    token: Annotated[SecretText, WriteOnly()] | None = None
    note: Annotated[Text, WriteOnly()] | None = None
    anything: Any = Field(default_factory=dict)


class Box(Kind):
    name, plural, Spec = "box", "boxes", BoxSpec

    def wanted(self, key: str, spec: Spec) -> Fields:
        if key == "doomed":
            raise ValueError("it is doomed", "and so are you")
        if key == "cursed":
            raise ValueError("this box must not be opened")
        return super().wanted(key, spec)

    def check(self, key: str, want: Fields, find: Callable[[Ref], Fields | None]) -> list[tuple[str, str]]:
        shelf = find(want["shelf"]) if want.get("shelf") else None
        return [("shelf", "the shelf is closed")] if shelf and shelf.get("open") is False else []


KINDS: dict[str, Kind] = {kind.name: kind for kind in (Shelf(), Box())}


def shelf(key: str) -> Address:
    return Address("shelf", key)


def box(key: str) -> Address:
    return Address("box", key)


class Desk:
    """A folder with files in it, loaded as a stack of the made-up kinds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, text: str | bytes, **more: Any) -> Stack:
        return load(self.write("s.yaml", text), kinds=KINDS, **more)

    def folder_load(self, files: dict[str, str], **more: Any) -> Stack:
        for name, text in files.items():
            self.write(name, text)
        return load(self.folder, kinds=KINDS, **more)

    def complaints(self, text: str | bytes, **more: Any) -> list[str]:
        """What is wrong with a text, one problem a line, without the folder."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **more)
        return self.told(caught.value)

    def told(self, error: ConfigError) -> list[str]:
        return [str(problem).replace(f"{self.folder}/", "") for problem in error.problems]
