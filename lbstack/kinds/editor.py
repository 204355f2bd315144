"""A project's labeling front end, without which no ontology is connected (API reference 1.4).

Setting it up makes the service put an ontology of its own into the project: empty, and named as the project
is. Connecting another drops that one. Where an apply is cut off between the two, only a note in the
project's memory tells that there may be one, and it has to go with the project. Nobody else's may be taken
for it: what goes is as the service made it, was made when we had it made, and is used by nothing else.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from lbstack.errors import NotExecuted, NotFound, ServiceError
from lbstack.kinds.contract import Fields, Work
from lbstack.kinds.marks import seconds
from lbstack.kinds.ontology.carry import path_of

FIND_EDITOR = """query FindEditor($id: ID!, $name: String!) {
  project(where: {id: $id}) { id labelingFrontend { id } labelingFrontendOptions(skip: 0, first: 1) { id } }
  labelingFrontends(where: {AND: [{name: $name}, {deleted: false}]}, skip: 0, first: 100) { id }
}"""
CONNECT_EDITOR = """mutation ConnectEditor($id: ID!, $editor: ID!) {
  updateProject(where: {id: $id}, data: {labelingFrontend: {connect: {id: $editor}}}) { id }
}"""
SET_UP_EDITOR = """mutation SetUpEditor($id: ID!, $editor: ID!, $options: String!) {
  createLabelingFrontendOptions(data: {
    project: {connect: {id: $id}}, labelingFrontend: {connect: {id: $editor}}, customizationOptions: $options
  }) { id }
}"""
CONNECT_ONTOLOGY = """mutation ConnectOntology($id: ID!, $ontology: ID!) {
  project(where: {id: $id}) { connectOntology(ontologyId: $ontology) { id } }
}"""
DISCONNECT_ONTOLOGY = """mutation DisconnectOntology($id: ID!) {
  updateProject(where: {id: $id}, data: {ontology: {disconnect: true}}) { id }
}"""
FIND_OWN = """query FindOwnOntology($id: ID!) {
  project(where: {id: $id}) { id createdAt ontology {
    id name createdAt normalized projects(where: {deleted: false}, skip: 0, first: 2) { id }
  } }
}"""

EDITOR = "Editor"
"""The standard labeling front end, by which the service's own client finds it, too (API reference 1.4)."""
NO_FEATURES = json.dumps({"tools": [], "classifications": []})

NOTE = "editor of "
"""In memory, before a project's id: its editor was begun to be set up."""
SLACK = 60.0
"""Seconds by which the service's clocks may differ."""
LATEST = 600.0
"""Seconds after we had it made from which on an ontology is no longer the one."""


def expected(id: str, name: str, now: float | None, ontology: str | None = None) -> Fields:
    """What memory notes before a project's editor is set up: the project's name, when that was, and the
    `ontology` that is to be connected then, which is not the service's own."""
    return {_key(id): {"name": name, "since": now, "until": now, "wanted": ontology}}


async def connect(work: Work, id: str, name: str, ontology: str) -> None:
    """Connect an ontology to a project of this name; sets its editor up, as far as that was not done."""
    has = await work.wire.query(FIND_EDITOR, id=id, name=EDITOR)
    editor = (has["project"]["labelingFrontend"] or {}).get("id")
    if editor is None:
        if not has["labelingFrontends"]:
            raise ServiceError(f"the workspace has no labeling front end named {EDITOR}", "editor")
        editor = has["labelingFrontends"][0]["id"]
        await work.wire.mutate(CONNECT_EDITOR, id=id, editor=editor)
    ready = bool(has["project"]["labelingFrontendOptions"])
    await _expect(work, id, name, ontology, ready)
    if not ready:  # or an apply was cut off between the two
        await work.wire.mutate(SET_UP_EDITOR, id=id, editor=editor, options=NO_FEATURES)
    await work.wire.mutate(CONNECT_ONTOLOGY, id=id, ontology=ontology)
    work.memory.pop(_key(id), None)


async def disconnect(work: Work, id: str) -> None:
    """Leave a project without an ontology, and without the service's own."""
    await find_own(work, id)
    await work.wire.mutate(DISCONNECT_ONTOLOGY, id=id)
    await drop_own(work, id)


async def _expect(work: Work, id: str, name: str, ontology: str, ready: bool) -> None:
    """Note what is about to be made, unless that was just done; durably, for no answer may tell of it."""
    known, now = work.memory.get(_key(id)), work.wire.server_now()
    if known is None and ready:
        return
    noted = {**(known or expected(id, name, now)[_key(id)]), "wanted": ontology}
    if not ready and now is not None and (noted["until"] or 0.0) + SLACK < now:
        noted |= {"name": name, "until": now}  # noted by an earlier apply, that did not come so far
    if noted != known:
        work.memory[_key(id)] = noted
        await work.noted()


# -- the service's own, when its project ends ----------------------------------------------------------


def found(id: str, memory: Fields) -> bool:
    """Whether a project's own ontology was found, and is still to be dropped."""
    return bool(memory.get(_key(id), {}).get("own"))


async def find_own(work: Work, id: str) -> None:
    """Note which ontology is a project's own, before nothing tells that any more. Asks only where an editor
    was begun to be set up and nobody knows that it was done."""
    noted = work.memory.get(_key(id))
    if noted is None or noted.get("own"):
        return
    project = (await work.wire.query(FIND_OWN, id=id))["project"]
    own = project["ontology"]
    if own and _as_made(own, project, noted):
        work.memory[_key(id)] = {**noted, "own": own["id"]}
        await work.noted()


async def drop_own(work: Work, id: str) -> None:
    """Delete what was found, now that its project does not use it."""
    own = work.memory.get(_key(id), {}).get("own")
    if own and not await _dropped(work, own):
        work.say(f"left the ontology {own}, which is in use")
    work.memory.pop(_key(id), None)


async def drop_left(work: Work) -> None:
    """Delete what projects that had this address left behind, where an apply was cut off in between."""
    for key, noted in list(work.memory.items()):
        if key.startswith(NOTE) and noted.get("own") and await _dropped(work, noted["own"]):
            del work.memory[key]


async def _dropped(work: Work, own: str) -> bool:
    """Delete an ontology, or find it gone; says False where the service refuses, as while it is used."""
    try:
        with suppress(NotFound):
            await work.wire.rest("DELETE", path_of("ontologies", own))
    except NotExecuted as refusal:
        if not refusal.code.startswith("4"):
            raise
        return False
    return True


def _as_made(own: dict[str, Any], project: dict[str, Any], noted: Fields) -> bool:
    """Whether a project's ontology is the one that the service made for it."""
    body = json.loads(own["normalized"]) if isinstance(own["normalized"], str) else own["normalized"]
    empty = not any(body.get(name) for name in ("tools", "classifications", "relationships"))
    alone = [user["id"] for user in own["projects"]] == [project["id"]]
    made, since, until = seconds(own["createdAt"]), noted["since"], noted["until"]
    then = made >= seconds(project["createdAt"])
    then = then and (since is None or made >= since - SLACK) and (until is None or made <= until + LATEST)
    return empty and alone and then and own["name"] == noted["name"] and own["id"] != noted["wanted"]


def _key(id: str) -> str:
    """Where memory notes it: what was deposed has the memory of its address, too."""
    return NOTE + id
