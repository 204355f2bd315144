"""The one judgement of the batteries: does the workspace hold what is wanted, once, and is all of it known?

`living` tells what a workspace holds in words that two runs share: names for ids, no times, no tags. Two
objects where there should be one are two rows, so what is compared with an undisturbed run shows both a
duplicate and anything half done. `strays` compares the ids that live with those that state knows.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lbstack.connect import open_wire
from lbstack.errors import StackError
from lbstack.plan.changes import Plan
from lbstack.render.text import plan_lines
from lbstack.session import Settings, load_graph, make_plan, open_store
from lbstack.state.model import State
from tests.reliability.bench import Bench

if TYPE_CHECKING:
    from lbstack.session import AnyStore

Rows = dict[str, list[str]]

LIVING = {
    "datasets": "SELECT * FROM datasets WHERE deleted = 0",
    "iam_integrations": "SELECT * FROM iam_integrations",
    "ontologies": """SELECT * FROM ontologies WHERE deleted = 0
        AND id NOT IN (SELECT ontologyId FROM labeling_frontend_options WHERE ontologyId IS NOT NULL)""",
    "feature_schemas": "SELECT * FROM feature_schemas WHERE deleted = 0",
    "ontology_features": """SELECT f.* FROM ontology_features f JOIN ontologies o ON o.id = f.ontologyId
        WHERE o.deleted = 0""",
    "projects": "SELECT * FROM projects WHERE deleted = 0",
    "project_datasets": """SELECT d.* FROM project_datasets d JOIN projects p ON p.id = d.projectId
        WHERE p.deleted = 0""",
    "labeling_frontend_options": """SELECT l.projectId, l.labelingFrontendId FROM labeling_frontend_options l
        JOIN projects p ON p.id = l.projectId WHERE p.deleted = 0""",
    "users": """SELECT * FROM users WHERE deleted = 0
        AND organizationId = (SELECT id FROM organizations ORDER BY rowid LIMIT 1)""",
    "project_memberships": """SELECT m.userId, m.projectId, m.roleId FROM project_memberships m
        JOIN projects p ON p.id = m.projectId WHERE p.deleted = 0""",
    "invites": "SELECT * FROM invites",
    "project_invites": "SELECT inviteId, projectId, projectRoleId FROM project_invites",
    "webhooks": "SELECT * FROM webhooks WHERE status = 'ACTIVE'",
}
"""What lives, by table. What is soft-deleted or INACTIVE is gone; the ontology that the service itself puts
into a project whose editor is set up is no object of anybody's."""

TRACKED = ("datasets", "iam_integrations", "ontologies", "projects", "invites", "webhooks")
"""The tables whose rows a stack makes, each an object with an address of its own."""

_TIMES = ("createdAt", "updatedAt", "lastValidAt", "lastActivityTime", "lastLoginAt")
_ID = re.compile(r"\bc[a-z0-9]{24}\b")
_TAG = re.compile(r"\s*\[lbs(?:tack)?\b[^\]]*\]")


def living(bench: Bench) -> Rows:
    """What the workspace holds, told without ids and times."""
    rows = {table: bench.store.rows(sql) for table, sql in LIVING.items()}
    names = {row["id"]: _named(row) for table in rows.values() for row in table if "id" in row}
    names |= {row["id"]: f"role {row['name']}" for row in bench.store.rows("SELECT id, name FROM roles")}
    return {table: sorted(_told(row, names) for row in found) for table, found in rows.items()}


def _named(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or row.get("email") or row.get("inviteeEmail") or row.get("url") or "?")


def _told(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    kept = {key: value for key, value in row.items() if key not in _TIMES}
    text = _ID.sub(lambda match: f"<{names.get(match[0], 'id')}>", json.dumps(kept, sort_keys=True))
    return _TAG.sub("", text)


def state_store(bench: Bench) -> AnyStore:
    return open_store(_settings(bench), "story")


def _settings(bench: Bench) -> Settings:
    return Settings(endpoint=bench.served.endpoint, environ=bench.env)


def tracked(state: State) -> set[str]:
    """Every id that state knows, deposed ones included."""
    entries = state.resources.values()
    return {id for e in entries for id in (e.id, *(old.id for old in e.deposed)) if id}


def strays(bench: Bench, state: State, kept: frozenset[str] = frozenset()) -> list[str]:
    """Objects that live and that state does not know, and the other way round; `kept` may do so."""
    known = tracked(state)
    lives = {row["id"]: table for table in TRACKED for row in bench.store.rows(LIVING[table])}
    lost = [f"{lives[id]} {id} lives, and state does not know it" for id in lives.keys() - known - kept]
    return lost + [f"state knows {id}, which does not live" for id in known - lives.keys()]


def differences(found: Rows, wanted: Rows) -> list[str]:
    """What lives and should not, and what should and does not."""
    told = []
    for table in wanted:
        extra, missing = list(found[table]), []
        for row in wanted[table]:
            if row in extra:
                extra.remove(row)
            else:
                missing.append(row)
        told += [f"{table}: there is {row}" for row in extra]
        told += [f"{table}: there is no {row}" for row in missing]
    return told


def undecided(state: State) -> list[str]:
    """What state says may exist unknown."""
    open_ends = getattr(state, "pending", ()) or getattr(state, "doubts", ())
    return [f"{item} is still undecided" for item in open_ends]


def converged(
    bench: Bench, wanted: Rows, kept: frozenset[str] = frozenset(), destroyed: bool = False
) -> list[str]:
    """Everything that is not as it should be after an apply that ended well; nothing is the good news.

    Live is what was wanted, the plan is empty, each living object is known to state and each known one
    lives, nothing is undecided, and nobody holds the lock.
    """
    store = state_store(bench)
    state = store.load()
    told = differences(living(bench), wanted) + strays(bench, state, kept) + undecided(state)
    if store.held():
        told.append("the state is locked")
    return told + planned(bench, state, destroyed)


def planned(bench: Bench, state: State, destroyed: bool) -> list[str]:
    """What a plan would still do. It is made here, and not by a command: that is half the time of a trial."""
    settings = replace(_settings(bench), path=bench.folder / "stack.yaml", destroy=destroyed)

    async def work() -> Plan:
        async with open_wire(settings) as wire:
            return (await make_plan(settings, load_graph(settings), state, wire))[0]

    try:
        plan = asyncio.run(work())
    except StackError as error:
        return [f"there is no plan: {error}"]
    return [] if plan.empty else ["the plan is not empty", *(line for line, _ in plan_lines(plan))]
