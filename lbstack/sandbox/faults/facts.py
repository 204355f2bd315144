"""What a request is: which operations it asks for, and which kinds and names they concern."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_operation_ast,
    value_from_ast_untyped,
)

from lbstack.sandbox.contract import Route
from lbstack.sandbox.kinds import KINDS

_NAMES = {"name", "title", "email", "emails", "inviteeEmail", "url"}
_MOST_ROOTS = 1000


@dataclass(frozen=True)
class Root:
    """One root field of a document: its name, the key it is answered under, and the first key below."""

    name: str
    key: str
    below: str | None


@dataclass(frozen=True)
class Facts:
    """What is known of one request; before its body is read, only the ``run`` it belongs to."""

    run: str = ""
    type: str = ""
    ops: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    roots: tuple[Root, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)

    def meant(self, op: str | None) -> frozenset[str]:
        """The operations that a rule may name: all of the request's, or the one that commits (``op``)."""
        if op is None:
            return self.ops
        if op in {root.name for root in self.roots}:
            return frozenset((op,))
        return self.ops | {op}

    def root(self, op: str) -> Root | None:
        """The root field that a rule for ``op`` speaks of."""
        wanted = op.partition(".")[0]
        return next(
            (root for root in self.roots if root.name == wanted), self.roots[0] if self.roots else None
        )


def of_document(
    document: DocumentNode | None, operation_name: str | None, variables: Mapping[str, Any], run: str
) -> Facts:
    """Return the facts of a GraphQL request; of one that cannot be executed little is known."""
    operation = get_operation_ast(document, operation_name) if document else None
    if document is None or operation is None:
        return Facts(run, variables=variables)
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    fields = list(_fields(operation.selection_set, fragments))[:_MOST_ROOTS]
    roots = tuple(_root(node, fragments) for node in fields)
    owner = "Mutation" if operation.operation.value == "mutation" else "Query"
    kinds = {_kinds().get((owner, root.name)) for root in roots}
    return Facts(
        run,
        operation.operation.value,
        frozenset(_ops(operation, fields, fragments)),
        frozenset(kind for kind in kinds if kind),
        tuple(name for node in fields for name in _given(node, variables)),
        roots,
        variables,
    )


def of_route(route: Route, path: str, body: Any, run: str) -> Facts:
    """Return the facts of a REST request."""
    ops = {
        path,
        f"{route.method} {path}",
        route.under + route.path,
        f"{route.method} {route.under}{route.path}",
    }
    kind = next((kind.name for kind in KINDS if route in kind.routes), "")
    kind_type = "mutation" if route.op else "query"
    names = tuple(_named(body))
    return Facts(run, kind_type, frozenset(ops | {route.op or path}), frozenset((kind,)), names)


def _fields(
    selections: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    for node in selections.selections if selections else ():
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(fragments[node.name.value].selection_set, fragments)


def _root(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Root:
    below = next(_fields(node.selection_set, fragments), None)
    return Root(node.name.value, _key(node), _key(below) if below else None)


def _key(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _ops(
    operation: OperationDefinitionNode,
    fields: list[FieldNode],
    fragments: Mapping[str, FragmentDefinitionNode],
) -> Iterator[str]:
    for node in fields:
        yield node.name.value
        if operation.operation.value == "mutation":
            for each in _fields(node.selection_set, fragments):
                if each.arguments:  # a nested mutation, as in ``project(…) { connectOntology(…) {…} }``
                    yield f"{node.name.value}.{each.name.value}"


def _given(node: FieldNode, variables: Mapping[str, Any]) -> Iterator[str]:
    """The names that a field's arguments give, its own and those of fields below it."""
    for argument in node.arguments or ():
        try:
            value = value_from_ast_untyped(argument.value, dict(variables))
        except (GraphQLError, ValueError, RecursionError):
            continue
        yield from _named({argument.name.value: value})
    for below in node.selection_set.selections if node.selection_set else ():
        if isinstance(below, FieldNode) and below.arguments:
            yield from _given(below, variables)


def _named(value: Any, depth: int = 20) -> Iterator[str]:
    if depth == 0:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            if key in _NAMES:
                yield from (
                    name for name in (each if isinstance(each, list) else [each]) if isinstance(name, str)
                )
            if key == "normalized" and isinstance(each, str):
                yield from _named(_parsed(each), depth - 1)
            yield from _named(each, depth - 1)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each, depth - 1)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@functools.cache
def _kinds() -> dict[tuple[str, str], str]:
    return {
        (owner, name): kind.name
        for kind in KINDS
        for owner in ("Query", "Mutation")
        for name in kind.resolvers.get(owner, {})
    }
