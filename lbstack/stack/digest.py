"""What a stack says, as one number: the same words in another order give the same digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from lbstack.stack.model import Resource, Stack
from lbstack.values import Ref, Secret, Template, Unset


def digest(stack: Stack) -> Stack:
    """The stack with its digest."""
    said = {
        "stack": stack.name,
        "resources": {str(address): _resource(one) for address, one in stack.resources.items()},
        "outputs": {name: canonical(output.value) for name, output in stack.outputs.items()},
        "moved": [[str(one.from_), str(one.to)] for one in stack.moved],
        "removed": [[str(one.address), one.destroy] for one in stack.removed],
        "imports": [
            [str(one.address), one.id, *([one.from_stack] if one.from_stack else [])] for one in stack.imports
        ],
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return replace(stack, digest=hashlib.sha256(text.encode()).hexdigest())


def canonical(value: Any) -> Any:
    """A value in JSON's types. A secret is told by its variable's name, never by what it is."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None or kind is float:
        return value
    if isinstance(value, dict):
        return {key if type(key) is str else str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((canonical(item) for item in value), key=repr)
    if isinstance(value, (Ref, Template)):
        return {"$ref": str(value)}
    if isinstance(value, Secret):
        return {"$secret": value.variable}
    if isinstance(value, Unset):
        return {"$unset": value.name}
    if isinstance(value, BaseModel):
        return canonical(dict(value))
    return str(value)


def _resource(resource: Resource) -> dict[str, Any]:
    said: dict[str, Any] = {"fields": canonical(resource.fields)}
    if resource.lifecycle.prevent_destroy is not None:
        said["prevent_destroy"] = resource.lifecycle.prevent_destroy
    if resource.lifecycle.ignore_changes:
        said["ignore_changes"] = sorted(resource.lifecycle.ignore_changes)
    if resource.previously:
        said["previously"] = resource.previously
    return said
