"""The weight of a document, and the limit the service sets to it (API reference 5.7).

A field weighs 1, plus the weight of what is selected below it; below a list that is taken as many
times as the list may be long: its ``first`` when it has one, else 100, unless the schema knows better
(``@listSize``). With the limit at 50,000:

* ``{projects{datasets{dataRows{labels{id}}}}}`` weighs 1 + 100·(1 + 100·(1 + 100·(1 + 100·1))), about
  10⁸, and is refused, as the vendor's own test demands;
* 300 aliased reads ``project(where:{id}) {…20 fields… datasets(first:100){id}}`` weigh
  300·(1 + 20 + 1 + 100) = 36,600 and pass;
* one page ``projects(first:100) {…20 fields… datasets(first:100){id}}`` weighs
  1 + 100·(20 + 1 + 100) = 12,101: four such pages fit into a document, five do not.

The real number is not documented; this one is the sandbox's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from lbstack.sandbox.listing import PAGE_SIZE

LIMIT = 50_000
DIRECTIVE = "directive @listSize(assumedSize: Int!) on FIELD_DEFINITION\n"


class Scale:
    """Weighs the operations of one document; ``asked`` collects the variables the weight depends on."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.asked: set[str] = set()
        self.fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.known: dict[tuple[str, str, int], int] = {}

    def weigh(self, operation: OperationDefinitionNode) -> int:
        """Return the operation's weight."""
        root = self.schema.get_root_type(operation.operation)
        return self._selections(operation.selection_set, root, 1)

    def _selections(self, selections: SelectionSetNode | None, parent: Any, page: int) -> int:
        total = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total += self._field(node, parent, page)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.schema.get_type(condition.name.value) if condition else parent
                total += self._selections(node.selection_set, inner, page)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value, page)
        return total

    def _fragment(self, name: str, page: int) -> int:
        definition = self.fragments[name]
        key = (name, definition.type_condition.name.value, page)
        if key not in self.known:  # many spreads of one fragment are weighed once
            inner = self.schema.get_type(definition.type_condition.name.value)
            self.known[key] = self._selections(definition.selection_set, inner, page)
        return self.known[key]

    def _field(self, node: FieldNode, parent: Any, page: int) -> int:
        name = node.name.value
        field: GraphQLField | None = getattr(parent, "fields", {}).get(name)
        if node.selection_set is None or field is None:
            return 1  # a leaf, or introspection, which costs the service nothing
        asked = self._first(node)
        inner: GraphQLNamedType = get_named_type(field.type)
        if not is_list_type(get_nullable_type(field.type)):
            return 1 + self._selections(node.selection_set, inner, asked or PAGE_SIZE)
        size = asked
        if size is None:
            # ``nodes`` of a cursor page are as many as the page was asked to hold.
            size = page if name in ("nodes", "results") else _assumed_size(field)
        return 1 + size * self._selections(node.selection_set, inner, PAGE_SIZE)

    def _first(self, node: FieldNode) -> int | None:
        for argument in node.arguments or ():
            if argument.name.value == "first":
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
                if isinstance(argument.value, VariableNode):
                    name = argument.value.name.value
                    self.asked.add(name)
                    given = self.variables.get(name)
                    return given if isinstance(given, int) else None
        return None


def _assumed_size(field: GraphQLField) -> int:
    for directive in (field.ast_node.directives if field.ast_node else None) or ():
        for argument in (directive.arguments or ()) if directive.name.value == "listSize" else ():
            if isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
    return PAGE_SIZE
