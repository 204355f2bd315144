"""Wires the edges together: stack, state, registry; `connect` adds the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbstack.errors import ConfigError, LockedError, Problem, ServiceError, StateError, UsageError
from lbstack.settings import SANDBOX as SANDBOX  # for those who are given settings to work with
from lbstack.settings import STACK as STACK
from lbstack.settings import Settings as Settings
from lbstack.settings import no_stack, several
from lbstack.values import Intent

if TYPE_CHECKING:  # the edges are slow to import, and each command needs only some of them
    from lbstack.api.wire import ApiWire
    from lbstack.asking import Absence
    from lbstack.graph import Graph
    from lbstack.live import Snapshot
    from lbstack.plan.changes import Plan
    from lbstack.recover import Patience, Verdict
    from lbstack.state.model import State
    from lbstack.state.remote import RemoteStore
    from lbstack.state.store import Store

    AnyStore = Store | RemoteStore

HOME = ".lbstack"
BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
"""What SQLite says of data that nothing but beginning anew helps; a full disk is no reason for that."""


Progress = Callable[[int, int], None]
OnWait = Callable[[Sequence[Intent], float], None]
OnRead = Callable[["State", "Snapshot"], None]


def no_progress(done: int, total: int) -> None:
    """Nobody watches."""


def no_wait(intents: Sequence[Intent], seconds: float) -> None:
    """Nobody is told what is waited for."""


def no_read(state: State, snapshot: Snapshot) -> None:
    """Nobody wants more than the plan."""


def load_graph(
    settings: Settings, *, require_values: bool = True, texts: Mapping[str, str] | None = None
) -> Graph:
    """Stations 1 and 2. Raises `ConfigError` with every problem of the stack; of a file that has not the name
    of one, and of a folder that holds several, what it is not is said first. `texts` are read instead of the
    files of these paths."""
    try:
        return _graph(settings, require_values, texts or {})
    except (ConfigError, UsageError) as error:
        if many := several(settings):
            raise type(error)(many) from None
        if isinstance(error, UsageError):
            raise
        problems = no_stack(settings, error.problems)
    raise ConfigError(problems)


def _graph(settings: Settings, require_values: bool, texts: Mapping[str, str]) -> Graph:
    from lbstack.graph import build
    from lbstack.stack.loader import load
    from lbstack.stack.problems import Problems

    problems = Problems()
    stack = load(
        settings.path,
        variables=settings.variables,
        var_files=settings.var_files,
        environ=settings.environ,
        require_values=require_values,
        texts=texts,
        shared=settings.shared,
        problems=problems,
    )
    return build(stack, problems=problems)


def open_store(settings: Settings, stack: str) -> AnyStore:
    """Where the stack's state lies."""
    from lbstack.state.places import default_path, second_place
    from lbstack.state.store import Store

    named = settings.state_path
    if named and STACK in named:
        named = named.replace(STACK, stack)
    default = default_path(Path(HOME), stack, settings.where)
    if named and "://" in named:
        from lbstack.state.remote import RemoteStore
        from lbstack.state.remote_open import open_cell, whoami

        cell = open_cell(named.rstrip("/"), settings.environ)
        return RemoteStore(cell, stack, settings.where, default, whoami(settings.environ), settings.words)
    path = Path(named) if named else default
    if named and (path.is_dir() or named.endswith("/")):
        option = f"--state {named}" if settings.state else f"LBSTACK_STATE={named}"
        raise UsageError(f"{option} is a folder", f"name a file in it, as {path / default.name}")
    second = second_place(path, settings.environ)
    network = settings.allow_nfs
    return Store(path, stack, settings.where, second=second, network=network, words=settings.words)


def state_to_plan(store: AnyStore) -> tuple[State, bool]:
    """The state as a plan takes it, and whether an apply is under way: what that is making is its own
    affair."""
    state = store.load()
    under_way = bool(state.pending) and store.held()
    return (replace(state, pending=()) if under_way else state), under_way


@contextmanager
def unless_begun(store: AnyStore) -> Iterator[None]:
    """Where a state seems to be lost, look again: another apply may have begun it since it was read."""
    from lbstack.rebuild import Unclaimed

    try:
        yield
    except Unclaimed:
        if store.load().lineage:
            raise LockedError("another apply has begun this stack meanwhile", "run this again") from None
        raise


async def read_workspace(
    settings: Settings, graph: Graph, state: State, wire: ApiWire, progress: Progress = no_progress
) -> Snapshot:
    """Station 3 for everything the stack or its state names."""
    from lbstack.kinds import KINDS
    from lbstack.kinds.contract import Tracked
    from lbstack.live import read, remembered

    tracked: dict[str, list[Tracked]] = {}
    for address in [*graph.stack.resources, *(a for a in state.resources if a not in graph.stack.resources)]:
        entry, resource = state.resources.get(address), graph.stack.resources.get(address)
        want = resource.fields if resource and not settings.destroy else None
        tracked.setdefault(address.kind, []).append(remembered(address, entry, want))
    _require_known_kinds(tracked)
    absence = _absence(settings, state)
    snapshot = await read(
        tracked, KINDS, wire, organization=state.organization, absence=absence, on_progress=progress
    )
    _require_grown(snapshot, state, settings.settle, wire.server_now())
    if snapshot.problems:
        raise ConfigError([_placed(problem, graph) for problem in snapshot.problems])
    return snapshot


def _absence(settings: Settings, state: State) -> Absence:
    """What it takes to believe that something state knows is gone."""
    from lbstack.asking import Absence, again_after

    return Absence(again_after(settings.settle), frozenset(state.permissions), settings.words)


def _require_grown(snapshot: Snapshot, state: State, settle: float, now: float | None) -> None:
    """Refuse to take for gone what was made so lately that not every reader need have seen it."""
    if not settle:  # the service tells whole seconds: its now may be before the moment of a create
        return
    for intent in state.markers:
        entry, live = state.resources.get(intent.address), snapshot.resources.get(intent.address, ())
        if live is not None or entry is None or not intent.id or entry.id != intent.id:
            continue
        if now is not None and intent.since is not None and now < intent.since + settle:
            raise ServiceError(
                f"{intent.address} was made a moment ago, and the service does not show it yet",
                "grace",
                "run this again in a minute or two",
            )


async def require_unmoved(settings: Settings, plan: Plan, state: State, wire: ApiWire, cure: str) -> State:
    """Read once more what a plan was made from, and refuse it when anything is otherwise by now. What is only
    hidden from this key, or not shown yet, has not gone. `state` has the plan's moves made, and its imports
    bound; it comes back with who has read."""
    from lbstack.kinds import KINDS
    from lbstack.kinds.contract import Tracked
    from lbstack.live import read, remembered
    from lbstack.plan.fingerprints import moved

    tracked: dict[str, list[Tracked]] = {}
    for address in plan.seen:
        if entry := state.resources.get(address):
            tracked.setdefault(address.kind, []).append(remembered(address, entry))
    snapshot = await read(
        tracked, KINDS, wire, organization=plan.pins.organization, absence=_absence(settings, state)
    )
    _require_grown(snapshot, state, settings.settle, wire.server_now())
    problems = [*snapshot.problems, *moved(plan, snapshot, KINDS, cure)]
    if problems:
        raise StateError(problems)
    return _by_whom(state, snapshot)


def _require_known_kinds(tracked: Mapping[str, Any]) -> None:
    from lbstack.kinds import KINDS

    for name in tracked:
        if name not in KINDS:
            raise StateError(f"state knows a {name}, and this lbstack does not", "upgrade lbstack")


def require_kinds(plan: Plan) -> None:
    """Refuse a plan of what this lbstack cannot manage."""
    from lbstack.kinds import KINDS

    for address in [*(change.address for change in plan.changes), *(old.address for old in plan.deposed)]:
        if address.kind not in KINDS:
            raise StateError(
                f"the plan changes a {address.kind}, and this lbstack knows none", "upgrade lbstack"
            )


def _placed(problem: Problem, graph: Graph) -> Problem:
    """A problem found in the workspace, with the place in the stack that it is about."""
    resource = graph.stack.resources.get(problem.address) if problem.address else None
    if resource is None or problem.source:
        return problem
    return replace(problem, source=resource.where(*problem.path))


async def make_plan(
    settings: Settings,
    graph: Graph,
    state: State,
    wire: ApiWire,
    progress: Progress = no_progress,
    *,
    refuse: bool = True,
    patience: Patience | None = None,
    on_wait: OnWait = no_wait,
    on_read: OnRead = no_read,
) -> tuple[Plan, State]:
    """Stations 3 and 4: the plan, and the state it was made from; `on_read` gets what it was made of.

    A plan that cannot be carried out is refused; who only wants to know what is there says not to. What
    became of creates without an answer is waited for with `patience`; without, a look must do.
    """
    from lbstack.kinds import KINDS
    from lbstack.plan import guards
    from lbstack.plan.bindings import imports_of, moves_of
    from lbstack.plan.notes import with_lost
    from lbstack.plan.planner import plan
    from lbstack.rebuild import require_unclaimed
    from lbstack.state.model import bound, renamed

    moves = moves_of(graph, state)
    state = renamed(state, moves)
    # What was never managed is not brought in to be destroyed.
    imports = () if settings.destroy else imports_of(graph, state)
    state = bound(state, imports)
    _require_named(settings, graph, state)  # a wrong word is no reason to ask the service
    if not state.lineage:
        await require_unclaimed(graph, KINDS, wire, settings.words, settings.values)
    state, verdict = await find_lost(settings, state, wire, patience, on_wait, refuse=refuse)
    imported = {address for address, _ in imports}
    known = replace(state, resources={a: e for a, e in state.resources.items() if a not in imported})
    snapshot = await read_workspace(settings, graph, state, wire, progress)
    state, known = _by_whom(state, snapshot), _by_whom(known, snapshot)
    on_read(state, snapshot)
    said: dict[str, Any] = {
        "destroy": settings.destroy,
        "targets": settings.targets,
        "recreate": settings.allowed.recreate,
    }
    made = plan(graph, state, snapshot, KINDS, moves=moves, imports=imports, **said)
    if refuse and made.problems:
        raise ConfigError(list(made.problems))
    reasons = guards.refusals(made, graph.stack, state, snapshot, KINDS, settings.allowed, settings.words)
    made = replace(made, allowed=settings.allowed, refusals=reasons)
    return with_lost(made, verdict), bound(known, made.imports)


def _by_whom(state: State, snapshot: Snapshot) -> State:
    """The state with who has read the workspace, and what they may do there."""
    return replace(
        state,
        organization=state.organization or snapshot.organization,
        actor=snapshot.user,
        permissions=snapshot.permissions or state.permissions,
    )


def _require_named(settings: Settings, graph: Graph, state: State) -> None:
    """Refuse words of the command line that name nothing."""
    from lbstack.plan.targets import require_known

    known = {*state.resources, *graph.stack.resources}
    words = settings.words
    require_known(settings.targets, {*state.resources} if settings.destroy else known, "--target", words)
    require_known(settings.allowed.recreate, known, "--recreate", words)
    require_known(settings.allowed.data_loss, known, "--allow-data-loss", words)


async def find_lost(
    settings: Settings,
    state: State,
    wire: ApiWire,
    patience: Patience | None = None,
    on_wait: OnWait = no_wait,
    *,
    refuse: bool = True,
) -> tuple[State, Verdict]:
    """Between stations 3 and 4: what became of creates that were never answered. Who cannot be told from
    others is refused; what is still open is, where it was to be waited for."""
    from lbstack.kinds import KINDS
    from lbstack.recover import Patience, recover, unclear

    held = patience or Patience(settings.settle, wire.server_now, waits=False)
    state, verdict = await recover(state, KINDS, wire, held, on_wait)
    if refuse and (verdict.ambiguous or (patience and verdict.open)):
        raise unclear(verdict, settings.words)
    return state, verdict


def dumps(document: Any) -> str:
    """JSON as it is printed: one document, readable, no surprises for a parser."""
    from lbstack.render.json import dumps

    return dumps(document)
