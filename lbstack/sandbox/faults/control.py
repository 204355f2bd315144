"""The control port: what goes wrong is said here, and what happened is told.

Every request carries the port's own token as ``Authorization: Bearer TOKEN``; bodies are JSON.

| request | does |
|---|---|
| ``PUT /faults`` ``[rule, …]`` | replaces all rules; who waits for an old one goes on |
| ``POST /faults`` ``rule`` | adds one (in the place of the one with its id) |
| ``GET /faults`` | the rules, with how many requests each ``matched`` and ``hit`` |
| ``DELETE /faults`` | the sandbox behaves again; the world's switches stay |
| ``POST /world`` ``{…}`` | sets switches (``conditions``); null puts one back; answers all of them |
| ``POST /edit`` ``{as, op, args}`` | somebody else changes something |
| ``POST /clock`` ``{advance_s}`` | puts the clock forward, and with it whatever waits for time to pass |
| ``GET /ledger`` | every mutation that was executed, and what became of its answer; ``?after=SEQ`` |
| ``GET /requests`` | every request, the refused ones included; ``?after=SEQ`` |
| ``GET /snapshot`` | every row of the workspace, as canonical JSON, without secrets |
| ``POST /reset`` ``{seed}`` | a fresh workspace that behaves; with a seed, ids and times are counted |
| ``POST /barrier/NAME/release`` | opens a barrier: who waits goes on, who comes later does not wait |
| ``GET /barrier/NAME`` | how many wait; ``?waiting=N`` waits for that many, at most ``?seconds=S`` |

What cannot be meant is answered 400, with a message.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lbstack.sandbox.bodies import json_body
from lbstack.sandbox.errors import BadInputError
from lbstack.sandbox.faults import conditions, rules, workshop
from lbstack.sandbox.faults.proxy import Faults
from lbstack.sandbox.faults.told import Mistake, a_list, an_object, number, text, whole

log = logging.getLogger(__name__)

_MOST_ADVANCED = 400 * 86_400.0
_MOST_RULES = 1000
Handler = Callable[[Faults, Request], Awaitable[Any]]


async def _put_faults(faults: Faults, request: Request) -> Any:
    told = a_list(await json_body(request), "the rules", _MOST_RULES)
    read = [rules.rule(each, f"[{place}]", place + 1) for place, each in enumerate(told)]
    if len({rule.id for rule in read}) < len(read):
        raise Mistake("two rules have the same id")
    faults.set_rules(read)
    return [rule.shown() for rule in read]


async def _post_fault(faults: Faults, request: Request) -> Any:
    taken = {rule.id for rule in faults.rules}
    free = next(n for n in range(1, _MOST_RULES + 2) if f"rule-{n}" not in taken)
    rule = rules.rule(await json_body(request), "the rule", free)
    others = [each for each in faults.rules if each.id != rule.id]
    if len(others) >= _MOST_RULES:
        raise Mistake(f"there may be at most {_MOST_RULES} rules")
    faults.rules = [*others, rule]
    return rule.shown()


async def _get_faults(faults: Faults, request: Request) -> Any:
    return [rule.shown() for rule in faults.rules]


async def _delete_faults(faults: Faults, request: Request) -> Any:
    faults.set_rules([])
    return []


async def _world(faults: Faults, request: Request) -> Any:
    told, sandbox = await json_body(request), faults.sandbox
    await asyncio.to_thread(conditions.change, sandbox.conditions, sandbox.store, told)
    return conditions.shown(sandbox.conditions)


async def _edit(faults: Faults, request: Request) -> Any:
    sandbox, told = faults.sandbox, await json_body(request)
    base = str(request.base_url).rstrip("/")
    status, body = await asyncio.to_thread(
        workshop.edit, sandbox.engine, sandbox.store, sandbox.conditions, told, base
    )
    sandbox.worker.wake()
    return JSONResponse(body, status)


async def _clock(faults: Faults, request: Request) -> Any:
    body = an_object(await json_body(request), "the clock", ("advance_s",))
    mint = faults.sandbox.store.mint
    if mint.advanced > 100 * _MOST_ADVANCED:
        raise Mistake("the clock has been put forward too far")
    mint.advanced += number(body.get("advance_s"), "advance_s", 0, _MOST_ADVANCED)
    faults.waits.moved()
    faults.sandbox.worker.wake()
    return {"advanced_s": mint.advanced}


async def _ledger(faults: Faults, request: Request) -> Any:
    await faults.settled()
    entries = await asyncio.to_thread(faults.sandbox.store.ledger)
    told = ("seq", "t", "op", "args", "ids", "actor", "run", "request", "outcome")
    after = _asked(request, "after", 0)
    return [
        {key: entry["time" if key == "t" else key] for key in told}
        for entry in entries
        if entry["seq"] > after
    ]


async def _requests(faults: Faults, request: Request) -> Any:
    await faults.settled()
    after = _asked(request, "after", 0)
    return [entry for entry in faults.requests if entry["seq"] > after]


async def _snapshot(faults: Faults, request: Request) -> Any:
    body = await asyncio.to_thread(workshop.snapshot, faults.sandbox.store)
    return Response(body, media_type="application/json")


async def _reset(faults: Faults, request: Request) -> Any:
    told = await json_body(request, optional=True)
    seed = an_object({} if told is None else told, "the reset", ("seed",)).get("seed")
    if seed is not None:
        whole(seed, "seed", 0, 36**4 - 1)
    sandbox = faults.sandbox
    faults.set_rules([])
    await asyncio.to_thread(conditions.behave, sandbox.conditions, sandbox.store)
    key = await asyncio.to_thread(workshop.reset, sandbox.store, seed)
    faults.forget()
    return {"key": key, "seed": seed}


async def _release(faults: Faults, request: Request) -> Any:
    return {"released": faults.waits.release(_barrier(request))}


async def _crowd(faults: Faults, request: Request) -> Any:
    size, seconds = _asked(request, "waiting", 0), _asked(request, "seconds", 30)
    return {"waiting": await faults.waits.crowd(_barrier(request), size, min(seconds, 600))}


def _barrier(request: Request) -> str:
    return text(request.path_params["name"], "a barrier's name", 100)


def _asked(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise Mistake(f"{name} must be a number")
    return int(given)


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("PUT", "/faults", _put_faults),
    ("POST", "/faults", _post_fault),
    ("GET", "/faults", _get_faults),
    ("DELETE", "/faults", _delete_faults),
    ("POST", "/world", _world),
    ("POST", "/edit", _edit),
    ("POST", "/clock", _clock),
    ("GET", "/ledger", _ledger),
    ("GET", "/requests", _requests),
    ("GET", "/snapshot", _snapshot),
    ("POST", "/reset", _reset),
    ("POST", "/barrier/{name}/release", _release),
    ("GET", "/barrier/{name}", _crowd),
)


def control(faults: Faults) -> Starlette:
    """Return the control port as an ASGI application; it belongs into the loop of the sandbox itself."""

    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if not _knows(faults.token, request):
                return JSONResponse({"message": "The control port wants its own token"}, 401)
            try:
                told = await handler(faults, request)
            except (Mistake, BadInputError) as mistake:
                return JSONResponse({"message": str(mistake)}, 400)
            return told if isinstance(told, Response) else _json(told)

        return answer

    routes = [Route(path, endpoint(handler), methods=[method]) for method, path, handler in _ROUTES]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


def _json(told: Any) -> Response:
    return Response(json.dumps(told, default=str), media_type="application/json")


def _knows(token: str, request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code, error.headers)
