"""The GraphQL half: one schema from all kinds; documents parsed, validated, weighed and executed.

Parsing and validating cost far more than executing, so both are kept per document text.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from lbstack.sandbox import complexity, scalars
from lbstack.sandbox.context import Context
from lbstack.sandbox.contract import Kind
from lbstack.sandbox.kinds import KINDS

log = logging.getLogger(__name__)

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
_KEPT_DOCUMENTS = 512
_KEPT_LENGTH = 1_000_000  # characters; a longer document is prepared each time
_MAX_TOKENS = 200_000
_BASE = f"schema {{ query: Query mutation: Mutation }}\ntype Query\ntype Mutation\n{scalars.SDL}"

Answer = tuple[int, dict[str, Any]]


def sdl(kinds: Sequence[Kind] = KINDS) -> str:
    """Return the whole schema's text."""
    return "\n".join([_BASE, complexity.DIRECTIVE, *(kind.sdl for kind in kinds)])


@functools.cache
def the_schema() -> GraphQLSchema:
    """Return the executable schema of all registered kinds."""
    # The tests judge its text; to judge it each time would take as long again as to build it.
    schema = build_schema(sdl(), assume_valid=True, assume_valid_sdl=True, no_location=True)
    scalars.install(schema.type_map)
    for kind in KINDS:
        for type_name, fields in kind.resolvers.items():
            owner = schema.type_map[type_name]
            assert isinstance(owner, GraphQLObjectType)
            for field_name, resolver in fields.items():
                owner.fields[field_name].resolve = resolver
    for named in schema.type_map.values():
        if isinstance(named, GraphQLObjectType):
            _rename_keyword_arguments(named)
    return schema


def _rename_keyword_arguments(owner: GraphQLObjectType) -> None:
    for field in owner.fields.values():
        for name in ("from", "id"):
            if name in field.args:
                field.args[name].out_name = f"{name}_"


class Prepared:
    """A document that was parsed and validated: the document, or the errors it has."""

    def __init__(self, schema: GraphQLSchema, text: str) -> None:
        self.schema = schema
        self.document: DocumentNode | None = None
        self.errors: list[dict[str, Any]] = []
        self._weights: dict[tuple[Any, ...], int] = {}
        self._depends_on: dict[str | None, tuple[str, ...]] = {}
        try:
            document = parse(text, max_tokens=_MAX_TOKENS)
            problems = validate(schema, document)
        except GraphQLSyntaxError as error:
            self.errors = [with_code(error, PARSE_FAILED)]
        except RecursionError:
            self.errors = [_plain("Syntax Error: Document is nested too deeply.", PARSE_FAILED)]
        else:
            self.errors = [_in_double_quotes(with_code(error, VALIDATION_FAILED)) for error in problems]
            self.document = None if problems else document

    def weight(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """Return the operation's weight under these variables, remembered per page size asked."""
        assert self.document is not None
        name = operation.name.value if operation.name else None
        if name in self._depends_on:
            key = (name, *(repr(variables.get(each)) for each in self._depends_on[name]))
            if key in self._weights:
                return self._weights[key]
        scale = complexity.Scale(self.schema, self.document, variables)
        weight = scale.weigh(operation)
        self._depends_on[name] = tuple(sorted(scale.asked))
        self._weights[(name, *(repr(variables.get(each)) for each in self._depends_on[name]))] = weight
        return weight


@functools.lru_cache(maxsize=_KEPT_DOCUMENTS)
def _kept(text: str) -> Prepared:
    """The most recent documents, prepared; all sandboxes of a process share them, as they do the schema."""
    return Prepared(the_schema(), text)


class Engine:
    """Answers GraphQL requests."""

    def __init__(self) -> None:
        self.schema = the_schema()

    def prepare(self, text: str) -> Prepared:
        """Parse and validate ``text``, or remember having done so."""
        return Prepared(self.schema, text) if len(text) > _KEPT_LENGTH else _kept(text)

    def answer(
        self, context: Context, text: str, variables: dict[str, Any], operation_name: str | None
    ) -> Answer:
        """Execute one request; return the HTTP status and the JSON body.

        What fails before execution is 400, everything after it is 200 (API reference 5.5 and 6.7).
        """
        prepared = self.prepare(text)
        if prepared.document is None:
            return 400, {"errors": prepared.errors}
        operation = get_operation_ast(prepared.document, operation_name)
        if operation is None:
            return 400, {"errors": [_plain(_which(operation_name), "BAD_REQUEST")]}
        if prepared.weight(operation, variables) > context.conditions.complexity_limit:
            return 400, {"errors": [_plain("Query complexity limit exceeded", VALIDATION_FAILED)]}
        return self._execute(context, prepared.document, operation, variables, operation_name)

    def _execute(
        self,
        context: Context,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        operation_name: str | None,
    ) -> Answer:
        run = functools.partial(
            execute_sync,
            self.schema,
            document,
            None,
            context,
            variables,
            operation_name,
            field_resolver=read_field,
        )
        if operation.operation is OperationType.QUERY:
            with context.store.snapshot():
                result = run()
        else:
            result = run()
        errors = [with_code(error) for error in result.errors or ()]
        if result.data is None and errors and all("path" not in error for error in errors):
            return 400, {"errors": errors}  # the variables did not fit: nothing was executed
        return 200, {"errors": errors, "data": result.data} if errors else {"data": result.data}


def read_field(source: Any, info: Any, **_: Any) -> Any:
    """Return the column that bears the field's name; a row without it is a mistake in a kind."""
    return source[info.field_name]


def with_code(error: GraphQLError, code: str | None = None) -> dict[str, Any]:
    """Print an error as the service does; what nobody foresaw says no more than that."""
    cause = error.original_error
    if cause is not None and "code" not in (error.extensions or {}) and not isinstance(cause, GraphQLError):
        log.error("a resolver failed at %s", error.path, exc_info=cause)
        body: dict[str, Any] = {"message": "Internal server error"}
        extensions: dict[str, Any] = {"code": "INTERNAL_SERVER_ERROR", "exception": {"status": 500}}
    else:
        body = {"message": error.message}
        extensions = {"code": code or "BAD_USER_INPUT", **(error.extensions or {})}
    if error.locations:
        body["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        body["path"] = list(error.path)
    return {**body, "extensions": extensions}


def _in_double_quotes(error: dict[str, Any]) -> dict[str, Any]:
    """Quote names as the vendor's library does: ``Cannot query field "bbb"`` (API reference 5.5)."""
    return {**error, "message": error["message"].replace("'", '"')}


def _plain(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


def _which(operation_name: str | None) -> str:
    if operation_name is None:
        return "Must provide operation name if query contains multiple operations."
    return f'Unknown operation named "{operation_name}".'
