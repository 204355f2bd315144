"""The whole workspace at once: looked at, emptied, and changed by another hand."""

# ruff: noqa: S608 - names of tables are the database's own

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_required_argument,
)

from lbstack.sandbox import people
from lbstack.sandbox.context import Context
from lbstack.sandbox.faults.told import Mistake, an_object, text
from lbstack.sandbox.ids import Mint
from lbstack.sandbox.roles import ADMIN, BY_ID
from lbstack.sandbox.schema import Engine
from lbstack.sandbox.seed import fill
from lbstack.sandbox.world import admin_key, organization

if TYPE_CHECKING:
    from lbstack.sandbox.conditions import Conditions
    from lbstack.sandbox.store import Row, Store

HUMAN = "human@sandbox.example"
_SECRET = re.compile(r"secret|jwt|token|password|credential", re.IGNORECASE)
# What the sandbox keeps for itself; the jobs that a mere read leaves are no part of the workspace either.
_OURS = {"ledger", "counters", "search_past", "jobs", "collection_jobs"}
_HIDDEN = "(secret)"


def snapshot(store: Store) -> bytes:
    """Every row of the workspace as canonical JSON: the same rows are the same bytes.

    Secrets are left out; so is what only the sandbox itself keeps.
    """
    with store.snapshot():
        found = {table: _rows(store, table) for table in _tables(store) if table not in _OURS}
    text = json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _rows(store: Store, table: str) -> list[Row]:
    rows = store.rows(f'SELECT * FROM "{table}"')
    shown = [{key: _shown(key, value) for key, value in row.items()} for row in rows]
    return sorted(shown, key=lambda row: json.dumps(row, sort_keys=True))


def _shown(column: str, value: Any) -> Any:
    if value is not None and _SECRET.search(column):
        return _HIDDEN
    return value.hex() if isinstance(value, bytes) else value


def _tables(store: Store) -> list[str]:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return [row["name"] for row in store.rows(sql)]


def reset(store: Store, seed: int | None) -> str:
    """Empty the workspace and fill it as a fresh one; return its key, which is the one it had.

    With a ``seed`` ids and times are counted from now on.
    """
    key = admin_key(store)
    with store.transaction():
        for table in (*_tables(store), "sqlite_sequence"):
            store.run(f'DELETE FROM "{table}"')
        store.epoch += 1
        store.mint = Mint(seed, store.count)
        fill(store)
        store.run("UPDATE api_keys SET jwt = ?", [key])
    store.past.forget()
    shutil.rmtree(store.files, ignore_errors=True)
    return key


def edit(engine: Engine, store: Store, conditions: Conditions, told: Any, base: str) -> tuple[int, Row]:
    """Let somebody else do something: ``{as, op, args}``, a root mutation and its arguments.

    With ``document`` and ``variables`` in place of ``op`` and ``args`` it is any GraphQL document. ``as``
    is an e-mail address, or a word that becomes one; who is not a member yet becomes an Admin. Nothing
    goes wrong with an edit.
    """
    body = an_object(told, "an edit", ("as", "op", "args", "document", "variables"))
    arguments = body.get("args", {}) if "op" in body else body.get("variables", {})
    if not isinstance(arguments, dict):
        raise Mistake("args must be an object")
    if ("op" in body) == ("document" in body):
        raise Mistake("an edit has either op or document")
    if "op" in body:
        document = _document(engine, text(body["op"], "op", 200), arguments)
    else:
        document = text(body["document"], "document", 1_000_000)
    user = _somebody(store, text(body.get("as", "human"), "as", 300))
    role = BY_ID[user["orgRoleId"]]
    context = Context(store, user, role.name, frozenset(role.permissions), base, conditions)
    status, answer = engine.answer(context, document, arguments, None)
    return (400 if "errors" in answer else status), answer


def _somebody(store: Store, name: str) -> Row:
    email = name if "@" in name else HUMAN if name == "human" else f"{name}@sandbox.example"
    if not people.is_email(email):
        raise Mistake(f"as: {name} can be no e-mail address")
    with store.transaction():
        found = people.member_by_email(store, organization(store), email)
        if found is None:
            people.join(store, organization(store), email, ADMIN, store.mint.now())
            found = people.member_by_email(store, organization(store), email)
        assert found is not None
        return found


def _document(engine: Engine, op: str, arguments: dict[str, Any]) -> str:
    """The document that calls a root mutation with arguments, which become its variables."""
    root = engine.schema.mutation_type
    field: GraphQLField | None = root.fields.get(op) if root else None
    if field is None:
        raise Mistake(f"op: there is no mutation {op!r}")
    unknown = sorted(set(arguments) - set(field.args))
    missing = [n for n, each in field.args.items() if is_required_argument(each) and n not in arguments]
    if unknown or missing:
        problem = f"unknown {unknown[0]!r}" if unknown else f"{missing[0]!r} is missing"
        raise Mistake(f"args of {op}: {problem}; it takes {', '.join(field.args) or 'none'}")
    declared = ", ".join(f"${name}: {field.args[name].type}" for name in arguments)
    given = ", ".join(f"{name}: ${name}" for name in arguments)
    head = f"mutation ({declared}) {{ {op}({given})" if arguments else f"mutation {{ {op}"
    return f"{head} {_selection(field)} }}"


def _selection(field: GraphQLField) -> str:
    named = get_named_type(field.type)
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    return "{ id }" if "id" in named.fields else "{ __typename }"
