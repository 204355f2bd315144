"""The body of a resource: engine words taken out, the rest validated by its kind's spec.

pydantic finds every mistake of a body at once; here each becomes a problem in plain words, at the
place where it was written. No text shows a value, for any value may be a secret.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, create_model

from lbstack.kinds.contract import Fields, Kind
from lbstack.kinds.fields import Spec, holds_unset
from lbstack.stack.complaints import complain, refuse_secret
from lbstack.stack.expand import Expander
from lbstack.stack.model import Lifecycle, Resource
from lbstack.stack.problems import Problems, shown
from lbstack.stack.specs import secrets_in, takes_secret
from lbstack.stack.tree import Item, Map, locate
from lbstack.values import Address

M = TypeVar("M", bound=BaseModel)


class LifecycleWords(Spec):
    """What the engine obeys, whatever the kind."""

    prevent_destroy: bool | None = Field(
        default=None,
        description="Refuse every plan that would destroy it, until an apply with false lifts that",
    )
    ignore_changes: list[str] = Field(
        default=[], description="Fields that are set at creation and then left to others"
    )


class EngineWords(Spec):
    """Words of a resource that its kind never sees."""

    lifecycle: LifecycleWords = Field(
        default=LifecycleWords(), description="How the engine treats this resource"
    )
    previously: str | None = Field(default=None, description="The key that this resource had before")


class Bodies:
    """Makes resources of bodies; what is wrong goes to `problems`."""

    def __init__(self, expander: Expander, problems: Problems) -> None:
        self.expander = expander
        self.problems = problems
        self._origins = {name: variable.origin for name, variable in expander.variables.items()}

    def resource(self, kind: Kind, key: str, item: Item) -> Resource | None:
        """The resource, or None when something is wrong with it."""
        name = f"{kind.plural}.{key}"
        if item.value is None:
            item = item._replace(value=Map())
        if not isinstance(item.value, Map):
            self.problems.add(f"{name} should be a mapping", "write its fields below it", item.key)
            return None
        value, has_secret, has_unset = self.expander.expand(item)
        words = {word: value.pop(word) for word in ("lifecycle", "previously") if word in value}
        engine = self._engine(kind, words, item, name) if words else EngineWords()
        fields = self._fields(kind, key, value, item, name, has_unset)
        wrong = fields is None or engine is None
        if wrong or (has_secret and not self._secrets_in_place(kind, fields or {}, item)):
            rest = self._partial(kind, value)
            return Resource(Address(kind.name, key), rest, item.key, partial=True, written=item)
        assert fields is not None
        assert engine is not None
        return Resource(
            Address(kind.name, key),
            fields,
            item.key,
            Lifecycle(engine.lifecycle.prevent_destroy, tuple(engine.lifecycle.ignore_changes)),
            engine.previously,
            has_unset and holds_unset(value),
            item,
        )

    def _engine(self, kind: Kind, words: Fields, item: Item, name: str) -> EngineWords | None:
        engine = self._valid(EngineWords, words, item, name)
        if engine is None:
            return EngineWords() if holds_unset(words) else None
        for index, field in enumerate(engine.lifecycle.ignore_changes):
            if field not in kind.Spec.model_fields:
                self.problems.add(
                    f"{name} has no field {shown(field)} to ignore changes of",
                    self.problems.near(field, kind.Spec.model_fields),
                    locate(item, ["lifecycle", "ignore_changes", index]),
                )
        return engine

    def _fields(
        self, kind: Kind, key: str, value: Fields, item: Item, name: str, unset: bool
    ) -> Fields | None:
        """What the kind makes of a body: its managed fields."""
        if unset and holds_unset(value):
            kept = {word: part for word, part in value.items() if not holds_unset(part)}
            if self._valid(kind.Spec, value, item, name) is None and not kept:
                return {}
            return self._partial(kind, kept)
        spec = self._valid(kind.Spec, value, item, name)
        if spec is None:
            return None
        try:
            return kind.wanted(key, spec)
        except ValidationError as error:
            complain(error, item, name, self.problems, kind.Spec, origins=self._origins)
        except ValueError as error:
            for reason in error.args or (error,):
                self.problems.add(f"{name}: {reason}", "", item.key)
        return None

    def _partial(self, kind: Kind, value: Fields) -> Fields:
        """The fields that are good although others are wrong, or wait for a variable; enough to follow
        references."""
        found = {}
        for name in value.keys() & kind.Spec.model_fields:
            with suppress(ValidationError, ValueError):
                found[name] = getattr(_lenient(kind.Spec).model_validate({name: value[name]}), name)
        return found

    def _valid(self, spec: type[M], value: Fields, item: Item, name: str) -> M | None:
        try:
            return spec.model_validate(value)
        except ValidationError as error:
            complain(error, item, name, self.problems, spec, tuple(EngineWords.model_fields), self._origins)
            return None

    def _secrets_in_place(self, kind: Kind, fields: Fields, item: Item) -> bool:
        """A type that takes anything would take a secret, too: look again at what came out."""
        misplaced = [
            (name, secret)
            for name, value in fields.items()
            if name not in kind.Spec.model_fields or not takes_secret(kind.Spec.model_fields[name].annotation)
            for secret in secrets_in(value)
        ]
        for name, secret in misplaced:
            refuse_secret(secret, locate(item, [name]), self.problems)
        return not misplaced


@cache
def _lenient(spec: type[Spec]) -> type[BaseModel]:
    """The spec with every field optional, for bodies of which a part is not known yet."""
    fields: dict[str, Any] = {
        name: (Annotated[(info.annotation, Field(alias=info.alias), *info.metadata)], None)
        for name, info in spec.model_fields.items()
    }
    return create_model(f"Lenient{spec.__name__}", __config__=spec.model_config, **fields)
