"""What a kind contributes to the sandbox.

A new kind is one file in ``kinds/`` and one line in its registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbstack.sandbox.jobs import Job

if TYPE_CHECKING:
    from lbstack.sandbox.conditions import Conditions
    from lbstack.sandbox.context import Context
    from lbstack.sandbox.store import Store

Resolver = Callable[..., Any]

# Where a request's scope says what is to go wrong with it, in a sandbox that misbehaves (``faults``).
EXCHANGE = "lbstack.exchange"


@dataclass(frozen=True)
class Reply:
    """What a REST handler answers: a status, and a body that is sent as JSON (None: no body).

    With ``file`` the body is that file's, with ``content`` these bytes or pieces of bytes, of the type
    ``content_type``.
    """

    status: int
    body: Any = None
    file: Path | None = None
    content: bytes | Iterable[bytes] | None = None
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class RestCall:
    """One REST request: the path's parameters, and the JSON body (None when there was none)."""

    params: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Route:
    """A REST route under ``/api/v1``, for instance ``Route("DELETE", "/ontologies/{id}", handler, …)``.

    ``under`` puts it elsewhere. ``caller(store, token, base, conditions, host)`` says who asks where other
    tokens than API keys are good too; it refuses as ``authenticate`` does.
    ``op`` names a write: it runs in a transaction and is recorded in the ledger under that name, if
    the caller's role holds the permission ``needs``. Routes are tried in the order they are listed.
    """

    method: str
    path: str
    handler: Callable[[Context, RestCall], Reply]
    op: str | None = None
    needs: str | None = None
    under: str = "/api/v1"
    caller: Callable[[Store, str | None, str, Conditions, str | None], Context] | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of thing a workspace holds.

    ``sdl`` defines the kind's types and extends ``Query``, ``Mutation`` and other kinds' types.
    ``resolvers`` maps type → field → function ``(source, info, **arguments)``; a field without one is
    read from the row by its name. A field that writes is wrapped in ``context.mutation``.
    An abstract type is told apart by ``__typename`` in the row. ``jobs`` says how work that was left
    for later is carried out (``jobs.py``).
    """

    name: str
    sdl: str
    tables: Sequence[str] = ()
    resolvers: Mapping[str, Mapping[str, Resolver]] = field(default_factory=dict)
    routes: Sequence[Route] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
